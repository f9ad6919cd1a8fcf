"""What differs between two directories of snapshots."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.model.blob import BlobType
from holdfast.model.event import Listener, ignore
from holdfast.model.node import Node, NodeType
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.trees import UsedBlobs, load_nodes, mark_references, walk
from holdfast.runtime.cancel import CancelToken


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One path that differs.

    Attributes:
        path: a directory's ends with a slash.
        modifier: `+` added, `-` removed, or a combination of `T` type, `M` content, `U` metadata and `?` (content
            differs although no metadata does, which points at damage of the source).
    """

    path: bytes
    modifier: str


class SideCounts(msgspec.Struct):
    """What is on one side only. `size_bytes` counts blobs, each once, as plaintext."""

    files: int = 0
    dirs: int = 0
    others: int = 0
    data_blobs: int = 0
    tree_blobs: int = 0
    size_bytes: int = 0

    def add(self, node: Node) -> None:
        """Counts an entry."""
        if node.type is NodeType.FILE:
            self.files += 1
        elif node.type is NodeType.DIR:
            self.dirs += 1
        else:
            self.others += 1


class DiffCounts(msgspec.Struct):
    """How much differs. `changed_files` have other content; the rest is on one side only."""

    changed_files: int = 0
    added: SideCounts = msgspec.field(default_factory=SideCounts)
    removed: SideCounts = msgspec.field(default_factory=SideCounts)


class Diff:
    """Compares two directories. Iterate it, then ask for `counts`.

    Memory: the entries of the directories on the way, two at a time.

    Attributes:
        counts: what was counted so far; blobs only after `count_blobs`.
    """

    def __init__(self, reader: Reader, before: bytes, after: bytes, *, metadata: bool = False) -> None:
        """Prepares a comparison.

        Args:
            before, after: ids of the two trees.
            metadata: report entries whose content is the same and whose metadata is not.
        """
        self._reader = reader
        self._before = before
        self._after = after
        self._metadata = metadata
        self.counts = DiffCounts()

    def __iter__(self) -> Iterator[Difference]:
        """The differences, directory by directory, in the order of names.

        Raises:
            DamageError: a directory cannot be read.
        """
        if self._before == self._after:
            return
        path = bytearray()
        # What is left of each directory on the way, reversed, and how much of the path names it.
        stack = [(self._pairs(self._before, self._after), 0)]
        while stack:
            pairs, length = stack[-1]
            del path[length:]
            if not pairs:
                stack.pop()
                continue
            old, new = pairs.pop()
            path += b"/" + (new or old).name  # type: ignore[union-attr]
            here = bytes(path)
            if old is None or new is None:
                yield from self._one_side(here, old, new)
                continue
            yield from self._both_sides(here, old, new)
            if old.type is NodeType.DIR and new.type is NodeType.DIR and old.subtree != new.subtree:
                assert old.subtree is not None
                assert new.subtree is not None
                stack.append((self._pairs(old.subtree, new.subtree), len(path)))

    def _pairs(self, before: bytes, after: bytes) -> list[tuple[Node | None, Node | None]]:
        """Entries of the same name side by side, last name first."""
        old = {node.name: node for node in load_nodes(self._reader, before)}
        new = {node.name: node for node in load_nodes(self._reader, after)}
        return [(old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys(), reverse=True)]

    def _both_sides(self, path: bytes, old: Node, new: Node) -> Iterator[Difference]:
        modifier = ""
        if old.type is not new.type:
            modifier = "T"
        if old.type is NodeType.FILE and new.type is NodeType.FILE and (old.content or ()) != (new.content or ()):
            self.counts.changed_files += 1
            modifier += "M?" if _metadata(old) == _metadata(new) else "M"
        elif self._metadata and old != new:
            # COMPAT(restic): a directory counts as changed when something in it is.
            modifier += "U"
        if modifier:
            yield Difference(path + b"/" if new.type is NodeType.DIR else path, modifier)

    def _one_side(self, path: bytes, old: Node | None, new: Node | None) -> Iterator[Difference]:
        modifier, counts = ("+", self.counts.added) if new is not None else ("-", self.counts.removed)
        node = new or old
        assert node is not None
        counts.add(node)
        yield Difference(path + b"/" if node.type is NodeType.DIR else path, modifier)
        yield from self._below(path, node, modifier, counts)

    def _below(self, path: bytes, node: Node, modifier: str, counts: SideCounts) -> Iterator[Difference]:
        if node.type is not NodeType.DIR or node.subtree is None:
            return
        for inner, entry in walk(self._reader, node.subtree, prefix=path):
            counts.add(entry)
            yield Difference(inner + b"/" if entry.type is NodeType.DIR else inner, modifier)

    def count_blobs(self, listener: Listener = ignore, cancel: CancelToken | None = None) -> DiffCounts:
        """Counts the blobs that only one of the two needs. Reads all trees of both; memory as for two `UsedBlobs`."""
        before = mark_references(self._reader, [self._before], listener=listener, cancel=cancel)
        after = mark_references(self._reader, [self._after], listener=listener, cancel=cancel)
        _count_blobs(self._reader.index, before, after, self.counts.removed)
        _count_blobs(self._reader.index, after, before, self.counts.added)
        return self.counts


def _metadata(node: Node) -> tuple[object, ...]:
    """Everything but content."""
    return tuple([getattr(node, name) for name in _METADATA])


_METADATA = tuple(name for name in Node.__struct_fields__ if name != "content")


def _count_blobs(index: Index, these: UsedBlobs, others: UsedBlobs, counts: SideCounts) -> None:
    counts.data_blobs = counts.tree_blobs = counts.size_bytes = 0
    for kind, ids in ((BlobType.DATA, these.data - others.data), (BlobType.TREE, these.trees - others.trees)):
        if kind is BlobType.DATA:
            counts.data_blobs = len(ids)
        else:
            counts.tree_blobs = len(ids)
        for blob_id in ids:
            place = index.lookup(kind, blob_id)
            counts.size_bytes += place.plain_length if place is not None else 0
