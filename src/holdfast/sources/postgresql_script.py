r"""Splits a plain PostgreSQL dump into statements and COPY data, as `psql` would, but obeys no command of `psql`.

A plain dump is a script, and whoever could write into the dumped database may have tried to put commands for `psql`
into it (CVE-2025-8714). Nothing here runs anything: a backslash outside of quotes is reported, never followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from holdfast.sources.line_ends import count_line_ends

MAX_STATEMENT_BYTES = 256 << 20

_TOKEN = re.compile(
    rb"""
    (?P<space>[ \t\r\n\f\v]++)
  | (?P<line>--[^\n]*+\n?)
  | (?P<block>/\*)
  | (?P<string>[eE]'(?:[^'\\]++|\\.|'')*+' | '(?:[^']++|'')*+' | "(?:[^"]++|"")*+")
  | (?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\$)
  | (?P<word>(?![eE]')[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+)
  | (?P<end>;)
  | (?P<bracket>[()])
  | (?P<meta>\\[^\n]*+\n?)
  | (?P<other>[^'"\\$;()\-/A-Za-z_\x80-\xff \t\r\n\f\v]++ | [\-/]
      | \$(?!(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\Z))
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_COPY = re.compile(rb"COPY\s.*\sFROM\s+stdin\b[^;]*;\Z", re.IGNORECASE | re.DOTALL)
_RESTRICT = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\s*\Z")
_COPY_END = b"\n\\.\n"


class Statement(NamedTuple):
    """A statement with its semicolon, and its first word in capitals. `copies`: COPY data follow."""

    text: bytes
    copies: bool
    word: bytes = b""


class Comment(NamedTuple):
    """A `--` comment between statements."""

    text: bytes


class CopyData(NamedTuple):
    """Whole or partial lines of COPY data, and how many lines ended in them."""

    block: bytes
    rows: int


class CopyEnd(NamedTuple):
    r"""The line `\\.`."""

    text: bytes = b"\\.\n"


class Meta(NamedTuple):
    """A command for `psql` other than the `\\restrict` and `\\unrestrict` that pg_dump writes."""

    text: bytes


Piece = Statement | Comment | CopyData | CopyEnd | Meta


class Script:
    """Takes the bytes of a script in any pieces and gives what they are.

    Memory: one statement, which may have `MAX_STATEMENT_BYTES`, or one block of COPY data.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._copying = False
        self._virtual = False
        self._at = 0
        self._brackets = 0
        self._begins = 0
        self._words: list[bytes] = []

    def feed(self, block: bytes) -> Iterator[Piece]:
        """More of the script. Raises `ValueError` for a statement that is too long."""
        self._buffer += block
        yield from self._pieces(last=False)

    def finish(self) -> Iterator[Piece]:
        """The end of the script. Raises `ValueError` if it is in the middle of something."""
        yield from self._pieces(last=True)
        if self._copying:
            raise ValueError("it ends within the rows of a table")
        if self._words or bytes(self._buffer).strip():
            raise ValueError("it ends in the middle of a statement")

    def _pieces(self, *, last: bool) -> Iterator[Piece]:
        while True:
            piece = self._copied() if self._copying else self._token(last=last)
            if piece is None:
                break
            if piece:
                yield piece
        if not self._copying and len(self._buffer) > MAX_STATEMENT_BYTES:
            raise ValueError("it holds a statement of more than 256 MiB")

    def _copied(self) -> Piece | tuple[()] | None:
        data = self._buffer
        if not data:
            return None
        # INVARIANT: as long as `_virtual`, the first byte ends the line before the data and is no part of them.
        if self._virtual and data[0] != _COPY_END[0]:
            raise ValueError("rows of a table do not begin on a line of their own")
        end = data.find(_COPY_END)
        if end == 0 and self._virtual:
            del data[: len(_COPY_END)]
            self._copying = self._virtual = False
            return CopyEnd()
        kept = 0 if end >= 0 else next(n for n in (3, 2, 1, 0) if data.endswith(_COPY_END[:n]))
        cut = end + 1 if end >= 0 else len(data) - kept
        block = bytes(data[1 if self._virtual else 0 : cut])
        del data[:cut]
        if end >= 0:
            # What is left begins with the line of the end mark, as if a line before it had just ended.
            data[:0] = b"\n"
        self._virtual = end >= 0 or (self._virtual and cut == 0)
        return CopyData(block, count_line_ends(block, 0, len(block))) if block else None

    def _token(self, *, last: bool) -> Piece | tuple[()] | None:
        if self._at >= len(self._buffer):
            return None
        match = _TOKEN.match(self._buffer, self._at)
        if match is None:
            return None
        if match.end() == len(self._buffer) and not last:
            return None
        kind = match.lastgroup
        if kind == "block":
            return self._comment_block(match.end())
        if kind == "dollar":
            return self._dollar(match.group(), match.end())
        if kind in ("line", "space", "meta") and not self._words:
            return self._between(kind, match)
        if kind == "meta":
            self._at = match.end()
            return Meta(match.group())
        return self._within(kind, match)

    def _between(self, kind: str, match: re.Match[bytes]) -> Piece | tuple[()]:
        text = match.group()
        self._drop(match.end())
        if kind == "space" or _RESTRICT.match(text):
            return ()
        return Comment(text.rstrip(b"\r\n")) if kind == "line" else Meta(text)

    def _within(self, kind: str | None, match: re.Match[bytes]) -> Piece | tuple[()]:
        self._at = match.end()
        if kind == "bracket":
            self._brackets += 1 if match.group() == b"(" else -1
        elif kind == "word":
            self._nest(match.group().upper())
        elif kind == "end" and self._brackets <= 0 and self._begins <= 0:
            return self._statement()
        if kind not in ("space", "line") and len(self._words) < 4:
            self._words.append(match.group().upper())
        return ()

    def _nest(self, word: bytes) -> None:
        """Follows BEGIN ATOMIC … END in functions, where semicolons end nothing; as psql does."""
        if self._words[:1] == [b"CREATE"] and {b"FUNCTION", b"PROCEDURE"} & set(self._words[1:4]):
            if word == b"BEGIN" or (word == b"CASE" and self._begins):
                self._begins += 1
            elif word == b"END" and self._begins:
                self._begins -= 1

    def _statement(self) -> Statement:
        text = bytes(self._buffer[: self._at])
        word = self._words[0] if self._words else b""
        copies = word == b"COPY" and _COPY.match(text) is not None
        self._drop(self._at)
        self._brackets = self._begins = 0
        self._words = []
        if copies:
            # The data begin on the next line; that line's end is in the buffer or will be its first byte.
            self._copying = self._virtual = True
        return Statement(text, copies, word)

    def _dollar(self, tag: bytes, after: int) -> tuple[()] | None:
        end = self._buffer.find(tag, after)
        if end < 0:
            return None
        self._at = end + len(tag)
        self._words = self._words or [tag]
        return ()

    def _comment_block(self, after: int) -> tuple[()] | None:
        depth = 1
        while depth:
            edge = _COMMENT_EDGE.search(self._buffer, after)
            if edge is None:
                return None
            depth += 1 if edge.group() == b"/*" else -1
            after = edge.end()
        self._at = after
        if not self._words:
            self._drop(after)
        return ()

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at = 0
