"""Directories on their way to becoming tree blobs.

A directory is listed once, its entries become known in any order, and when the last one is in, its tree is
encoded and stored and its own entry handed to its parent. Only the thread that walks touches these objects.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec.structs import replace

from holdfast.errors import HoldfastError
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.format.tree_slices import slice_nodes
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node
from holdfast.repository.backup.report import Counts
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.reader import Reader
from holdfast.repository.writer import PackWriter


class Directory:
    """One directory being saved.

    Attributes:
        path: where it is in the file system.
        parent: the directory above, None for the root.
        slot: its place among the parent's entries.
        node: its own metadata; None for the root.
        slots: encoded entries in name order; None while one is awaited or if it was left out.
        waiting: how many entries are awaited.
        listed: whether all entries have been seen.
        previous: the parent snapshot's entries by name, as JSON text.
        previous_id: the parent snapshot's tree for this directory.
    """

    __slots__ = ("listed", "node", "parent", "path", "previous", "previous_id", "slot", "slots", "waiting")

    def __init__(
        self, path: bytes, parent: Directory | None, slot: int, node: Node | None, previous_id: BlobId | None
    ) -> None:
        self.path = path
        self.parent = parent
        self.slot = slot
        self.node = node
        self.previous_id = previous_id
        self.previous: dict[bytes, bytes] = {}
        self.slots: list[bytes | None] = []
        self.waiting = 0
        self.listed = False

    def reserve(self) -> int:
        """A place for the next entry, which will be filled in by `TreeBuilder.fill`."""
        self.slots.append(None)
        self.waiting += 1
        return len(self.slots) - 1


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
            plaintext = self._reader.load_blob(BlobType.TREE, directory.previous_id)
            directory.previous = slice_nodes(bytes(plaintext))
        except HoldfastError:
            # The parent is only a hint what need not be read again; reading everything repairs what it lacks.
            directory.previous_id = None

    def fill(self, directory: Directory, slot: int, entry: bytes | None) -> None:
        """Puts an awaited entry in its place (None leaves it out) and finishes what thereby becomes complete."""
        directory.slots[slot] = entry
        directory.waiting -= 1
        self._finish_upwards(directory)

    def listing_done(self, directory: Directory) -> None:
        """Tells that all entries of a directory have been reserved or appended."""
        directory.listed = True
        directory.previous = {}
        self._finish_upwards(directory)

    def _finish_upwards(self, directory: Directory | None) -> None:
        # A loop and not a recursion: trees may be thousands of levels deep.
        while directory is not None and directory.listed and not directory.waiting:
            tree_id = self._store(directory)
            parent = directory.parent
            if parent is None or directory.node is None:
                self.root_id = tree_id
                return
            parent.slots[directory.slot] = encode_node(replace(directory.node, subtree=tree_id))
            parent.waiting -= 1
            directory = parent

    def _store(self, directory: Directory) -> BlobId:
        plaintext = encode_tree(entry for entry in directory.slots if entry is not None)
        directory.slots = []
        tree_id = BlobId(sha256(plaintext).digest())
        if directory.parent is not None:
            self._counts.directory(directory.previous_id, tree_id)
        if self._writer.claim(BlobType.TREE, tree_id):
            sealed, raw_length = seal_blob(
                self._reader.repository.sealer(), BlobType.TREE, plaintext, self._compression
            )
            self._writer.add(BlobType.TREE, tree_id, sealed, raw_length)
        return tree_id
