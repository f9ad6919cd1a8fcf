"""Judges a plain dump of PostgreSQL while it passes by."""

from __future__ import annotations

import re

from holdfast.sources.postgresql_names import TableName, Thing, copied_table
from holdfast.sources.postgresql_script import Comment, CopyData, CopyEnd, Meta, Piece, Script, Statement

END_MARK = b"-- PostgreSQL database dump complete"
_NAMED = re.compile(rb"-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*); Owner: ")
_RESTRICTED = re.compile(rb"^\\restrict ([A-Za-z0-9]+)$", re.MULTILINE)
_TAIL = re.compile(END_MARK + rb"\n--\n\n(?:\\unrestrict ([A-Za-z0-9]+)\n\n)?\Z")
_EDGE_BYTES = 400
_OPENS_LARGE_OBJECT = re.compile(rb"SELECT pg_catalog\.lo_open\('[0-9]+', 131072\);\Z")


class TextJudge:
    """Finds what is in a plain dump: rows by table, named objects, large objects, and whether it has its end.

    Attributes:
        rows: lines of COPY data by table.
        things: objects whose definition the dump announces.
        large_objects: contents of large objects.
    """

    def __init__(self) -> None:
        self.rows: dict[TableName, int] = {}
        self.things: set[Thing] = set()
        self.large_objects = 0
        self._script = Script()
        self._table = TableName("", "")
        self._ended = False
        self._head = b""
        self._tail = b""

    def feed(self, block: bytes) -> None:
        """More of the dump. Raises `ValueError` with the reason if it cannot be a whole dump."""
        if len(self._head) < _EDGE_BYTES:
            self._head += block[: _EDGE_BYTES - len(self._head)]
        self._tail = (self._tail + block[-_EDGE_BYTES:])[-_EDGE_BYTES:]
        for piece in self._script.feed(block):
            self._take(piece)

    def finish(self) -> None:
        """The end of the dump. Raises `ValueError` with the reason if it is not whole."""
        for piece in self._script.finish():
            self._take(piece)
        tail, restricted = _TAIL.search(self._tail), _RESTRICTED.search(self._head)
        if not self._ended or tail is None or tail[1] != (restricted[1] if restricted else None):
            raise ValueError("it has no end mark")

    def _take(self, piece: Piece) -> None:
        if isinstance(piece, CopyData):
            self.rows[self._table] += piece.rows
        elif isinstance(piece, Comment):
            self._comment(piece.text)
        elif isinstance(piece, Statement):
            self._statement(piece)
        elif isinstance(piece, Meta):
            raise ValueError("it holds a command for psql, which pg_dump does not write")
        else:
            assert isinstance(piece, CopyEnd)

    def _comment(self, text: bytes) -> None:
        self._ended = self._ended or text == END_MARK
        match = _NAMED.match(text)
        if match is not None:
            name, kind, schema = (part.decode("utf-8", "surrogateescape") for part in match.groups())
            self.things.add(Thing(kind, "" if schema == "-" else schema, name))

    def _statement(self, piece: Statement) -> None:
        if self._ended:
            raise ValueError("it goes on after its end mark")
        if _OPENS_LARGE_OBJECT.match(piece.text):
            self.large_objects += 1
        if not piece.copies:
            return
        table = copied_table(piece.text)
        if table is None:
            raise ValueError("it copies rows in a way that pg_dump does not write")
        if table in self.rows:
            raise ValueError(f"it holds the rows of table {table.shown} twice")
        self._table = table
        self.rows[table] = 0
