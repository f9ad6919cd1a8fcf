"""Trees without some of their entries: what stays keeps its bytes, so that what any writer put there survives.

Source: format sheet, section 22 (`rewrite`).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

import msgspec

from holdfast.errors import FormatError
from holdfast.format.node import RawNode, decode_name, encode_node, from_raw, known_type
from holdfast.format.tree import decode_raw, encode_tree
from holdfast.format.tree_slices import raw_nodes, with_subtree
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import NodeType
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.reader import Reader
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

PATH_BYTES_MAX = 1 << 16


class Chooses(Protocol):
    """Says which entries stay. `holdfast.policy.patterns.Excludes` and `Includes` do."""

    def select(self, path: bytes, is_dir: bool = False) -> bool:
        """Whether the entry stays."""
        ...

    def may_contain(self, path: bytes) -> bool:
        """Whether something below a directory may stay."""
        ...


class Filtered(msgspec.Struct, frozen=True, gc=False):
    """What became of a tree.

    Attributes:
        tree: its successor, which may be itself; None where nothing of it stays.
        files, size_bytes: how many files are in and below it, and their sizes.
        dropped: how many entries were left out, a directory with all that is in it counted as one.
    """

    tree: BlobId | None
    files: int = 0
    size_bytes: int = 0
    dropped: int = 0


class _Directory:
    """A directory on the way down: its entries, and what of them stays."""

    __slots__ = ("dropped", "files", "kept", "names", "next", "path_length", "raws", "size_bytes", "texts", "tree_id")

    def __init__(self, tree_id: bytes, plaintext: bytes, path_length: int) -> None:
        what = f"tree {tree_id.hex()[:12]}"
        self.tree_id = tree_id
        self.path_length = path_length
        self.raws: list[RawNode] = decode_raw(plaintext, what)
        self.names = [decode_name(raw.name, what) for raw in self.raws]
        self.texts = raw_nodes(plaintext)
        self.next = 0
        self.kept: list[bytes] = []
        self.files = self.size_bytes = self.dropped = 0


class TreeFilter:
    """Filters trees, each once for each path it lies at, however many snapshots share it.

    Args:
        choice: which entries stay.
        only_chosen: a directory stays only if it is chosen itself or something in it stays; otherwise (excluding) a
            directory that is not left out stays even if it is empty afterwards.
        writer: takes new trees; None to find out only.
    """

    def __init__(
        self, reader: Reader, choice: Chooses, *, only_chosen: bool, writer: PackWriter | None, cancel: CancelToken
    ) -> None:
        self._reader = reader
        self._choice = choice
        self._only_chosen = only_chosen
        self._writer = writer
        self._cancel = cancel
        self._done: dict[tuple[bytes, bytes], Filtered] = {}
        version = reader.repository.config.version
        self._compression = Compression.AUTO if version >= 2 else Compression.OFF

    def filter(self, root: bytes) -> Filtered:
        """Filters everything below a root; new trees are handed to the writer.

        Raises:
            DamageError: a tree cannot be read, contains itself, or lies deeper than any path reaches.
        """
        # A stack and not a recursion: trees may be very deep.
        path = bytearray()
        above: set[bytes] = set()
        stack = [self._enter(root, path, above)]
        while True:
            directory = stack[-1]
            del path[directory.path_length :]
            deeper = self._go_on(directory, path)
            if deeper is not None:
                stack.append(self._enter(deeper, path, above))
                continue
            result = self._leave(directory, bytes(path))
            stack.pop()
            above.discard(directory.tree_id)
            if not stack:
                return result
            self._take_up(stack[-1], result)

    def _enter(self, tree_id: bytes, path: bytearray, above: set[bytes]) -> _Directory:
        self._cancel.raise_if_cancelled()
        what = f"tree {tree_id.hex()[:12]}"
        if tree_id in above:
            raise FormatError(object=what, reason="it contains itself")
        if len(path) > PATH_BYTES_MAX:
            raise FormatError(object=what, reason="it lies deeper than any path reaches")
        above.add(tree_id)
        return _Directory(tree_id, bytes(self._reader.load_blob(BlobType.TREE, tree_id)), len(path))

    def _go_on(self, directory: _Directory, path: bytearray) -> bytes | None:
        """Decides about entries until one has to be gone into; returns its tree, and leaves its path in `path`."""
        while directory.next < len(directory.raws):
            position = directory.next
            raw = directory.raws[position]
            kind = known_type(raw.type)
            here = bytes(path) + b"/" + directory.names[position]
            if kind is NodeType.DIR:
                subtree = self._subtree_to_filter(directory, raw, here)
                if subtree is not None:
                    path += here[len(path) :]
                    return subtree
                continue
            directory.next += 1
            if not self._choice.select(here, False):
                directory.dropped += 1
                continue
            directory.kept.append(directory.texts[position])
            if kind is NodeType.FILE:
                directory.files += 1
                directory.size_bytes += raw.size
        return None

    def _subtree_to_filter(self, directory: _Directory, raw: RawNode, here: bytes) -> bytes | None:
        """The tree of a directory that has to be looked into; None if everything about it is known already."""
        chosen = self._choice.select(here, True)
        if not chosen and not (self._only_chosen and self._choice.may_contain(here)):
            directory.dropped += 1
            directory.next += 1
            return None
        subtree = from_raw(raw).subtree
        if subtree is None:
            raise FormatError(object=f"directory {here[-300:]!r}", reason="it has no subtree")
        known = self._done.get((subtree, here))
        if known is None:
            return subtree
        self._take_up(directory, known)
        return None

    def _take_up(self, directory: _Directory, below: Filtered) -> None:
        """Adds a directory that has been filtered to the one it lies in."""
        position = directory.next
        directory.next += 1
        if below.tree is None:
            directory.dropped += 1
            return
        directory.dropped += below.dropped
        raw, text = directory.raws[position], directory.texts[position]
        directory.files += below.files
        directory.size_bytes += below.size_bytes
        if raw.subtree is not None and raw.subtree != below.tree.hex():
            text = with_subtree(text, raw.subtree, below.tree) or encode_node(
                msgspec.structs.replace(from_raw(raw), subtree=below.tree)
            )
        directory.kept.append(text)

    def _leave(self, directory: _Directory, path: bytes) -> Filtered:
        """What a directory has become, now that all its entries are decided about."""
        if self._only_chosen and not directory.kept and not self._choice.select(path or b"/", True):
            result = Filtered(None, dropped=directory.dropped)
        else:
            tree = BlobId(directory.tree_id)
            if directory.kept != directory.texts:
                tree = self._store(encode_tree(directory.kept))
            result = Filtered(tree, directory.files, directory.size_bytes, directory.dropped)
        self._done[directory.tree_id, path] = result
        return result

    def _store(self, plaintext: bytes) -> BlobId:
        tree_id = BlobId(sha256(plaintext).digest())
        if self._writer is not None and self._writer.claim(BlobType.TREE, tree_id):
            sealer = self._reader.repository.sealer()
            self._writer.add(BlobType.TREE, tree_id, *seal_blob(sealer, BlobType.TREE, plaintext, self._compression))
        return tree_id
