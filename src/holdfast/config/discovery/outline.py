"""Reads the plain part of YAML that compose files are written in: block maps, block lists, one-line values.

Anything more (anchors, tabs, flow maps, several documents) is refused rather than guessed at.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from holdfast.config.shapes import table

Outline = dict[str, object]

MAX_LINES = 5000
MAX_DEPTH = 20

_KEY = re.compile(
    r"""(?:"(?P<double>[^"\\]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s#'"&*!|>\[\]{}%@`-][^#:]*?|-[^\s:#]+))\s*:(?:\s+|\Z)"""
)
_BLOCK_TEXT = re.compile(r"[|>][+-]?[0-9]?\Z")
_ITEM = re.compile(r"-(?:\s+|\Z)")
_COMMENT = re.compile(r"\s+#.*\Z")


class NotUnderstood(Exception):
    """The text is not that simple. `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def read_outline(text: str) -> Outline:
    """The text as maps, lists and texts; empty values are empty texts.

    Raises:
        NotUnderstood: it is not that simple.
    """
    rows = text.lstrip("\ufeff").splitlines()
    if len(rows) > MAX_LINES:
        raise NotUnderstood(MAX_LINES + 1)
    lines = _Lines(rows)
    found = table(lines.block(0, 0))
    if lines.peek() is not None or found is None:
        raise NotUnderstood(lines.number)
    return found


class _Lines:
    """The lines that say something, and how far they were read."""

    def __init__(self, rows: list[str]) -> None:
        self._rows = rows
        self._at = 0

    @property
    def number(self) -> int:
        return self._at + 1

    def peek(self) -> _Line | None:
        """The next line that is neither blank nor a comment."""
        while self._at < len(self._rows):
            row = self._rows[self._at]
            text = row.strip()
            if text and not text.startswith("#") and not (text == "---" and self._at == 0):
                indent = len(row) - len(row.lstrip(" "))
                if row[indent] == "\t":
                    raise NotUnderstood(self.number)
                return _Line(self.number, indent, text)
            self._at += 1
        return None

    def block(self, indent: int, depth: int) -> object:
        """The map or list whose lines begin at an indent of at least `indent`."""
        line = self.peek()
        if line is None or line.indent < indent:
            return ""
        if depth > MAX_DEPTH:
            raise NotUnderstood(line.number)
        return self._list(line.indent, depth) if _ITEM.match(line.text) else self._map(line.indent, depth)

    def _map(self, indent: int, depth: int) -> Outline:
        found: Outline = {}
        while (line := self.peek()) is not None and line.indent == indent and not _ITEM.match(line.text):
            key = _KEY.match(line.text)
            if key is None or key["bare"] == "<<":
                raise NotUnderstood(line.number)
            name = next(part for part in (key["double"], key["single"], key["bare"]) if part is not None)
            rest = line.text[key.end() :]
            self._at += 1
            found[name] = self._value(rest, line, depth)
        if line is not None and line.indent > indent:
            raise NotUnderstood(line.number)
        return found

    def _value(self, rest: str, line: _Line, depth: int) -> object:
        value = _COMMENT.sub("", rest).strip() if not rest.startswith("#") else ""
        if _BLOCK_TEXT.match(value):
            self._skip_text(line.indent)
            return ""
        if value:
            return _scalar(value, line.number)
        following = self.peek()
        # A list may stand under its key without being indented.
        same = following is not None and following.indent == line.indent and _ITEM.match(following.text)
        return self.block(line.indent if same else line.indent + 1, depth + 1)

    def _list(self, indent: int, depth: int) -> list[object]:
        found: list[object] = []
        while (line := self.peek()) is not None and line.indent == indent and (item := _ITEM.match(line.text)):
            rest = line.text[item.end() :]
            if _KEY.match(rest):
                # The rest of the line is the first key of a map that goes on below it.
                self._rows[self._at] = " " * (indent + item.end()) + rest
                found.append(self._map(indent + item.end(), depth + 1))
            else:
                self._at += 1
                found.append(self._value(rest, line, depth))
        return found

    def _skip_text(self, indent: int) -> None:
        while self._at < len(self._rows):
            row = self._rows[self._at]
            if row.strip() and len(row) - len(row.lstrip(" ")) <= indent:
                return
            self._at += 1


def _scalar(value: str, number: int) -> object:
    if value[0] in "\"'":
        if len(value) < 2 or value[-1] != value[0] or value[0] in value[1:-1] or "\\" in value:
            raise NotUnderstood(number)
        return value[1:-1]
    if (
        value[0] == "["
        and value[-1] == "]"
        and not set("[]{}\"'&*") & set(value[1:-1].replace('"', "").replace("'", ""))
    ):
        return [part.strip().strip("\"'") for part in value[1:-1].split(",") if part.strip()]
    if value == "{}":
        return {}
    if value[0] in "&*!{[|>%@`":
        raise NotUnderstood(number)
    return value
