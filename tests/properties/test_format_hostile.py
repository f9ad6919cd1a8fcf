"""Broken and hostile bytes: every parser either reads them or raises damage, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import DamageError
from holdfast.format import config, envelope, index, key_file, lock, pack, snapshot, tree, zstd
from holdfast.format.seal import Sealer
from holdfast.format.tree_slices import slice_nodes
from holdfast.model.key import MasterKey
from holdfast.model.repository_config import RepositoryConfig
from properties.format_strategies import blob_lists, broken, key_files, locks, packs, snapshots, trees

SEALER = Sealer(MasterKey(encrypt=b"e" * 32, mac_k=b"k" * 16, mac_r=b"r" * 16))
CONFIG = config.encode(RepositoryConfig(version=2, id=bytes(32), chunker_polynomial=0x3DA3358B4DC173))

VALID: dict[str, tuple[Callable[[bytes], object], st.SearchStrategy[bytes]]] = {
    "tree": (tree.decode_tree, trees().map(tree.encode_nodes)),
    "tolerant-tree": (lambda text: tree.decode_tree(text, strict=False), trees().map(tree.encode_nodes)),
    "slices": (slice_nodes, trees().map(tree.encode_nodes)),
    "references": (tree.references, trees().map(tree.encode_nodes)),
    "snapshot": (snapshot.decode, snapshots.map(snapshot.encode)),
    "index": (index.decode_index, st.lists(packs, max_size=3).map(index.encode_index)),
    "lock": (lock.decode, locks.map(lock.encode)),
    "key": (key_file.decode, key_files.map(key_file.encode)),
    "config": (config.decode, st.just(CONFIG)),
    "header": (pack.decode_header, blob_lists().map(pack.encode_header)),
    "header-length": (pack.header_length, st.binary(max_size=8)),
    "zstd": (lambda text: zstd.decompress(text, 10_000), st.binary(max_size=500).map(zstd.compress)),
    "envelope": (
        lambda text: envelope.unwrap(text, 2),
        st.binary(max_size=500).map(lambda text: envelope.wrap(text, 2)),
    ),
    "sealed": (SEALER.open, st.binary(max_size=99).map(lambda text: bytes(SEALER.seal(text, b"n" * 16)))),
}


def survives(read: Callable[[bytes], object], document: bytes) -> None:
    with contextlib.suppress(DamageError):
        read(document)


@pytest.mark.parametrize("kind", VALID)
@given(data=st.data())
@settings(max_examples=60)
def test_broken_documents_are_damage(kind: str, data: st.DataObject) -> None:
    read, documents = VALID[kind]
    survives(read, data.draw(documents.flatmap(broken)))


@pytest.mark.deep
@pytest.mark.parametrize("kind", VALID)
@given(data=st.data())
@settings(max_examples=2000)
def test_broken_documents_are_damage_at_length(kind: str, data: st.DataObject) -> None:
    read, documents = VALID[kind]
    survives(read, data.draw(documents.flatmap(broken)))


@pytest.mark.parametrize("kind", VALID)
@given(noise=st.binary(max_size=200))
def test_noise_is_damage(kind: str, noise: bytes) -> None:
    survives(VALID[kind][0], noise)


@given(trees().map(tree.encode_nodes).flatmap(broken))
def test_what_is_read_as_a_tree_can_be_written_again(text: bytes) -> None:
    try:
        decoded = tree.decode_tree(text)
    except DamageError:
        return
    assert tree.decode_tree(tree.encode_nodes(decoded)) == decoded


@given(trees().map(tree.encode_nodes).flatmap(broken))
def test_references_accept_every_tree_whose_directories_are_whole(text: bytes) -> None:
    try:
        decoded = tree.decode_tree(text, strict=False)
    except DamageError:
        return
    if any(node.type == "dir" and node.subtree is None for node in decoded):
        return
    data, subtrees = tree.references(text)
    assert data == [item for node in decoded if node.type == "file" for item in node.content or ()]
    assert subtrees == [node.subtree for node in decoded if node.type == "dir"]
