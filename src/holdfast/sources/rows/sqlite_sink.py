"""Rows into SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from holdfast.errors import DestinationBusy, HoldfastError, LoadFailed, Phrase, RestoreRefused
from holdfast.sources.rows import sql, sqlite_catalogue
from holdfast.sources.rows.cells import Row
from holdfast.sources.rows.sql import double_quoted, listed
from holdfast.sources.rows.sqlite_store import SqliteRows, parameter, placeholder
from holdfast.sources.rows.store import ForeignKey, TableInfo

_BATCH = 500


class SqliteSink(SqliteRows):
    """A `RowSink` over a file that exists, in one `BEGIN IMMEDIATE` transaction.

    Triggers of the tables that are written are dropped within the transaction and created again by `commit`.
    """

    def __init__(self, path: Path, source: str, busy_timeout_s: float = 30.0) -> None:
        super().__init__(path, source, busy_timeout_s)
        self._triggers: list[str] = []

    @property
    def directory(self) -> Path | None:
        """The folder that holds the file."""
        return self._path.absolute().parent

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._connection.close()  # what was not committed is rolled back

    def begin(self, tables: Sequence[TableInfo]) -> None:
        """Takes the triggers of these tables away for the time of the transaction."""
        for table in tables:
            found = self._run(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", [table.name]
            )
            for name, statement in found.fetchall():
                self._triggers.append(str(statement))
                self._run(f"DROP TRIGGER {double_quoted(str(name))}")

    def clear(self, table: TableInfo) -> None:
        """Deletes all rows."""
        self._run(f"DELETE FROM {double_quoted(table.name)}")  # noqa: S608

    def delete(self, table: TableInfo, columns: Sequence[str], keys: Iterable[Row]) -> None:
        """Deletes rows whose columns equal one of the tuples."""
        for key in keys:
            pairs = zip(columns, key, strict=True)
            condition = " AND ".join(f"{double_quoted(name)} IS {placeholder(cell)}" for name, cell in pairs)
            statement = f"DELETE FROM {double_quoted(table.name)} WHERE {condition}"  # noqa: S608
            self._run(statement, [parameter(cell) for cell in key])

    def insert(self, table: TableInfo, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Adds rows."""
        into = f"INSERT INTO {double_quoted(table.name)} ({listed(columns, double_quoted)}) VALUES "  # noqa: S608
        count = 0
        for row in rows:
            values = ", ".join(placeholder(cell) for cell in row)
            self._run(f"{into}({values})", [parameter(cell) for cell in row])
            count += 1
        return count

    def orphans(self, child: TableInfo, key: ForeignKey) -> int:
        """How many rows of a table name a parent that does not exist."""
        statement = sql.orphans(double_quoted(child.name), double_quoted(key.parent), key, double_quoted)
        [count] = self._run(statement).fetchone()
        return int(count)

    def raise_counter(self, table: TableInfo, last: int | None) -> None:
        """AUTOINCREMENT goes on above `last`; above the rows it does so by itself."""
        if not table.counter or last is None:
            return
        known = self.counter(table)
        if known is None:
            self._run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table.name, last])
        elif known < last:
            self._run("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [last, table.name])

    def refresh(self, tables: Sequence[TableInfo]) -> None:
        """Builds the full text indexes of these tables anew."""
        names = frozenset(table.name for table in tables)
        try:
            found = sqlite_catalogue.search_indexes(self._connection, names)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        for index in (double_quoted(name) for name in found):
            self._run(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608

    def commit(self) -> None:
        """Creates the triggers again and makes everything durable."""
        for trigger in self._triggers:
            self._run(trigger)
        self._run("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected("rw")
        try:
            # Off, keys neither refuse nor cascade; `orphans` proves them instead. It has no effect in a transaction.
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _missing(self) -> HoldfastError:
        return RestoreRefused(destination=self.location, reason="there is no such database")

    def _run(self, statement: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, parameters)
        except (sqlite3.Error, OverflowError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> HoldfastError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            reason = Phrase("it stayed locked for {busy_timeout_s} s", {"busy_timeout_s": f"{self._busy_timeout_s:g}"})
            return DestinationBusy(destination=self.location, reason=reason)
        return LoadFailed(destination=self.location, reason=str(error))
