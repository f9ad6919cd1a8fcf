"""Hypothesis strategies for the format's values, and broken variants of valid documents."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from holdfast.format.timestamp import GO_ZERO_NS
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.key import KdfParameters, KeyFile
from holdfast.model.lock import Lock
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.model.snapshot import Snapshot, SnapshotSummary

LAST_NS = 253_402_300_799_999_999_999

uint32 = st.integers(0, (1 << 32) - 1)
uint64 = st.integers(0, (1 << 64) - 1)
counts = st.integers(0, 1 << 62)
ids = st.binary(min_size=32, max_size=32)
blob_ids = ids.map(BlobId)
times_ns = st.integers(GO_ZERO_NS, LAST_NS)
nearby_ns = st.integers(GO_ZERO_NS + 86_400 * 10**9, LAST_NS - 86_400 * 10**9)
offsets_s = st.integers(-1439, 1439).map(lambda minutes: minutes * 60)
instants = st.builds(Instant, ns=nearby_ns, offset_s=offsets_s)
texts = st.text(max_size=20)
names = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode()),
    st.from_regex(rb"[A-Za-z0-9._-]{1,30}\Z", fullmatch=True),
).filter(lambda name: name not in {b".", b".."} and b"/" not in name and b"\0" not in name)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
xattrs = st.tuples(
    st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text).map(lambda text: text.encode()),
    st.binary(max_size=20),
)


@st.composite
def nodes(draw: st.DrawFn, name: bytes | None = None) -> Node:
    """Any node whatever, plausible or not, that the format can hold."""
    kind = draw(st.sampled_from(list(NodeType)))
    generic = draw(st.dictionaries(texts, json_values.map(msgspec.json.encode), max_size=2))
    return Node(
        name=draw(names) if name is None else name,
        type=kind,
        mode=draw(uint32),
        mtime_ns=draw(times_ns),
        atime_ns=draw(times_ns),
        ctime_ns=draw(times_ns),
        uid=draw(uint32),
        gid=draw(uint32),
        user=draw(texts),
        group=draw(texts),
        inode=draw(uint64),
        device_id=draw(uint64),
        size=draw(uint64),
        links=draw(uint64),
        linktarget=draw(st.binary(max_size=20).filter(lambda target: b"\0" not in target)),
        xattrs=tuple(draw(st.lists(xattrs, max_size=3))),
        generic_attributes=tuple(sorted(generic.items())),
        device=draw(uint64),
        content=draw(st.none() | st.lists(blob_ids, max_size=3).map(tuple)),
        subtree=draw(blob_ids if kind is NodeType.DIR else st.none() | blob_ids),
        error=draw(texts),
    )


@st.composite
def trees(draw: st.DrawFn) -> tuple[Node, ...]:
    """Nodes in the order of a tree."""
    chosen = sorted(draw(st.sets(names, max_size=4)))
    return tuple(draw(nodes(name)) for name in chosen)


@st.composite
def blob_lists(draw: st.DrawFn) -> tuple[PackedBlob, ...]:
    """Blobs of one pack, in order and without gaps."""
    blobs: list[PackedBlob] = []
    offset = 0
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.integers(32, 1 << 28))
        kind = draw(st.sampled_from(BlobType))
        blobs.append(PackedBlob(kind, draw(blob_ids), offset, length, draw(st.just(0) | uint32)))
        offset += length
    return tuple(blobs)


packs = st.builds(Pack, ids.map(PackId), blob_lists())
summaries = st.builds(
    SnapshotSummary,
    backup_start=instants,
    backup_end=instants,
    **{name: counts for name in SnapshotSummary.__struct_fields__ if not name.startswith("backup_")},
)
snapshots = st.builds(
    Snapshot,
    time=instants,
    tree=blob_ids,
    paths=st.lists(texts, max_size=3).map(tuple),
    hostname=texts,
    username=texts,
    uid=uint32,
    gid=uint32,
    excludes=st.lists(texts, max_size=3).map(tuple),
    tags=st.lists(texts, max_size=3).map(tuple),
    parent=st.none() | ids.map(SnapshotId),
    original=st.none() | ids.map(SnapshotId),
    program_version=texts,
    summary=st.none() | summaries,
    id=st.none(),
)
locks = st.builds(
    Lock, time=instants, exclusive=st.booleans(), hostname=texts, username=texts, pid=uint32, uid=uint32, gid=uint32
)
key_files = st.builds(
    KeyFile,
    created=instants,
    username=texts,
    hostname=texts,
    kdf=st.builds(KdfParameters, n=uint32, r=uint32, p=uint32),
    salt=st.binary(min_size=64, max_size=64),
    data=st.binary(max_size=200),
)

SPLINTERS = (
    b"", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"-", b"1e999", b"NaN", b"9" * 400, b"\xff", b"\0",
    b"\\ud800", b"\\u0000", b'"nodes":', b'"name":"..",', b'"type":"dir",', b"[" * 3000, b'{"a":' * 3000, b"0.5",
    b"true",
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn, document: bytes) -> bytes:
    """A document after a few cuts, flips, repetitions and insertions."""
    text = bytearray(document)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        replacement: Any = draw(
            st.sampled_from(SPLINTERS) | st.binary(max_size=3) | st.just(bytes(text[start:end]) * 2)
        )
        text[start:end] = replacement
    return bytes(text)
