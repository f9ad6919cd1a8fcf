"""Rows of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from urllib.parse import quote

from holdfast.errors import DatabaseUnavailable, HoldfastError, Phrase, SourceBusy, SourceDamaged, SourceMissing
from holdfast.sources.rows import sqlite_catalogue
from holdfast.sources.rows.cells import BINARY, FLOAT, INVALID_TEXT, Cell, Row, float_cell
from holdfast.sources.rows.sql import double_quoted, listed, select
from holdfast.sources.rows.store import TableInfo

_OLDEST = (3, 37)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SqliteRows:
    """A `RowStore` over a file, in one read transaction.

    Args:
        path: the database; nothing is written to it.
        source: the source's name, for errors.
        busy_timeout_s: how long to wait for writers.
    """

    database = "sqlite"

    def __init__(self, path: Path, source: str, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._source = source
        self._busy_timeout_s = busy_timeout_s
        self._tables: list[TableInfo] | None = None

    @property
    def location(self) -> str:
        """The file."""
        return str(self._path)

    def __enter__(self) -> Self:
        try:
            self._connection = self._opened()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def tables(self) -> list[TableInfo]:
        """Ordinary tables, and the shadow tables of virtual ones, by name."""
        if self._tables is None:
            try:
                self._tables = sqlite_catalogue.read_tables(self._connection)
            except sqlite3.Error as error:
                raise self._failure(error) from error
        return self._tables

    def rows(self, table: TableInfo, condition: str = "") -> Iterator[Row]:
        """Rows in the order of the primary key, or of the rowid."""
        order = listed(table.primary_key, double_quoted)
        yield from self._read(select(self._columns(table), double_quoted(table.name), condition, order))

    def matching(self, table: TableInfo, columns: Sequence[str], values: Sequence[Row]) -> Iterator[Row]:
        """Rows whose columns equal one of the given tuples."""
        one = "(" + " AND ".join(f"{double_quoted(column)} IS {{}}" for column in columns) + ")"
        condition = " OR ".join(one.format(*(placeholder(cell) for cell in value)) for value in values) or "0"
        order = listed(table.primary_key, double_quoted)
        statement = select(self._columns(table), double_quoted(table.name), condition, order)
        yield from self._read(statement, [parameter(cell) for value in values for cell in value])

    def count(self, table: TableInfo, condition: str = "") -> int:
        """How many rows the database counts."""
        [(count,)] = self._read(select("count(*)", double_quoted(table.name), condition, ""))
        return int(str(count))

    def counter(self, table: TableInfo) -> int | None:
        """The last number that AUTOINCREMENT gave out."""
        if not table.counter:
            return None
        try:
            found = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return found[0] if found is not None and isinstance(found[0], int) else None

    def schema_sha256(self) -> str:
        """Fingerprint of everything that was created."""
        try:
            return sqlite_catalogue.schema_sha256(self._connection)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected("rw")
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()  # takes the snapshot
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _connected(self, mode: str) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise DatabaseUnavailable(
                source=self._source,
                reason=Phrase("SQLite {sqlite_version} is too old", {"sqlite_version": sqlite3.sqlite_version}),
            )
        if not self._path.is_file():
            raise self._missing()
        connection = sqlite3.connect(
            f"file:{quote(str(self._path.absolute()))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=self._busy_timeout_s,
        )
        connection.text_factory = text_cell
        return connection

    def _columns(self, table: TableInfo) -> str:
        return listed(table.column_names, double_quoted)

    def _read(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        try:
            cursor = self._connection.execute(statement, parameters)
            try:
                for row in cursor:
                    yield tuple(_cell(value) for value in row)
            finally:
                cursor.close()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _missing(self) -> HoldfastError:
        return SourceMissing(source=self._source, path=str(self._path))

    def _failure(self, error: sqlite3.Error) -> HoldfastError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            return SourceBusy(source=self._source, seconds=f"{self._busy_timeout_s:g}")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return SourceDamaged(source=self._source, reason=str(error))
        return DatabaseUnavailable(source=self._source, reason=str(error))


def text_cell(value: bytes) -> Cell:
    """A text as SQLite holds it: mostly UTF-8, but nothing enforces that."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {INVALID_TEXT: value}


def _cell(value: object) -> Cell:
    if isinstance(value, float):
        return float_cell(value)
    if isinstance(value, bytes):
        return {BINARY: value}
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, dict):
        return cast(Cell, value)  # made by `text_cell`
    raise TypeError(f"SQLite gave a {type(value).__name__}")


def placeholder(cell: Cell) -> str:
    """How a cell stands in a statement: text that is not UTF-8 travels as bytes."""
    return "CAST(? AS TEXT)" if isinstance(cell, dict) and INVALID_TEXT in cell else "?"


def parameter(cell: Cell) -> object:
    """A cell as the `sqlite3` module takes it."""
    if not isinstance(cell, dict):
        return cell
    [(tag, value)] = cell.items()
    if isinstance(value, bytes):
        return value
    return float(value) if tag == FLOAT and isinstance(value, str) else str(value)
