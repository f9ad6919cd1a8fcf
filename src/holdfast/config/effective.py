"""The configuration that counts: one environment laid over the file, and all variables filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.config.document import Document
from holdfast.config.overlay import overlaid
from holdfast.config.positions import KeyPath, dotted
from holdfast.config.problems import Problems
from holdfast.config.shapes import table
from holdfast.config.variables import Filled, fill
from holdfast.errors import UnknownName


class Effective:
    """Values by key, and where each was written.

    Attributes:
        data: what counts; variables are filled in by `fill`.
        environment: the environment that was chosen; empty for none.
        filled: texts that had variables in them.
    """

    def __init__(self, document: Document, environment: str) -> None:
        known = environments(document)
        if environment and environment not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise UnknownName(what="environment", name=environment, known=listed)
        self.environment = environment
        self.filled: dict[KeyPath, Filled] = {}
        self._document = document
        self.data, self._origins = overlaid(document.data, environment)

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self._document.path

    def fill(self, variables: Mapping[str, str], problems: Problems) -> None:
        """Puts in the values of variables."""
        self.filled = fill(self.data, variables, problems)

    def overridden(self, key: KeyPath) -> bool:
        """Whether the chosen environment says what this key is."""
        return self._written_at(key) != key

    def locate(self, key: KeyPath) -> tuple[int, str]:
        """The line, or that of the nearest table around it, and the key as it was written."""
        written = self._written_at(key)
        lines = self._document.lines
        for length in range(len(written), 0, -1):
            if written[:length] in lines:
                return lines[written[:length]], dotted(written)
        return 1, dotted(written)

    def _written_at(self, key: KeyPath) -> KeyPath:
        for length in range(len(key), 0, -1):
            origin = self._origins.get(key[:length])
            if origin is not None:
                return (*origin, *key[length:])
        return key


def environments(document: Document) -> list[str]:
    """The names of all environments of a file."""
    return [name for name, one in (table(document.data.get("environments")) or {}).items() if table(one) is not None]
