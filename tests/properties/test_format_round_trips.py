"""What is written is read back as it was, for every document and structure of the format."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from holdfast.format import index, key_file, lock, node, pack, snapshot, tree, zstd
from holdfast.format.node_head import encode_head, encode_name
from holdfast.format.seal import OVERHEAD, Sealer
from holdfast.format.tree_slices import slice_nodes
from holdfast.model.blob import PackedBlob
from holdfast.model.key import KeyFile, MasterKey
from holdfast.model.lock import Lock
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.model.snapshot import Snapshot
from properties.format_strategies import blob_lists, key_files, locks, nodes, packs, snapshots, trees

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
SEALER = Sealer(MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16))


def assert_compact(document: bytes) -> None:
    """Canonical JSON: parseable, no white space between tokens, nothing that Go would have escaped."""
    json.loads(document)
    assert not re.search(rb"\s", STRING.sub(b"", document))
    for raw in STRING.findall(document):
        assert not re.search(rb"[<>&\x00-\x1f]", raw)


@given(nodes())
def test_nodes(made: Node) -> None:
    text = node.encode_node(made)
    assert tree.decode_tree(tree.encode_tree([text])) == (made,)
    if not made.generic_attributes:
        assert_compact(text)
    assert node.encode_prefix(made) + node.encode_suffix(made.content, made.subtree, made.error) == text


@given(nodes())
def test_both_ways_to_write_a_node_agree(made: Node) -> None:
    head = encode_head(
        encode_name(made.name), made.type.value, made.mode, made.mtime_ns, made.atime_ns, made.ctime_ns, made.uid,
        made.gid, made.user, made.group, made.inode, made.device_id, made.size, made.links,
    )  # fmt: skip
    assert node.encode_prefix(made).startswith(head + b",")


@given(trees())
def test_slices_of_a_tree_are_its_nodes(made: tuple[Node, ...]) -> None:
    slices = slice_nodes(tree.encode_nodes(made))
    assert slices == {encode_name(entry.name): node.encode_node(entry) for entry in made}


@given(trees())
def test_trees(made: tuple[Node, ...]) -> None:
    text = tree.encode_nodes(made)
    decoded = tree.decode_tree(text)
    assert decoded == made
    assert tree.encode_nodes(decoded) == text
    data, subtrees = tree.references(text)
    assert data == [item for entry in made if entry.type is NodeType.FILE for item in entry.content or ()]
    assert subtrees == [entry.subtree for entry in made if entry.type is NodeType.DIR]


@given(blob_lists())
def test_pack_headers(blobs: tuple[PackedBlob, ...]) -> None:
    header = pack.encode_header(blobs)
    assert len(header) == pack.header_bytes(blobs)
    assert tuple(pack.decode_header(header)) == blobs


@given(st.lists(packs, max_size=4))
def test_indexes(made: list[Pack]) -> None:
    text = index.encode_index(made)
    assert_compact(text.removesuffix(b"\n"))
    assert index.decode_index(text) == made


@given(snapshots)
def test_snapshots(made: Snapshot) -> None:
    text = snapshot.encode(made)
    assert_compact(text)
    assert snapshot.decode(text) == made


@given(locks)
def test_locks(made: Lock) -> None:
    text = lock.encode(made)
    assert_compact(text)
    assert lock.decode(text) == made


@given(key_files)
def test_key_files(made: KeyFile) -> None:
    text = key_file.encode(made)
    assert_compact(text)
    assert key_file.decode(text) == made


@given(st.binary(max_size=2000), st.binary(min_size=16, max_size=16).filter(any), st.binary(max_size=9))
def test_sealed_data(plaintext: bytes, nonce: bytes, around: bytes) -> None:
    sealed = bytes(SEALER.seal(plaintext, nonce))
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert sealed[:16] == nonce
    assert SEALER.open(sealed) == plaintext
    assert SEALER.open_range(around + sealed + around, len(around), len(sealed)) == plaintext


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.sampled_from([-3, 1, 3, 9]))
def test_compressed_data(parts: list[bytes], level: int) -> None:
    compressed = b"".join(zstd.compress(part, level) for part in parts)
    assert zstd.decompress_exact(compressed, len(b"".join(parts))) == b"".join(parts)
