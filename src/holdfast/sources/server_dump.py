"""What a dump program prints, judged on its way: nothing ends well that is not whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from holdfast.errors import DumpFailed, DumpIncomplete
from holdfast.model.node import Node, NodeType
from holdfast.protocols import Entry
from holdfast.runtime.program_ending import Ending
from holdfast.runtime.programs import Program


class Judge(Protocol):
    """Looks at a dump while it passes by. Both methods raise `ValueError` with the reason if it is not whole."""

    def feed(self, block: bytes) -> None:
        """More of it."""
        ...

    def finish(self) -> None:
        """Its end."""
        ...


class JudgedOutput:
    """Reads a dump program to its end: a `ContentReader` whose end is an error unless everything agrees.

    Args:
        start: starts the program.
        agrees: compares what the judge found with what the server holds; called at the end of a dump that looks
            whole. Raises `SourceError`.
        explain: what a failed program means; raises a better error, or returns for the general one.
    """

    def __init__(
        self,
        source: str,
        start: Callable[[], Program],
        judge: Judge,
        agrees: Callable[[], None],
        explain: Callable[[Ending], None] | None = None,
    ) -> None:
        self._source = source
        self._judge = judge
        self._agrees = agrees
        self._explain = explain
        self._program = start()
        self._done = False
        self.size_bytes = 0

    @property
    def whole(self) -> bool:
        """Whether everything was read and agreed."""
        return self._done

    def read(self, size: int = -1, /) -> bytes:
        """More of the dump; at the end, the verdict. Raises `SourceError`."""
        if self._done:
            return b""
        block = self._program.read(size)
        try:
            if block:
                self.size_bytes += len(block)
                self._judge.feed(block)
                return block
            self._ended(self._program.finish())
            self._judge.finish()
        except ValueError as error:
            self._refuse(str(error))
        self._agrees()
        self._done = True
        return b""

    def _ended(self, ending: Ending) -> None:
        if ending.succeeded:
            return
        if self._explain is not None:
            self._explain(ending)
        raise DumpFailed(source=self._source, reason=ending.words)

    def _refuse(self, reason: str) -> None:
        # A program that fails may print anything first. How it ends says more than what is wrong with that.
        while self._program.read():
            pass
        ending = self._program.finish()
        self._ended(ending)
        raise DumpIncomplete(source=self._source, reason=f"{reason} ({ending.shown})" if ending.shown else reason)

    def close(self) -> None:
        """Ends the program if it still runs."""
        self._program.close()


def file_entry(name: str, opened: Callable[[], JudgedOutput]) -> Entry:
    """The entry of a dump, whose size nobody knows before its end."""
    raw = name.encode("utf-8", "surrogateescape")
    return Entry(path=raw, node=Node(name=raw, type=NodeType.FILE, mode=0o600), size_known=False, open=opened)


def plain_file_name(database: str, suffix: str) -> str:
    """A name for a file from the name of a database, which may hold anything."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in database).lstrip("-.")
    return (kept[:100] or "database") + suffix
