"""Writing a tree as a tar stream, entry by entry."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from holdfast.archive import tar_header
from holdfast.archive.node_text import links_comment, root_comment
from holdfast.errors import Phrase
from holdfast.model.buffer import Buffer
from holdfast.model.component import Problem
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry

_SPOOL_BYTES = 4 * 1024 * 1024
_ZEROS = bytes(64 * 1024)
_RECORD_BYTES = 10_240


class TarWriter:
    """Takes entries in order; gives a PAX archive that GNU tar restores whole.

    The root directory is kept in a comment, because a member `./` would change the directory in which somebody unpacks.

    Args:
        write: takes the bytes.
        problem: hears what could not be kept.
    """

    def __init__(self, write: Callable[[Buffer], object], problem: Callable[[Problem], None]) -> None:
        self._out = write
        self._problem = problem
        self._position = 0
        self._links: dict[tuple[int, int], bytes] = {}
        self._entry: Entry | None = None
        self._size = 0
        self._taken = 0
        self._dropping = False
        self._spool: tempfile.SpooledTemporaryFile[bytes] | None = None

    def begin(self, entry: Entry) -> None:
        """The next entry."""
        node, path = entry.node, entry.path
        if not path:
            self._write(tar_header.global_comment(root_comment(node)))
        elif not tar_header.holds(node.type):
            self._note("not-archived", path, "a socket cannot be kept in a tar archive")
        elif node.type is not NodeType.FILE:
            self._write(tar_header.member(path, node))
        else:
            self._begin_file(entry)

    def write(self, block: Buffer) -> None:
        """More of the current file; what goes beyond the size that was announced is left out."""
        length = memoryview(block).nbytes
        if self._dropping:
            return
        if self._spool is not None:
            self._spool.write(block)
            return
        room = self._size - self._taken
        self._taken += length
        if room >= length:
            self._write(block)
        elif room > 0:
            self._write(memoryview(block)[:room])

    def end(self) -> None:
        """The current file is whole."""
        self._end_file(spoiled=False)

    def spoil(self) -> None:
        """The current file broke off: zeros take the place of what is missing."""
        self._end_file(spoiled=True)

    def finish(self) -> None:
        """The mark at the end, up to a whole record as tape drives have it."""
        self._write(tar_header.end())
        self._write(bytes(-self._position % _RECORD_BYTES))

    def _begin_file(self, entry: Entry) -> None:
        node = entry.node
        self._entry, self._size, self._taken = entry, node.size, 0
        identity = (node.device_id, node.inode)
        comment = links_comment(node) if node.links > 1 else b""
        first = self._links.get(identity) if comment else None
        self._dropping = first is not None
        if first is not None:
            self._write(tar_header.member(entry.path, node, link_to=first, comment=comment))
            return
        if comment:
            self._links[identity] = entry.path
        if entry.size_known:
            self._write(tar_header.member(entry.path, node, size_bytes=node.size, comment=comment))
        else:
            self._spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by `_unspool`

    def _end_file(self, *, spoiled: bool) -> None:
        entry, self._entry = self._entry, None
        if entry is None or self._dropping:
            return
        if self._spool is not None:
            self._unspool(entry)
            return
        if self._taken != self._size and not spoiled:
            detail = Phrase(
                "it was announced with {announced} bytes and had {taken}",
                {"announced": self._size, "taken": self._taken},
            )
            self._note("changed-while-read", entry.path, detail)
        missing = max(0, self._size - self._taken)
        while missing > 0:
            self._write(_ZEROS[:missing])
            missing -= min(missing, len(_ZEROS))
        self._write(tar_header.padding(self._size))

    def _unspool(self, entry: Entry) -> None:
        spool, self._spool = self._spool, None
        if spool is None:
            return
        with spool:
            size = spool.tell()
            spool.seek(0)
            self._write(tar_header.member(entry.path, entry.node, size_bytes=size))
            while block := spool.read(len(_ZEROS)):
                self._write(block)
        self._write(tar_header.padding(size))

    def _write(self, block: Buffer) -> None:
        self._position += memoryview(block).nbytes
        self._out(block)

    def _note(self, code: str, path: bytes, detail: str) -> None:
        self._problem(Problem(code=code, subject=path.decode("utf-8", "backslashreplace"), detail=detail))
