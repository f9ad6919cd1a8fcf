"""Rebuilding trees without what is gone."""

from __future__ import annotations

from hashlib import sha256

import msgspec
from msgspec.structs import replace

from holdfast.errors import FormatError, HoldfastError, Phrase
from holdfast.format.node import from_raw
from holdfast.format.tree import decode_raw, encode_nodes
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.check.findings import is_about_object
from holdfast.repository.reader import Reader
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

CHANGES_LISTED = 1000
_PATH_SHOWN = 4096


class Change(msgspec.Struct, frozen=True, gc=False):
    """One thing that a repaired snapshot lacks.

    Attributes:
        path: where; long paths are cut at the beginning.
        code: `content-lost` (a file is shorter now), `size-corrected`, `directory-lost` (it is empty now) or
            `entry-lost` (it is left out).
        detail: in words.
    """

    path: bytes
    code: str
    detail: str


class TreeRepair:
    """Repairs trees, each once however many snapshots share it.

    Args:
        writer: takes new trees; None to find out only.
    """

    def __init__(self, reader: Reader, writer: PackWriter | None, cancel: CancelToken) -> None:
        self.reader = reader
        self.cancel = cancel
        # What became of each tree: its successor, and how many changes there are in and below it.
        self.done: dict[bytes, tuple[BlobId, int]] = {}
        self._writer = writer
        version = reader.repository.config.version
        self._compression = Compression.AUTO if version >= 2 else Compression.OFF

    def repair(self, root: bytes) -> tuple[BlobId | None, tuple[Change, ...], int]:
        """Repairs everything below a root.

        Returns:
            The new root (None if the root itself cannot be read), changes, and how many there are. Changes in trees
            that an earlier call has repaired are counted and not listed again.
        """
        return _Descent(self).run(root)

    def store(self, nodes: list[Node]) -> BlobId:
        """Encodes a tree and hands it to the writer."""
        plaintext = encode_nodes(nodes)
        tree_id = BlobId(sha256(plaintext).digest())
        if self._writer is not None and self._writer.claim(BlobType.TREE, tree_id):
            sealer = self.reader.repository.sealer()
            self._writer.add(BlobType.TREE, tree_id, *seal_blob(sealer, BlobType.TREE, plaintext, self._compression))
        return tree_id


class _Directory:
    """A directory on the way down.

    Attributes:
        node: its entry; None for the root.
        waiting: entries still to be looked at, in reverse.
        kept: what it will hold.
        path_length: how much of the path names it.
        changed: whether it differs from the original.
        before: how many changes there were when it was entered.
    """

    __slots__ = ("before", "changed", "kept", "node", "path_length", "tree_id", "waiting")

    def __init__(self, tree_id: bytes, node: Node | None, path_length: int, before: int) -> None:
        self.tree_id = tree_id
        self.node = node
        self.path_length = path_length
        self.before = before
        self.waiting: list[Node] = []
        self.kept: list[Node] = []
        self.changed = False


class _Descent:
    """One walk over one root. A stack and not a recursion: trees may be very deep."""

    def __init__(self, trees: TreeRepair) -> None:
        self._trees = trees
        self._reader = trees.reader
        self._path = bytearray()
        self._stack: list[_Directory] = []
        self._changes: list[Change] = []
        self._total = 0

    def run(self, root: bytes) -> tuple[BlobId | None, tuple[Change, ...], int]:
        known = self._trees.done.get(root)
        if known is not None:
            return known[0], (), known[1]
        if not self._enter(root, None):
            return None, tuple(self._changes), self._total
        result: BlobId | None = None
        while self._stack:
            directory = self._stack[-1]
            del self._path[directory.path_length :]
            if directory.waiting:
                node = directory.waiting.pop()
                self._path += b"/" + node.name
                self._look_at(directory, node)
            else:
                result = self._leave(directory)
        return result, tuple(self._changes), self._total

    def _note(self, directory: _Directory | None, code: str, detail: object) -> None:
        self._total += 1
        if directory is not None:
            directory.changed = True
        if len(self._changes) < CHANGES_LISTED:
            self._changes.append(Change(bytes(self._path[-_PATH_SHOWN:]) or b"/", code, str(detail)))

    # --- directories ----------------------------------------------------------------------------

    def _enter(self, tree_id: bytes, node: Node | None) -> bool:
        """Goes into a directory. Returns whether it can be read."""
        self._trees.cancel.raise_if_cancelled()
        directory = _Directory(tree_id, node, len(self._path), self._total)
        try:
            raw_nodes = decode_raw(self._reader.load_blob(BlobType.TREE, tree_id))
        except HoldfastError as error:
            if not is_about_object(error):
                raise
            self._note(self._stack[-1] if self._stack else None, "directory-lost", error)
            return False
        self._stack.append(directory)
        nodes: dict[bytes, Node] = {}
        for raw in raw_nodes:
            try:
                entry = from_raw(raw)
            except FormatError as error:
                self._note(directory, "entry-lost", error)
                continue
            if nodes.setdefault(entry.name, entry) is not entry:
                self._note(
                    directory, "entry-lost", Phrase("a second entry is named {name}", {"name": repr(entry.name)})
                )
        ordered = sorted(nodes)
        if ordered != list(nodes):
            self._note(directory, "order-corrected", "its entries were not in order")
        directory.waiting = [nodes[name] for name in reversed(ordered)]
        return True

    def _leave(self, directory: _Directory) -> BlobId:
        self._stack.pop()
        unchanged = BlobId(directory.tree_id)
        result = self._trees.store(directory.kept) if directory.changed else unchanged
        self._trees.done[directory.tree_id] = (result, self._total - directory.before)
        if self._stack and directory.node is not None:
            self._keep_directory(self._stack[-1], directory.node, result)
        return result

    def _keep_directory(self, parent: _Directory, node: Node, tree: BlobId) -> None:
        if tree != node.subtree:
            parent.changed = True
            node = replace(node, subtree=tree)
        parent.kept.append(node)

    # --- entries --------------------------------------------------------------------------------

    def _look_at(self, directory: _Directory, node: Node) -> None:
        if node.type is NodeType.FILE:
            directory.kept.append(self._look_at_file(directory, node))
        elif node.type is not NodeType.DIR:
            directory.kept.append(node)
        elif node.subtree is None:
            self._note(directory, "directory-lost", "it has no subtree")
            self._keep_directory(directory, node, self._trees.store([]))
        elif (known := self._trees.done.get(node.subtree)) is not None:
            self._total += known[1]
            self._keep_directory(directory, node, known[0])
        elif not self._enter(node.subtree, node):
            self._keep_directory(directory, node, self._trees.store([]))

    def _look_at_file(self, directory: _Directory, node: Node) -> Node:
        content: list[BlobId] = []
        size = 0
        for blob_id in node.content or ():
            place = self._reader.index.lookup(BlobType.DATA, blob_id)
            if place is not None:
                content.append(blob_id)
                size += place.plain_length
        lost = len(node.content or ()) - len(content)
        if lost:
            self._note(
                directory,
                "content-lost",
                Phrase(
                    "{lost} of its pieces are gone: {size} of {expected} bytes are left",
                    {"lost": lost, "size": size, "expected": node.size},
                ),
            )
        elif size != node.size:
            self._note(
                directory,
                "size-corrected",
                Phrase("it has {size} bytes and not {expected}", {"size": size, "expected": node.size}),
            )
        else:
            return node
        return replace(node, content=tuple(content), size=size)
