"""Judges a dump of MySQL or MariaDB while it passes by."""

from __future__ import annotations

import re
from collections.abc import Callable

from holdfast.sources.mysql_dialect import Dialect
from holdfast.sources.mysql_script import Comment, Meta, Piece, Script, Statement
from holdfast.sources.mysql_statements import Kind, Thing, kind_of

END_MARK = b"-- Dump completed"
_TAIL = re.compile(rb"^-- Dump completed(?: on [0-9: -]+)?\n\Z", re.MULTILINE)
_BEGUN = re.compile(
    rb"^-- (?:(?:Sequence|Table|Temporary table|Temporary view) structure for |Dumping (?:data|events|routines) for |"
    rb"Dump completed)",
    re.MULTILINE,
)
_HEAD = re.compile(rb"^-- (?:MariaDB|MySQL) dump [0-9]", re.MULTILINE)
_EDGE_BYTES = 2000


class TextJudge:
    """Finds what is in a dump: rows by table, objects, and whether it has its end.

    Attributes:
        rows: by table; a table that is defined and has none is 0.
        things: objects that the dump creates. Views count with their final definition.
        triggers: how many it creates.

    Args:
        dialect: of the server that is dumped.
        began: called once, when the first thing of the database itself comes: the dump program has its snapshot then.
    """

    def __init__(self, dialect: Dialect, began: Callable[[], None]) -> None:
        self.rows: dict[str, int] = {}
        self.things: set[Thing] = set()
        self.triggers = 0
        self._dialect = dialect
        self._script = Script(dialect)
        self._began: Callable[[], None] | None = began
        self._head = b""
        self._tail = b""
        self._marked = False

    def feed(self, block: bytes) -> None:
        """More of the dump. Raises `ValueError` with the reason if it cannot be a whole dump."""
        self._tail = (self._tail + block[-_EDGE_BYTES:])[-_EDGE_BYTES:]
        if self._began is not None:
            self._head += block[:_EDGE_BYTES]
            if _BEGUN.search(self._head) or len(self._head) > 8 * _EDGE_BYTES:
                self._began()
                self._began = None
        for piece in self._script.feed(block):
            self._take(piece)

    def finish(self) -> None:
        """The end of the dump. Raises `ValueError` with the reason if it is not whole."""
        for piece in self._script.finish():
            self._take(piece)
        if not self._marked or not _TAIL.search(self._tail):
            raise ValueError("it has no end mark")
        if not _HEAD.search(self._head):
            raise ValueError("it does not begin like a dump")

    def _take(self, piece: Piece) -> None:
        if isinstance(piece, Meta):
            raise ValueError("it holds a command for the client, which dump programs do not write")
        if isinstance(piece, Comment):
            self._marked = self._marked or piece.text.startswith(END_MARK)
            return
        if self._marked:
            raise ValueError("it goes on after its end mark")
        self._statement(piece)

    def _statement(self, piece: Statement) -> None:
        if piece.table:
            if piece.table not in self.rows:
                raise ValueError(f"it holds rows of table {piece.table} before its definition")
            self.rows[piece.table] += piece.rows
            return
        thing = kind_of(piece.text, self._dialect)
        if thing.kind is Kind.STRANGE:
            shown = piece.text[:40].decode("utf-8", "replace")
            raise ValueError(f"it holds a statement that dump programs do not write: {shown!r}")
        if thing.kind is Kind.TRIGGER:
            self.triggers += 1
        elif thing.kind not in (Kind.SESSION, Kind.SKIPPED):
            if thing in self.things:
                raise ValueError(f"it holds {thing.shown} twice")
            self.things.add(thing)
            if thing.kind is Kind.TABLE:
                self.rows[thing.name] = 0
