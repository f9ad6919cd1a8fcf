"""Everything that is wrong in a configuration, collected, each with its line and key."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import msgspec

from holdfast.config.positions import KeyPath
from holdfast.errors import ConfigInvalid, Phrase

_MANY = 12


class ConfigWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a configuration that works and should not stay as it is."""

    path: Path
    line: int
    key: str
    reason: Phrase

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.key}: {self.reason}"


class Places(Protocol):
    """Knows where a key was written."""

    @property
    def file(self) -> Path:
        """The file."""
        ...

    def locate(self, key: KeyPath) -> tuple[int, str]:
        """The line, or that of the nearest table around it, and the key as it was written."""
        ...


class Problems:
    """Takes errors and warnings; `reason` is an English literal with placeholders for `values`."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._errors: list[tuple[int, int, ConfigInvalid]] = []
        self._warnings: list[tuple[int, int, ConfigWarning]] = []

    def add(self, at: KeyPath, *, reason: str, **values: object) -> None:
        """Notes an error at a key."""
        line, key = self._places.locate(at)
        error = ConfigInvalid(path=str(self._places.file), line=line, key=key, reason=Phrase(reason, values))
        self._errors.append((line, len(self._errors), error))

    def warn(self, at: KeyPath, *, reason: str, **values: object) -> None:
        """Notes a warning at a key."""
        line, key = self._places.locate(at)
        warning = ConfigWarning(path=self._places.file, line=line, key=key, reason=Phrase(reason, values))
        self._warnings.append((line, len(self._warnings), warning))

    def warn_of(self, warning: ConfigWarning) -> None:
        """Notes a warning about another file."""
        self._warnings.append((0, len(self._warnings), warning))

    @property
    def count(self) -> int:
        """How many errors there are so far."""
        return len(self._errors)

    def errors(self) -> list[ConfigInvalid]:
        """All errors in the order of lines."""
        return [error for _line, _number, error in sorted(self._errors, key=lambda row: row[:2])]

    def warnings(self) -> tuple[ConfigWarning, ...]:
        """All warnings in the order of lines."""
        return tuple(warning for _line, _number, warning in sorted(self._warnings, key=lambda row: row[:2]))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like another; empty if none is."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def listed(known: Iterable[str]) -> str:
    """Known words for a sentence; a long list is cut."""
    words = sorted(known)
    return ", ".join(words[:_MANY]) + (", …" if len(words) > _MANY else "") if words else "none"
