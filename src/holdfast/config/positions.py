"""On which line of a TOML text each key is.

The text has been parsed by `tomllib` before, so it is known to be valid; this only walks over it.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Quotes that end a multi-line string may be preceded by up to two that belong to it.
_STRING = re.compile(r'"""(?:[^\\]|\\[\s\S])*?"{3,5}' + r"|'''[\s\S]*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
# Controls, changes of direction and lone surrogates: what a terminal or a reader could be misled by.
_UNSAFE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def positions(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every key and every item of a list."""
    walker = _Walker(text.replace("\r\n", "\n"))
    walker.document()
    return walker.lines


def dotted(path: KeyPath) -> str:
    """A key as a person would write it: `policies.nightly.targets[1]`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += ("." if shown else "") + (part if _PLAIN_KEY.match(part) else quoted(part))
    return shown


def quoted(text: str) -> str:
    """A text as TOML has it, in double quotes; safe on a terminal."""
    return f'"{_UNSAFE.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # A lone surrogate is a byte that is not text; TOML has no way to write it.
    return _ESCAPES.get(found[0]) or ("\\uFFFD" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04X}")


def _below(path: KeyPath, part: str | int) -> KeyPath:
    return (*path, part)


class _Walker:
    """A position in the text, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._last_index: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Walks over all statements."""
        base: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                base = self._header()
            else:
                self._pair(base)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"not valid TOML at offset {self.at}")
        self.at = found.end()
        return found[0]

    def _note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, bisect_left(self._ends, self.at) + 1)

    def _header(self) -> KeyPath:
        """`[a.b]`, or `[[a.b]]`, which begins another item of a list."""
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        names = self._key()
        path: KeyPath = ()
        for number, name in enumerate(names, 1):
            path = _below(path, name)
            self._note(path)
            if brackets == 2 and number == len(names):
                self._last_index[path] = self._last_index.get(path, -1) + 1
            if path in self._last_index:
                path = _below(path, self._last_index[path])
                self._note(path)
        self.at += brackets
        return path

    def _pair(self, base: KeyPath) -> None:
        path = base
        start = self.at
        names = self._key()
        end, self.at = self.at, start
        for name in names:
            path = (*path, name)
            self._note(path)
        self.at = end + 1  # the sign =
        self._value(path)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(_SPACE)
            if self.text[self.at] in "\"'":
                names.append(tomllib.loads(f"key = {self._skip(_STRING)}")["key"])
            else:
                names.append(self._skip(_BARE))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        first = self.text[self.at]
        if first in "\"'":
            self._skip(_STRING)
        elif first == "[":
            self._list(path)
        elif first == "{":
            self._table(path)
        else:
            self._skip(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == "]":
                break
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1

    def _table(self, path: KeyPath) -> None:
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == "}":
                break
            self._pair(path)
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
        self.at += 1
