"""Listing what a snapshot holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from holdfast.model.node import Node, NodeType
from holdfast.repository.reader import Reader
from holdfast.repository.resolve import Resolved
from holdfast.repository.trees import OnPathError, components, find_node, walk


class Entry(NamedTuple):
    """One entry of a listing: its path in the snapshot, and what is there."""

    path: bytes
    node: Node


def ls(
    reader: Reader,
    where: Resolved,
    folders: Sequence[bytes] = (),
    *,
    recursive: bool = False,
    on_error: OnPathError | None = None,
) -> Iterator[Entry]:
    """The entries of a snapshot, each directory before what is in it.

    Args:
        where: a snapshot and the directory in it to begin at; paths are shown from there on.
        folders: list only these, and directly in them; by default everything below `where`.
        recursive: list everything below `folders`.
        on_error: told the path of a directory that cannot be read; by default the error is raised.

    Raises:
        PathNotFound: there is no such folder.
    """
    if not folders:
        yield from (Entry(path, node) for path, node in walk(reader, where.tree, on_error=on_error))
        return
    for folder in folders:
        yield from _folder(reader, where, folder, recursive=recursive, on_error=on_error)


def _folder(
    reader: Reader, where: Resolved, folder: bytes, *, recursive: bool, on_error: OnPathError | None
) -> Iterator[Entry]:
    node = find_node(reader, where.tree, folder, (where.snapshot.id or b"")[:4].hex())
    path = b"".join(b"/" + name for name in components(folder))
    if node is not None:
        yield Entry(path, node)
    is_directory = node is None or (node.type is NodeType.DIR and node.subtree is not None)
    if not is_directory:
        return
    tree = where.tree if node is None or node.subtree is None else node.subtree

    def go_down(_path: bytes, _node: Node) -> bool:
        return recursive

    for found, entry in walk(reader, tree, go_down, prefix=path, on_error=on_error):
        yield Entry(found, entry)
