"""Walking a snapshot in the order in which it is restored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from holdfast.errors import DamageError, FormatError, HoldfastError, PathNotFound, Phrase
from holdfast.model.ids import BlobId, short
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.reader import Reader
from holdfast.repository.restore.directories import Directory
from holdfast.repository.restore.metadata import metadata_of
from holdfast.repository.restore.selection import Selection

DEPTH_MAX = 4_096
"""Twice as deep as a path can lead, so that a hostile tree ends in an error and not in exhaustion."""


class Entered(NamedTuple):
    """A directory is about to be walked.

    Attributes:
        wanted: it is restored itself, not just on the way to something.
        nodes: all it contains in the snapshot, selected or not; None where the tree cannot be read.
        path: its path in the snapshot; empty unless there are patterns.
    """

    directory: Directory
    wanted: bool
    nodes: tuple[Node, ...] | None
    path: bytes


class Item(NamedTuple):
    """Something in a directory that is no directory."""

    directory: Directory
    node: Node


class Left(NamedTuple):
    """Everything in a directory has been walked."""

    directory: Directory


def walk(
    reader: Reader,
    tree_id: BlobId,
    root: Directory,
    selection: Selection,
    on_damage: Callable[[bytes, HoldfastError], None],
) -> Iterator[Entered | Item | Left]:
    """Walks a tree depth first; of a directory marked broken after its `Entered`, nothing more is told.

    Args:
        on_damage: told the path and error of every tree that cannot be read.
    """
    nodes = reader.load_tree(tree_id)
    yield Entered(root, True, nodes, b"")
    stack = [(root, iter(nodes), b"")]
    while stack:
        directory, remaining, path = stack[-1]
        for node in remaining:
            if node.type is not NodeType.DIR:
                if selection.everything or selection.takes(path + b"/" + node.name, is_dir=False):
                    yield Item(directory, node)
                continue
            entered = _enter(reader, directory, node, path, selection, on_damage)
            if entered is None:
                continue
            yield entered
            if not entered.directory.broken:
                stack.append((entered.directory, iter(entered.nodes or ()), entered.path))
                break
        else:
            stack.pop()
            yield Left(directory)


def _enter(
    reader: Reader,
    parent: Directory,
    node: Node,
    parent_path: bytes,
    selection: Selection,
    on_damage: Callable[[bytes, HoldfastError], None],
) -> Entered | None:
    path, wanted = b"", True
    if not selection.everything:
        path = parent_path + b"/" + node.name
        wanted = selection.takes(path, is_dir=True)
        if not wanted and not selection.descends(path):
            return None
    directory = Directory(parent, node.name, metadata_of(node))
    nodes: tuple[Node, ...] | None = None
    try:
        if node.subtree is None:
            raise FormatError(object=f"directory {os.fsdecode(node.name)!r}", reason="it has no subtree")
        if directory.depth > DEPTH_MAX:
            raise FormatError(
                object="the snapshot",
                reason=Phrase("directories are nested deeper than {depth_max} levels", {"depth_max": DEPTH_MAX}),
            )
        nodes = reader.load_tree(node.subtree)
    except DamageError as error:
        on_damage(directory.path(), error)
    return Entered(directory, wanted, nodes, path)


def find_subfolder(reader: Reader, snapshot: Snapshot, path: bytes) -> BlobId:
    """The tree of a directory in a snapshot.

    Raises:
        PathNotFound: there is no such directory.
    """
    tree = snapshot.tree
    for name in path.split(b"/"):
        if name in (b"", b"."):
            continue
        for node in reader.load_tree(tree):
            if node.name == name and node.type is NodeType.DIR and node.subtree is not None:
                tree = node.subtree
                break
        else:
            raise PathNotFound(path=os.fsdecode(path), snapshot=short(snapshot.id or b""))
    return tree
