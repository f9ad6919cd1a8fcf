"""Documents of a backup on local disk: proved whole before a database is touched, read as often as needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.protocols import ContentReader, StoredContent
from holdfast.sources.rows.cells import Row, decode_key, decode_row
from holdfast.sources.rows.document import Document, Head, Tail

_CHECK_EVERY = 1000


class Spooled(NamedTuple):
    """One document that is whole."""

    path: Path
    head: Head
    tail: Tail

    def rows(self) -> Iterator[Row]:
        """The rows of the table."""
        yield from self.named_rows("rows", self.head.column_names)

    def gone(self) -> Iterator[Row]:
        """Keys of rows that are gone; for changes."""
        for line in self._lines("gone", -1):
            yield decode_key(line)

    def related(self, table: str) -> Iterator[Row]:
        """Rows of a related table."""
        position = 1 + list(self.head.related).index(table)
        for line in self._lines(table, position):
            yield decode_row(line, self.head.related[table])

    def named_rows(self, key: str, names: tuple[str, ...]) -> Iterator[Row]:
        """Rows of the first list."""
        for line in self._lines(key, 0):
            yield decode_row(line, names)

    def _lines(self, key: str, position: int) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            document = Document(file, self.path.name)
            for number, (found, lines) in enumerate(document.sections()):
                if found == key and position in (number, -1):
                    yield from lines
                else:
                    for _line in lines:
                        pass


def spooled(content: StoredContent, scratch: Path, cancelled: Callable[[], None]) -> list[Spooled]:
    """Copies all documents of a component into a folder and proves each.

    Raises:
        DamageError: one is not whole.
    """
    kept: list[Spooled] = []
    for entry in content.entries():
        if entry.open is None:
            continue
        path = scratch / f"rows-{len(kept)}.json"
        reader = entry.open()
        try:
            kept.append(_kept(reader, path, entry.path.decode(errors="replace"), cancelled))
        finally:
            reader.close()
    return kept


def _kept(reader: ContentReader, path: Path, subject: str, cancelled: Callable[[], None]) -> Spooled:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:
        document = Document(_Tee(reader, file.write), subject)
        for _key, lines in document.sections():
            for number, _line in enumerate(lines):
                if number % _CHECK_EVERY == 0:
                    cancelled()
    return Spooled(path, document.head, document.tail)


class _Tee:
    """Passes on what it reads."""

    def __init__(self, reader: ContentReader, write: Callable[[bytes], object]) -> None:
        self._reader = reader
        self._write = write

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, which are also written."""
        block = self._reader.read(size)
        self._write(block)
        return block

    def close(self) -> None:
        """Leaves the reader to the one who opened it."""
