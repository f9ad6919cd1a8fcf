"""Snapshots made of dictionaries: put into a repository blob by blob, read back as dictionaries."""

from __future__ import annotations

from hashlib import sha256

from holdfast.format.tree import encode_nodes
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.instant import Instant
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import save_snapshot
from holdfast.repository.writer import PackWriter

Tree = dict[str, "bytes | Tree"]
"""A directory: names to contents of files or to further directories."""

BLOB_BYTES = 64


def store_snapshot(
    repository: Repository,
    index: Index,
    tree: Tree,
    *,
    pack_bytes: int = 2000,
    compression: Compression | None = None,
    time_ns: int = 0,
    again: bool = False,
    **fields: object,
) -> Snapshot:
    """Stores files cut into blobs of 64 bytes, their trees, and a snapshot of them.

    Args:
        again: store every blob although it may be stored already.
        fields: further fields of the snapshot.
    """
    if compression is None:
        compression = Compression.AUTO if repository.config.version >= 2 else Compression.OFF
    with PackWriter(repository, index, pack_bytes=pack_bytes) as writer:
        root = _store_tree(writer, repository, tree, compression, again)
        writer.flush()
    values = {"time": Instant(ns=time_ns), "tree": root, "paths": ("/data",), "hostname": "host"} | fields
    return save_snapshot(repository, Snapshot(**values))  # type: ignore[arg-type]


def _store_tree(
    writer: PackWriter, repository: Repository, tree: Tree, compression: Compression, again: bool
) -> BlobId:
    nodes = []
    for name, entry in sorted(tree.items(), key=lambda item: item[0].encode()):
        if isinstance(entry, dict):
            subtree = _store_tree(writer, repository, entry, compression, again)
            nodes.append(Node(name=name.encode(), type=NodeType.DIR, subtree=subtree))
        else:
            pieces = [entry[start : start + BLOB_BYTES] for start in range(0, len(entry), BLOB_BYTES)]
            content = [_store(writer, repository, BlobType.DATA, piece, compression, again) for piece in pieces]
            nodes.append(Node(name=name.encode(), type=NodeType.FILE, size=len(entry), content=tuple(content)))
    return _store(writer, repository, BlobType.TREE, encode_nodes(nodes), compression, again)


def _store(
    writer: PackWriter,
    repository: Repository,
    kind: BlobType,
    plaintext: bytes,
    compression: Compression,
    again: bool,
) -> BlobId:
    blob_id = sha256(plaintext).digest()
    if writer.claim(kind, blob_id, even_if_indexed=again):
        writer.add(kind, blob_id, *seal_blob(repository.sealer(), kind, plaintext, compression))
    return BlobId(blob_id)


def read_snapshot(reader: Reader, snapshot: Snapshot) -> Tree:
    """Everything in a snapshot, each blob proved by its hash."""
    return _read_tree(reader, snapshot.tree)


def _read_tree(reader: Reader, tree_id: bytes) -> Tree:
    tree: Tree = {}
    for node in reader.load_tree(tree_id):
        if node.subtree is not None:
            tree[node.name.decode()] = _read_tree(reader, node.subtree)
        else:
            tree[node.name.decode()] = b"".join(bytes(reader.load_blob(BlobType.DATA, i)) for i in node.content or ())
    return tree
