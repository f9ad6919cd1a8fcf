"""Directories on their way to becoming tree blobs.

A directory is listed once, its entries become known in any order, and when the last one is in, its tree is
encoded and stored and its own entry handed to its parent. Only the thread that walks touches these objects.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256

from msgspec.structs import replace

from holdfast.errors import HoldfastError
from holdfast.format.node import encode_node
from holdfast.format.tree import TreeText
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node
from holdfast.repository.backup.previous import FormerEntries
from holdfast.repository.backup.report import Counts
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.reader import Reader
from holdfast.repository.writer import PackWriter


class _Awaited:
    """Stands where an entry will be."""


_AWAITED = _Awaited()


class Directory:
    """One directory being saved.

    Attributes:
        path: where it is in the file system.
        parent: the directory above, None for the root.
        slot: its place among the parent's entries.
        node: its own metadata; None for the root.
        waiting: how many entries are awaited.
        listed: whether all entries have been seen.
        previous: the parent snapshot's entries, as JSON text.
        previous_id: the parent snapshot's tree for this directory.
    """

    __slots__ = (
        "_behind",
        "_first",
        "_text",
        "listed",
        "node",
        "parent",
        "path",
        "previous",
        "previous_id",
        "slot",
        "waiting",
    )

    def __init__(
        self, path: bytes, parent: Directory | None, slot: int, node: Node | None, previous_id: BlobId | None
    ) -> None:
        self.path = path
        self.parent = parent
        self.slot = slot
        self.node = node
        self.previous_id = previous_id
        self.previous = FormerEntries()
        self.waiting = 0
        self.listed = False
        # Entries up to the first that is awaited are text already. Of those from there on, the number of the first.
        self._text = TreeText()
        self._behind: deque[bytes | _Awaited | None] = deque()
        self._first = 0

    def add(self, entry: bytes) -> None:
        """The next entry in the order of names, encoded."""
        if self._behind:
            self._behind.append(entry)
        else:
            self._text.add(entry)
            self._first += 1

    def reserve(self) -> int:
        """A place for the next entry, which will be filled in by `TreeBuilder.fill`."""
        self._behind.append(_AWAITED)
        self.waiting += 1
        return self._first + len(self._behind) - 1

    def set(self, slot: int, entry: bytes | None) -> None:
        """Puts an awaited entry in its place; None leaves it out."""
        behind = self._behind
        behind[slot - self._first] = entry
        self.waiting -= 1
        while behind and not isinstance(known := behind[0], _Awaited):
            behind.popleft()
            self._first += 1
            if known is not None:
                self._text.add(known)

    def plaintext(self) -> bytearray:
        """The tree; to be asked for once, when nothing is awaited."""
        return self._text.end()


class TreeBuilder:
    """Fills in entries and stores trees as they become complete."""

    def __init__(self, writer: PackWriter, reader: Reader, compression: Compression, counts: Counts) -> None:
        self._writer = writer
        self._reader = reader
        self._compression = compression
        self._counts = counts
        self.root_id: BlobId | None = None

    def load_previous(self, directory: Directory) -> None:
        """Brings in what the parent snapshot says of a directory; without it, everything counts as new."""
        if directory.previous_id is None:
            return
        try:
            directory.previous = FormerEntries(self._reader.load_blob(BlobType.TREE, directory.previous_id))
        except HoldfastError:
            # The parent is only a hint what need not be read again; reading everything repairs what it lacks.
            directory.previous_id = None

    def fill(self, directory: Directory, slot: int, entry: bytes | None) -> None:
        """Puts an awaited entry in its place (None leaves it out) and finishes what thereby becomes complete."""
        directory.set(slot, entry)
        self._finish_upwards(directory)

    def listing_done(self, directory: Directory) -> None:
        """Tells that all entries of a directory have been reserved or appended."""
        directory.listed = True
        directory.previous = FormerEntries()
        self._finish_upwards(directory)

    def _finish_upwards(self, directory: Directory | None) -> None:
        # A loop and not a recursion: trees may be thousands of levels deep.
        while directory is not None and directory.listed and not directory.waiting:
            tree_id = self._store(directory)
            parent = directory.parent
            if parent is None or directory.node is None:
                self.root_id = tree_id
                return
            parent.set(directory.slot, encode_node(replace(directory.node, subtree=tree_id)))
            directory = parent

    def _store(self, directory: Directory) -> BlobId:
        plaintext = directory.plaintext()
        tree_id = BlobId(sha256(plaintext).digest())
        if directory.parent is not None:
            self._counts.directory(directory.previous_id, tree_id)
        if self._writer.claim(BlobType.TREE, tree_id):
            sealed, raw_length = seal_blob(
                self._reader.repository.sealer(), BlobType.TREE, plaintext, self._compression
            )
            self._writer.add(BlobType.TREE, tree_id, sealed, raw_length)
        return tree_id
