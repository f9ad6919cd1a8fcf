"""Rows into MariaDB and MySQL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from holdfast.errors import DestinationBusy, HoldfastError, LoadFailed, Phrase, RestoreRefused
from holdfast.sources.rows import mysql_catalogue, sql
from holdfast.sources.rows.cells import Row
from holdfast.sources.rows.mysql_cells import encoded, equal, literal, pieces, weight
from holdfast.sources.rows.mysql_store import MysqlRows, said
from holdfast.sources.rows.sql import backquoted, listed
from holdfast.sources.rows.store import ForeignKey, TableInfo

if TYPE_CHECKING:
    from holdfast.sources.rows.mysql_store import Connect

_BATCH_ROWS = 500
_BATCH_CHARACTERS = 1 << 20
_LARGE = 2 << 20
_BUSY = frozenset((1205, 1213))
_SETTINGS = (
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION innodb_lock_wait_timeout = 30",
    "SET SESSION lock_wait_timeout = 30",
)


class MysqlSink(MysqlRows):
    """A `RowSink` over a connection of its own.

    Triggers cannot rest, and no transaction covers dropping them: tables that have some are refused, unless the
    database is nobody's yet.

    Args:
        connect, location, source: as for `MysqlRows`.
        unused: whether nobody works with the database, because it is being restored as a whole: triggers are then
            dropped before, and created again after the transaction, whatever its end.
    """

    _begin = ("START TRANSACTION READ WRITE",)

    def __init__(self, connect: Connect, location: str, source: str, *, unused: bool = False) -> None:
        super().__init__(connect, location, source)
        self._unused = unused
        self._triggers: list[tuple[str, str]] = []
        self._raised: list[tuple[TableInfo, int]] = []

    @property
    def directory(self) -> Path | None:
        """None: the database is on a server."""
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._triggers:
                self._query("ROLLBACK")
                self._create_triggers()
        finally:
            super().__exit__(kind, error, trace)

    def begin(self, tables: Sequence[TableInfo]) -> None:
        """Refuses what a transaction cannot cover, and drops triggers if the database is nobody's yet."""
        for table in tables:
            if not table.transactional and not self._unused:
                reason = Phrase("the engine of table {name} has no transactions", {"name": table.name})
                raise RestoreRefused(destination=self.location, reason=reason)
        found = mysql_catalogue.triggers(self._texts, [table.name for table in tables])
        if found and not self._unused:
            reason = Phrase(
                "table {table} has the trigger {trigger}, which would run for every row",
                {"table": found[0][1], "trigger": found[0][0]},
            )
            raise RestoreRefused(destination=self.location, reason=reason)
        for name, _table in found:
            [(_name, mode, statement, *_more)] = self._texts(f"SHOW CREATE TRIGGER {backquoted(name)}")
            self._triggers.append((str(mode), str(statement)))
        for name, _table in found:
            self._query(f"DROP TRIGGER {backquoted(name)}")
        if found:
            self._query(self._begin[0])
        for table in tables:
            # Locks all rows and the gaps between them, and comes before the first read: what is read from here on,
            # for the safety copy and the proofs, is what will be replaced.
            self._query(f"SELECT count(*) FROM {backquoted(table.name)} FOR UPDATE", table=table)  # noqa: S608

    def clear(self, table: TableInfo) -> None:
        """Deletes all rows."""
        self._query(f"DELETE FROM {backquoted(table.name)}", table=table)  # noqa: S608

    def delete(self, table: TableInfo, columns: Sequence[str], keys: Iterable[Row]) -> None:
        """Deletes rows whose columns equal one of the tuples."""
        before = f"DELETE FROM {backquoted(table.name)} WHERE "  # noqa: S608
        self._batches(before, " OR ", (equal(columns, key) for key in keys), table)

    def insert(self, table: TableInfo, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Adds rows, values of AUTO_INCREMENT columns included."""
        into = f"INSERT INTO {backquoted(table.name)} ({listed(columns, backquoted)}) VALUES "  # noqa: S608
        large: list[int] = []
        return self._batches(into, ",", self._values(into, rows, table, large), table) + len(large)

    def orphans(self, child: TableInfo, key: ForeignKey) -> int:
        """How many rows of a table name a parent that does not exist."""
        statement = sql.orphans(backquoted(child.name), backquoted(key.parent), key, backquoted)
        [(count,)] = self._texts(statement)
        return int(str(count))

    def raise_counter(self, table: TableInfo, last: int | None) -> None:
        """AUTO_INCREMENT goes on above `last`; above the rows it does so by itself."""
        if table.counter and last is not None and last > (self.counter(table) or 0):
            self._raised.append((table, last + 1))

    def refresh(self, tables: Sequence[TableInfo]) -> None:
        """Nothing: indexes of every kind follow their tables by themselves."""

    def commit(self) -> None:
        """Makes everything durable; counters and triggers follow, which no transaction covers."""
        self._query("COMMIT")
        if self._triggers:
            self._create_triggers()
        for table, following in self._raised:
            # The rows are there. A counter that stays lower is right for all of them, and worth no failure.
            with contextlib.suppress(LoadFailed, DestinationBusy):
                self._query(f"ALTER TABLE {backquoted(table.name)} AUTO_INCREMENT = {following:d}")

    def _settings(self) -> tuple[str, ...]:
        return (*super()._settings(), *_SETTINGS)

    def _create_triggers(self) -> None:
        while self._triggers:
            mode, statement = self._triggers.pop(0)
            self._query("SET SESSION sql_mode = %s", (mode,))
            self._query(statement)

    def _batches(self, before: str, between: str, parts: Iterable[str], table: TableInfo) -> int:
        """Runs statements of many parts each; one that is large by itself goes alone."""
        batch: list[str] = []
        length = count = 0
        for part in parts:
            if batch and (len(batch) >= _BATCH_ROWS or length + len(part) > _BATCH_CHARACTERS):
                self._write(before + between.join(batch), table)
                batch, length = [], 0
            batch.append(part)
            length += len(part)
            count += 1
        if batch:
            self._write(before + between.join(batch), table)
        return count

    def _values(self, into: str, rows: Iterable[Row], table: TableInfo, large: list[int]) -> Iterator[str]:
        """Rows as they stand in a statement. Those with large values are inserted at once, and their sizes noted."""
        for row in rows:
            size = max((weight(cell) for cell in row), default=0)
            if size <= _LARGE:
                yield "(" + ",".join(literal(cell) for cell in row) + ")"
                continue
            # A value that fits into the server's largest packet need not fit as a literal, of up to twice its size:
            # it is put together in the session, piece by piece.
            names: list[str] = []
            for number, cell in enumerate(row):
                named = f"@holdfast_{number}"
                for piece, part in enumerate(pieces(cell, _LARGE) if weight(cell) > _LARGE else ()):
                    self._write(f"SET {named} = " + (f"concat({named}, {part})" if piece else part), table)
                names.append(named if weight(cell) > _LARGE else literal(cell))
            self._write(f"{into}({','.join(names)})", table)
            large.append(size)

    def _write(self, statement: str, table: TableInfo) -> None:
        import pymysql

        try:
            cast(Callable[[bytes], int], self._connection.query)(encoded(statement))  # pyright: ignore[reportUnknownMemberType]
        except (pymysql.Error, OSError) as error:
            raise self._failure(error, table) from error

    def _failure(self, error: Exception, table: TableInfo | None = None) -> HoldfastError:
        if error.args and error.args[0] in _BUSY:
            return DestinationBusy(destination=self.location, reason=said(error, table))
        return LoadFailed(destination=self.location, reason=said(error, table))
