r"""Splits a MySQL or MariaDB dump into statements, as their client would, but obeys no command of the client.

A dump is a script, and whoever could write into the dumped database may have tried to put commands for the client into
it (`\!` runs programs). Nothing here runs anything: a backslash outside of quotes is reported, never followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from holdfast.sources.mysql_dialect import Dialect

MAX_STATEMENT_BYTES = 1 << 30

_TOKEN = re.compile(
    rb"""
    (?P<space>[ \t\r\n\f\v]++)
  | (?P<line>(?:--(?=[\x00-\x20])|\#)[^\n]*+\n?)
  | (?P<open>/\*M?!(?:[0-9]{5,6})?)
  | (?P<block>/\*)
  | (?P<string>'(?:[^'\\]++|\\.|'')*+' | "(?:[^"\\]++|\\.|"")*+")
  | (?P<name>`(?:[^`]++|``)*+`)
  | (?P<meta>\\[^\n]?)
  | (?P<other>[^'"`\\;/\-\#\s$]++ | [^'"`\\])
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_STRING = re.compile(rb"""'(?:[^']++|'')*+'|"(?:[^"]++|"")*+\"""", re.DOTALL)
_WORD = b"DELIMITER"
_AHEAD_BYTES = 8
_DELIMITER = re.compile(rb"DELIMITER[ \t]+(\S+)[ \t]*\r?\n", re.IGNORECASE)
_MODE = re.compile(rb"\bsql_mode\s*=\s*(?:'([^']*)'|@)", re.IGNORECASE)
# What an INSERT of a dump is made of. Line ends within its strings are escaped by every dump program, so each one that
# is there stands before a row.
_INSERT = re.compile(
    rb"INSERT\s+(?:IGNORE\s+)?INTO\s+(`(?:[^`]++|``)*+`)\s*(?:\([^()]*+\)\s*+)?VALUES\s*+"
    rb"(?:[^'\"`;\\]++|'(?:[^'\\\n]++|\\.|'')*+')*+;\Z",
    re.DOTALL,
)
_STRING = re.compile(rb"'(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_VALUES = re.compile(rb"VALUES\s*\(")


class Statement(NamedTuple):
    """A statement without its delimiter and without comments around it.

    Attributes:
        table: for an INSERT, the table.
        rows: for an INSERT, how many rows it holds.
    """

    text: bytes
    table: str = ""
    rows: int = 0


class Comment(NamedTuple):
    """A `--` comment between statements."""

    text: bytes


class Meta(NamedTuple):
    """A command for the client, which no dump program writes."""

    text: bytes


Piece = Statement | Comment | Meta


class Script:
    """Takes the bytes of a script in any pieces and gives what they are. Memory: one statement.

    Args:
        dialect: of the server that wrote or takes the dump: what a comment hides from it, is hidden from us.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._buffer = bytearray()
        self._at = 0
        self._searched = 0
        self._delimiter = b";"
        self._begun = False
        self._plain_backslash = False

    def feed(self, block: bytes) -> Iterator[Piece]:
        """More of the script. Raises `ValueError` for a statement that is too long."""
        self._buffer += block
        yield from self._pieces(last=False)

    def finish(self) -> Iterator[Piece]:
        """The end of the script. Raises `ValueError` if it is in the middle of something."""
        yield from self._pieces(last=True)
        if self._begun or bytes(self._buffer).strip():
            raise ValueError("it ends in the middle of a statement")

    def _pieces(self, *, last: bool) -> Iterator[Piece]:
        while (piece := self._next(last=last)) is not None:
            if piece:
                yield piece
        if len(self._buffer) > MAX_STATEMENT_BYTES:
            raise ValueError("it holds a statement of more than 1 GiB")

    def _next(self, *, last: bool) -> Piece | tuple[()] | None:
        """The next piece; nothing where something was taken that is none; None if more is needed."""
        if not self._begun and self._delimiter == b";" and self._buffer.startswith(b"INSERT"):
            end = self._buffer.find(b";\n", self._searched)
            if end < 0 and not last:
                self._searched = max(0, len(self._buffer) - 1)
                return None
            piece = self._insert(end) if end >= 0 else None
            if piece is not None:
                return piece
        return self._token(last=last)

    def _insert(self, end: int) -> Statement | None:
        """A whole INSERT at once, which is what a dump consists of; None if it is written in an unusual way."""
        match = _INSERT.match(self._buffer, 0, end + 1)
        if match is None:
            return None
        text, table = match.group(), _unquoted(match[1])
        self._drop(end + 2)
        return Statement(text[:-1], table, _rows(text))

    def _token(self, *, last: bool) -> Piece | tuple[()] | None:
        if self._at >= len(self._buffer):
            return None
        if not self._begun and _WORD.startswith(bytes(self._buffer[self._at : self._at + 9]).upper()):
            taken = self._take_delimiter(last=last)
            if taken is not False:
                return taken
        if self._buffer.startswith(self._delimiter, self._at):
            return self._statement()
        pattern = _PLAIN_STRING if self._plain_backslash and self._buffer[self._at] in b"'\"" else _TOKEN
        match = pattern.match(self._buffer, self._at)
        if match is None or (not last and len(self._buffer) - match.end() < max(_AHEAD_BYTES, len(self._delimiter))):
            return None
        kind, text, end = match.lastgroup, match.group(), match.end()
        if kind == "block" or (kind == "open" and not self._dialect.executes(text)):
            return self._comment_block(end)
        if kind in ("line", "space") and not self._begun:
            self._drop(end)
            return Comment(text.rstrip(b"\r\n")) if kind == "line" else ()
        if kind == "meta":
            self._at = end
            return Meta(text)
        return self._within(kind, text, end)

    def _within(self, kind: str | None, text: bytes, end: int) -> tuple[()]:
        cut = text.find(self._delimiter) if kind == "other" else -1
        self._at = end if cut <= 0 else end - len(text) + cut
        self._begun = True
        return ()

    def _take_delimiter(self, *, last: bool) -> tuple[()] | Literal[False] | None:
        """Takes DELIMITER, the one command of the client that dumps need; False if it is none, None if it is cut."""
        match = _DELIMITER.match(self._buffer, self._at)
        if match is None:
            return False if last or b"\n" in self._buffer[self._at :] else None
        self._delimiter = match[1]
        self._drop(match.end())
        return ()

    def _statement(self) -> Statement | tuple[()]:
        text = bytes(self._buffer[: self._at]).strip()
        self._drop(self._at + len(self._delimiter))
        for mode in _MODE.finditer(text[:2000]) if b"sql_mode" in text[:2000].lower() else ():
            self._plain_backslash = b"NO_BACKSLASH_ESCAPES" in (mode[1] or b"").upper()
        begun, self._begun = self._begun, False
        return Statement(text) if begun else ()

    def _comment_block(self, after: int) -> tuple[()] | None:
        end = self._buffer.find(b"*/", after)
        if end < 0:
            return None
        self._at = end + 2
        if not self._begun:
            self._drop(self._at)
        return ()

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at = self._searched = 0


def _rows(insert: bytes) -> int:
    lines = insert.count(b"\n")
    if lines and lines == insert.count(b"\n("):
        return lines
    bare = _STRING.sub(b"", insert)
    begin = _VALUES.search(bare)
    return bare.count(b"(", begin.start()) if begin is not None else 0


def _unquoted(name: bytes) -> str:
    return name[1:-1].replace(b"``", b"`").decode("utf-8", "surrogateescape")
