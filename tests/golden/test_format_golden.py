"""The golden repository: written again byte for byte with its nonces, and read back whole."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest

from holdfast.format import config, envelope, index, kdf, key_file, node, pack, snapshot, tree, zstd
from holdfast.format.seal import Sealer
from holdfast.format.timestamp import parse
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId, SnapshotId
from holdfast.model.key import KdfParameters, KeyFile, MasterKey
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.model.repository_config import RepositoryConfig
from holdfast.model.snapshot import Snapshot

DATA = Path(__file__).parents[1] / "data" / "golden-v2"
GOLDEN: dict[str, Any] = json.loads((DATA / "golden.json").read_text("utf-8"))
PLAIN: dict[str, str] = GOLDEN["plain"]
FILES: dict[str, bytes] = {name.strip("/"): bytes.fromhex(entry["hex"]) for name, entry in GOLDEN["files"].items()}
MASTER = MasterKey(encrypt=bytes(range(0x01, 0x21)), mac_k=bytes(range(0x21, 0x31)), mac_r=bytes(range(0x31, 0x41)))
HELLO = b"Hello, repository!\n"
NUMBERS = "".join(f"{number:06d}\n" for number in range(100)).encode()
MOMENT_NS = parse("2026-01-02T03:04:05.6Z").ns


def nonce(number: int) -> bytes:
    return hashlib.sha256(f"golden-nonce-{number}".encode()).digest()[:16]


def stored_frame(raw: bytes) -> bytes:
    """A zstd frame of one stored block, which every zstd library reads alike."""
    size = b"\x20" + bytes((len(raw),)) if len(raw) < 256 else b"\x60" + struct.pack("<H", len(raw) - 256)
    return bytes.fromhex("28b52ffd") + size + (len(raw) * 8 + 1).to_bytes(3, "little") + raw


def file_named(kind: str) -> tuple[str, bytes]:
    ((name, stored),) = [(name, stored) for name, stored in FILES.items() if name.startswith(kind)]
    return name.removeprefix(kind).strip("/"), stored


def entry(name: bytes, kind: NodeType, mode: int, inode: int, **fields: Any) -> Node:
    return Node(
        name=name, type=kind, mode=mode, mtime_ns=MOMENT_NS, atime_ns=MOMENT_NS, ctime_ns=MOMENT_NS,
        inode=inode, device_id=1, **fields,
    )  # fmt: skip


def blob_id(plaintext: bytes) -> BlobId:
    return BlobId(hashlib.sha256(plaintext).digest())


SUB_NODES = (
    entry(
        b"a.txt", NodeType.FILE, 0o644, 11, uid=1000, gid=1000, user="u", group="g", size=19, links=1,
        content=(blob_id(HELLO),),
    ),
    entry(b"both.bin", NodeType.FILE, 0o600, 12, size=719, links=1, content=(blob_id(HELLO), blob_id(NUMBERS))),
    entry(b"empty", NodeType.FILE, 0o644, 13, links=1, content=()),
    entry(b"ln<k>", NodeType.SYMLINK, 134218239, 14, links=1, linktarget=b"a.txt"),
    entry(b"x\xff\n", NodeType.FIFO, 33554852, 15),
)  # fmt: skip


def test_every_file_is_named_by_its_hash() -> None:
    assert len(FILES) == 6
    for name, stored in FILES.items():
        if name != "config":
            assert hashlib.sha256(stored).hexdigest() == name.rpartition("/")[2]


def test_key_file_is_written_byte_for_byte() -> None:
    _, stored = file_named("keys")
    parameters = KdfParameters(n=16384, r=8, p=1)
    salt = bytes(range(0x40, 0x80))
    user_key = kdf.derive(b"golden", salt, parameters)
    made = KeyFile(
        created=parse("2026-01-02T03:04:05Z"),
        username="u",
        hostname="h",
        kdf=parameters,
        salt=salt,
        data=key_file.wrap(MASTER, user_key, nonce(0)),
    )
    assert key_file.encode(made) == stored
    assert key_file.decode(stored) == made
    assert key_file.unwrap(made, user_key) == MASTER


def test_config_is_written_byte_for_byte() -> None:
    made = RepositoryConfig(
        version=2, id=bytes.fromhex("dd56de4137951d9c92681b03416ec15f886b4482a27e3a517d32f085244cbe5d"),
        chunker_polynomial=0x3DA3358B4DC173,
    )  # fmt: skip
    assert config.encode(made).decode() == PLAIN["config"]
    assert Sealer(MASTER).seal(config.encode(made), nonce(1)) == FILES["config"]
    assert config.decode(Sealer(MASTER).open(FILES["config"])) == made


def build_pack(blobs: list[tuple[BlobType, bytes, bytes | None]], first_nonce: int) -> tuple[bytes, Pack]:
    """Packs (type, plaintext, compressed form or None) with consecutive nonces."""
    sealer = Sealer(MASTER)
    body = b""
    entries: list[PackedBlob] = []
    for number, (kind, plaintext, frame) in enumerate(blobs):
        sealed = sealer.seal(plaintext if frame is None else frame, nonce(first_nonce + number))
        raw_length = 0 if frame is None else len(plaintext)
        entries.append(PackedBlob(kind, blob_id(plaintext), len(body), len(sealed), raw_length))
        body += sealed
    header = sealer.seal(pack.encode_header(entries), nonce(first_nonce + len(blobs)))
    stored = body + header + pack.encode_header_length(len(header))
    assert len(stored) == pack.pack_bytes(entries)
    return stored, Pack(PackId(hashlib.sha256(stored).digest()), tuple(entries))


def golden_packs() -> tuple[tuple[bytes, Pack], tuple[bytes, Pack]]:
    sub = tree.encode_nodes(SUB_NODES)
    root = tree.encode_nodes([entry(b"top", NodeType.DIR, 2147484141, 2, subtree=blob_id(sub))])
    data = build_pack([(BlobType.DATA, HELLO, None), (BlobType.DATA, NUMBERS, stored_frame(NUMBERS))], 2)
    trees = build_pack([(BlobType.TREE, sub, stored_frame(sub)), (BlobType.TREE, root, stored_frame(root))], 5)
    return data, trees


def test_trees_are_written_byte_for_byte() -> None:
    sub = tree.encode_nodes(SUB_NODES)
    assert sub.decode() == PLAIN["sub_tree"]
    assert blob_id(sub).hex() == GOLDEN["ids"]["sub"]
    root = tree.encode_nodes([entry(b"top", NodeType.DIR, 2147484141, 2, subtree=blob_id(sub))])
    assert root.decode() == PLAIN["root_tree"]
    assert len(root) == 289
    assert blob_id(root).hex() == GOLDEN["ids"]["root"]


def test_packs_are_written_byte_for_byte() -> None:
    for stored, made in golden_packs():
        assert FILES[f"data/{made.id.hex()}"] == stored


def test_index_and_snapshot_are_written_byte_for_byte() -> None:
    (_, data), (_, trees) = golden_packs()
    sealer = Sealer(MASTER)
    listed = index.encode_index([data, trees])
    assert listed.decode() == PLAIN["index"]
    assert sealer.seal(b"\x02" + stored_frame(listed), nonce(8)) == file_named("index")[1]
    made = Snapshot(
        time=parse("2026-01-02T03:04:06Z"), tree=trees.blobs[1].id, paths=("/top",), hostname="h", username="u",
        uid=1000, gid=1000, program_version="golden 1",
    )  # fmt: skip
    assert snapshot.encode(made).decode() == PLAIN["snapshot"]
    assert sealer.seal(b"\x02" + stored_frame(snapshot.encode(made)), nonce(9)) == file_named("snapshots")[1]


def test_packs_are_read_back() -> None:
    sealer = Sealer(MASTER)
    for number, (stored, made) in enumerate(golden_packs(), start=1):
        length = pack.header_length(stored[-4:], len(stored))
        header = sealer.open_range(stored, len(stored) - 4 - length, length)
        assert header.hex() == PLAIN[f"header{number}"]
        assert tuple(pack.decode_header(header)) == made.blobs
        for blob in made.blobs:
            plaintext = sealer.open_range(stored, blob.offset, blob.length)
            if blob.raw_length:
                plaintext = zstd.decompress_exact(plaintext, blob.raw_length)
            assert blob_id(plaintext) == blob.id
            assert len(plaintext) == blob.plain_length


def test_documents_are_read_back() -> None:
    sealer = Sealer(MASTER)
    listed = envelope.unwrap(sealer.open(file_named("index")[1]), 2)
    assert listed.decode() == PLAIN["index"]
    assert index.decode_index(listed) == [made for _, made in golden_packs()]
    name, stored = file_named("snapshots")
    document = envelope.unwrap(sealer.open(stored), 2)
    assert document.decode() == PLAIN["snapshot"]
    made = snapshot.decode(document, id=SnapshotId(bytes.fromhex(name)))
    assert made.paths == ("/top",)
    assert made.id == bytes.fromhex(name)
    assert snapshot.encode(made) == document


def test_trees_are_read_back() -> None:
    sub = PLAIN["sub_tree"].encode()
    assert tree.decode_tree(sub) == SUB_NODES
    assert tree.references(sub) == ([blob_id(HELLO), blob_id(HELLO), blob_id(NUMBERS)], [])
    root = PLAIN["root_tree"].encode()
    assert tree.references(root) == ([], [blob_id(sub)])
    assert [node.encode_node(entry) for entry in tree.decode_tree(root)] == [root[10:-3]]


@pytest.mark.parametrize("prefix", ["repo/"])
def test_the_archive_holds_the_same_files(prefix: str) -> None:
    with tarfile.open(fileobj=io.BytesIO((DATA / "golden.tar").read_bytes())) as archive:
        members = {
            member.name.removeprefix(prefix): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        }
    expected = {
        f"data/{name[5:7]}/{name[5:]}" if name.startswith("data/") else name: stored for name, stored in FILES.items()
    }
    assert members == expected
