"""A component of a backup as a repository gives it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from holdfast.errors import FormatError, Phrase
from holdfast.model.buffer import Buffer
from holdfast.model.component import Component, Shape
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry
from holdfast.repository.read_ahead import BATCH_BYTES, Batch, PieceReader, ReadAhead
from holdfast.repository.reader import Reader
from holdfast.repository.trees import walk

_WINDOW_ENTRIES = 512


class _Window:
    """Some entries that follow each other, and the blobs of the small files among them."""

    def __init__(self, ahead: ReadAhead, items: list[tuple[bytes, Node]]) -> None:
        self.items = items
        self.batch: Batch = ahead.batch([node.content[0] for _, node in items if node.content and _is_small(node)])


class RepositoryContent:
    """The entries of one component, read from a snapshot."""

    def __init__(self, reader: Reader, component: Component, folder: Node) -> None:
        self._reader = reader
        self._component = component
        self._folder = folder

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The content in the order in which it was stored, each byte proved by a checksum before it is given.

        Args:
            paths: only these and what is below them, with the directories that lead there; empty for everything.

        Raises:
            DamageError: what is stored is not what was stored.
        """
        if self._component.shape is Shape.TREE:
            yield Entry(path=b"", node=self._folder)
        with ReadAhead(self._reader) as ahead:
            windows = self._windows(ahead, paths)
            current = next(windows, None)
            while current is not None:
                following = next(windows, None)
                for path, node in current.items:
                    opening = partial(_open, ahead, node, current, following) if node.type is NodeType.FILE else None
                    yield Entry(path=path, node=node, open=opening)
                current = following

    def _windows(self, ahead: ReadAhead, paths: Sequence[bytes]) -> Iterator[_Window]:
        items: list[tuple[bytes, Node]] = []
        weight = 0
        for path, node in self._selected([path.strip(b"/") for path in paths]):
            size = node.size if _is_small(node) else 0
            if len(items) >= _WINDOW_ENTRIES or (items and weight + size > BATCH_BYTES):
                yield _Window(ahead, items)
                items, weight = [], 0
            items.append((path, node))
            weight += size
        if items:
            yield _Window(ahead, items)

    def _selected(self, paths: list[bytes]) -> Iterator[tuple[bytes, Node]]:
        wanted = [path for path in paths if path]
        everything = len(wanted) != len(paths) or not paths
        above = {
            b"/".join(parts[:count]) for path in wanted for parts in [path.split(b"/")] for count in range(len(parts))
        }

        def within(path: bytes) -> bool:
            return everything or any(path == one or path.startswith(one + b"/") for one in wanted)

        def leads(path: bytes, node: Node) -> bool:
            return node.type is NodeType.DIR and path in above

        def descend(path: bytes, node: Node) -> bool:
            return within(path[1:]) or leads(path[1:], node)

        for path, node in walk(self._reader, _subtree(self._folder), descend):
            if within(path[1:]) or leads(path[1:], node):
                yield path[1:], node


def _subtree(folder: Node) -> BlobId:
    if folder.subtree is None:
        raise FormatError(object=f"folder {folder.name!r}", reason="it has no subtree")
    return folder.subtree


def _is_small(node: Node) -> bool:
    """Whether a file has a single blob, which is read together with those of its neighbours."""
    return node.type is NodeType.FILE and node.content is not None and len(node.content) == 1


def _open(ahead: ReadAhead, node: Node, window: _Window, following: _Window | None) -> ContentReader:
    if not _is_small(node):
        return PieceReader(ahead.file(node))
    window.batch.start()
    if following is not None:
        following.batch.start()
    return PieceReader(_single(window.batch, node))


def _single(batch: Batch, node: Node) -> Iterator[Buffer]:
    piece = batch.take((node.content or (b"",))[0])
    if len(piece) != node.size:
        raise FormatError(
            object=f"file {node.name!r}",
            reason=Phrase("it has {size} bytes, its content {found}", {"size": node.size, "found": len(piece)}),
        )
    yield piece
