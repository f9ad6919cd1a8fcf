"""One folder in the root of a snapshot, filled entry by entry."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.errors import FormatError
from holdfast.format.node import encode_node
from holdfast.model.buffer import Buffer
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.backup.report import Counts
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.backup.tree_builder import Directory, TreeBuilder
from holdfast.repository.ingest.files import FileSaver, SavedContent
from holdfast.repository.ingest.unchanged import NEW, Verdict

_PENDING_MAX = 256


class _Frame:
    """A directory that is open: `last` is the name of its newest entry."""

    __slots__ = ("directory", "last", "path")

    def __init__(self, directory: Directory, path: bytes) -> None:
        self.directory = directory
        self.path = path
        self.last = b""


class _Current(NamedTuple):
    """The file whose content is awaited."""

    path: bytes
    node: Node
    directory: Directory
    slot: int
    verdict: Verdict


class _Pending(NamedTuple):
    """A file whose content is in, and perhaps not stored yet."""

    file: _Current
    content: SavedContent


class TreeIngest:
    """Takes the entries of a tree: a directory before its entries, those in the byte order of their names, depth-first.

    Directories are left by giving an entry that is not below them. For one thread.

    Args:
        builder: stores trees as they become complete; used by nobody else.
        saver: stores content; used by nobody else.
        counts: shared by all trees of the snapshot.
        journal: notes what is stored, for the case that the run does not finish.
        name: of the folder in the snapshot's root.
    """

    def __init__(
        self, builder: TreeBuilder, saver: FileSaver, counts: Counts, journal: ResumeJournal, name: bytes
    ) -> None:
        self._builder = builder
        self._saver = saver
        self._counts = counts
        self._journal = journal
        self._prefix = name + b"/"
        self._stack = [_Frame(Directory(b"", None, 0, None, None), b"")]
        self._current: _Current | None = None
        self._pending: deque[_Pending] = deque()

    # --- entries --------------------------------------------------------------------------------

    def directory(self, path: bytes, node: Node) -> None:
        """Enters a directory. Raises `FormatError` if it is out of order."""
        frame, name = self._place(path)
        slot = frame.directory.reserve()
        clean = replace(node, name=name, content=None, subtree=None)
        self._stack.append(_Frame(Directory(path, frame.directory, slot, clean, None), path))

    def other(self, path: bytes, node: Node) -> None:
        """A link, a device or another thing without content."""
        frame, name = self._place(path)
        frame.directory.add(encode_node(replace(node, name=name, content=None, subtree=None)))

    def known(self, path: bytes, verdict: Verdict) -> None:
        """A file that is as the last snapshot has it."""
        frame, _ = self._place(path)
        if verdict.entry is not None:
            frame.directory.add(verdict.entry)
        self._counts.file(verdict.size_bytes, known=True, unmodified=True)

    def file(self, path: bytes, node: Node, verdict: Verdict = NEW) -> None:
        """Begins a file; `write` and then `end` or `spoil` follow. `node.size` may be 0 if nobody knows it."""
        frame, name = self._place(path)
        slot = frame.directory.reserve()
        self._current = _Current(path, replace(node, name=name), frame.directory, slot, verdict)
        self._saver.begin(b"/" + self._prefix + path, node.size)

    def write(self, block: Buffer) -> None:
        """More of the current file. Raises `TargetError`."""
        self._saver.write(block)

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """The current file is whole.

        Raises:
            FormatError: it has not this many bytes.
            TargetError: something could not be stored.
        """
        current = self._take_current()
        self._pending.append(_Pending(current, self._saver.end(sha256, size_bytes)))
        self._collect(_PENDING_MAX)

    def spoil(self) -> None:
        """The current file could not be read to its end: it is left out, for half a file must not look whole."""
        current = self._take_current()
        self._saver.drop()
        self._builder.fill(current.directory, current.slot, None)

    def finish(self) -> BlobId:
        """All entries were given. Returns the id of the tree, which is stored when the writer is flushed."""
        self._refuse_unfinished()
        self._collect(0)
        while self._stack:
            self._builder.listing_done(self._stack.pop().directory)
        root = self._builder.root_id
        if root is None:
            raise FormatError(object=f"folder {self._prefix!r}", reason="some of its entries were never completed")
        return root

    def close(self) -> None:
        """Drops what is not complete and ends the threads."""
        self._saver.close()

    # --- order ----------------------------------------------------------------------------------

    def _place(self, path: bytes) -> tuple[_Frame, bytes]:
        """The directory an entry lies in, and its name; leaves the directories it does not lie in."""
        self._refuse_unfinished()
        above, _, name = path.rpartition(b"/")
        while self._stack[-1].path != above:
            if len(self._stack) == 1:
                raise FormatError(object=f"entry {path[:300]!r}", reason="it was given before the directory it lies in")
            self._builder.listing_done(self._stack.pop().directory)
        frame = self._stack[-1]
        if name <= frame.last:
            raise FormatError(object=f"entry {path[:300]!r}", reason="it is not in the order of names")
        frame.last = name
        return frame, name

    def _refuse_unfinished(self) -> None:
        if self._current is not None:
            raise FormatError(object=f"file {self._current.path[:300]!r}", reason="its content was not given")

    def _take_current(self) -> _Current:
        current, self._current = self._current, None
        if current is None:
            raise FormatError(object=f"folder {self._prefix!r}", reason="content was given that belongs to no file")
        return current

    # --- content --------------------------------------------------------------------------------

    def _collect(self, most: int) -> None:
        """Completes files whose content is stored; waits for some of those that are not if there are too many."""
        while self._pending and (len(self._pending) > most or self._pending[0].content.ready()):
            file, content = self._pending.popleft()
            node = replace(file.node, size=content.size_bytes, content=tuple(content.result()), subtree=None)
            entry = encode_node(node)
            self._builder.fill(file.directory, file.slot, entry)
            self._counts.file(content.size_bytes, known=file.verdict.known)
            if node.inode and node.ctime_ns and node.type is NodeType.FILE:
                self._journal.note(self._prefix + file.path, entry)
