"""Rows into PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import DestinationBusy, HoldfastError, LoadFailed
from holdfast.sources.rows import sql
from holdfast.sources.rows.cells import Row
from holdfast.sources.rows.postgresql_store import PostgresqlRows, equal, parameter, said
from holdfast.sources.rows.sql import double_quoted, listed
from holdfast.sources.rows.store import ForeignKey, TableInfo

if TYPE_CHECKING:
    import psycopg

_BATCH = 1000
_LOCK_TIMEOUT = "30s"

_FOREIGN_KEYS = """
SELECT k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint')
FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY(%s) OR k.confrelid = ANY(%s))
ORDER BY 1, 2
"""
_TRIGGERS = """
SELECT t.tgrelid::regclass::text, t.tgname, t.tgenabled::text FROM pg_trigger t
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D'
  AND (t.tgrelid = ANY(%s) OR t.tgrelid IN (
    SELECT p.relid FROM unnest(%s::oid[]) AS r(oid), pg_partition_tree(r.oid::regclass) AS p))
ORDER BY 1, 2
"""
_ENABLE = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


class PostgresqlSink(PostgresqlRows):
    """A `RowSink` over a connection of its own.

    Foreign keys of the tables that are written are dropped within the transaction, and added again by `commit`, which
    lets the server prove every row; triggers are switched off meanwhile. Both need the owner of the tables.
    """

    _begin = (
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
        f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'",
    )
    _again: list[str]

    @property
    def directory(self) -> Path | None:
        """None: the database is on a server."""
        return None

    def begin(self, tables: Sequence[TableInfo]) -> None:
        """Locks the tables, and lets keys and triggers rest."""
        oids = [self._place(table).oid for table in tables]
        self._again = []
        for relation, name, definition, comment in self._run(_FOREIGN_KEYS, (oids, oids)).fetchall():
            altered = f"ALTER TABLE {relation}"
            constraint = double_quoted(str(name))
            self._run(f"{altered} DROP CONSTRAINT {constraint}")
            self._again.append(f"{altered} ADD CONSTRAINT {constraint} {definition}")
            if comment is not None:
                literal = "'" + str(comment).replace("'", "''") + "'"
                self._again.append(f"COMMENT ON CONSTRAINT {constraint} ON {relation} IS {literal}")
        for relation, name, enabled in self._run(_TRIGGERS, (oids, oids)).fetchall():
            trigger = f"TRIGGER {double_quoted(str(name))}"
            self._run(f"ALTER TABLE {relation} DISABLE {trigger}")
            self._again.append(f"ALTER TABLE {relation} {_ENABLE[str(enabled)]} {trigger}")
        for table in tables:
            self._run(f"LOCK TABLE {self._place(table).quoted} IN SHARE ROW EXCLUSIVE MODE")

    def clear(self, table: TableInfo) -> None:
        """Deletes all rows."""
        self._run(f"DELETE FROM {self._place(table).only}", table=table)  # noqa: S608

    def delete(self, table: TableInfo, columns: Sequence[str], keys: Iterable[Row]) -> None:
        """Deletes rows whose columns equal one of the tuples."""
        import psycopg

        relation = self._place(table).only.replace("%", "%%")
        statement = f"DELETE FROM {relation} WHERE {equal(table, columns)}".encode()  # noqa: S608
        try:
            with self._connection.cursor() as cursor:
                for batch in _batches(keys):
                    cursor.executemany(statement, [[parameter(cell) for cell in key] for key in batch])
        except psycopg.Error as error:
            raise self._failure(error, table) from error

    def insert(self, table: TableInfo, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Adds rows, values of identity columns included."""
        import psycopg

        relation = self._place(table).quoted
        count = 0
        try:
            with self._connection.cursor() as cursor:
                if not columns:
                    for _row in rows:
                        cursor.execute(f"INSERT INTO {relation} DEFAULT VALUES".encode())
                        count += 1
                    return count
                named = listed(columns, double_quoted)
                with cursor.copy(f"COPY {relation} ({named}) FROM STDIN".encode()) as copy:
                    for row in rows:
                        copy.write_row([parameter(cell) for cell in row])
                        count += 1
        except (psycopg.Error, ValueError) as error:
            raise self._failure(error, table) from error
        return count

    def orphans(self, child: TableInfo, key: ForeignKey) -> int:
        """How many rows of a table name a parent that does not exist."""
        catalogue = self._catalogue()
        parent = catalogue[key.parent][1].quoted
        return self._number(sql.orphans(self._place(child).quoted, parent, key, double_quoted))

    def raise_counter(self, table: TableInfo, last: int | None) -> None:
        """The sequence goes on above `last` and above every row; sequences that count down are left alone."""
        sequence = self.sequence(table)
        if not sequence:
            return
        column = double_quoted(table.counter)
        highest = self._run(f"SELECT max({column}) FROM {self._place(table).quoted}").fetchone()  # noqa: S608
        known = [number for number in (last, highest[0] if highest else None) if isinstance(number, int)]
        state = self._run(
            f"SELECT s.last_value, s.is_called, d.seqincrement FROM {sequence} s, pg_sequence d"  # noqa: S608
            " WHERE d.seqrelid = %s::regclass",
            (sequence,),
        ).fetchone()
        if known and state is not None and int(str(state[2])) > 0 and max(known) >= int(str(state[0])):
            self._run("SELECT setval(%s::regclass, %s)", (sequence, max(known)))

    def refresh(self, tables: Sequence[TableInfo]) -> None:
        """Nothing: indexes of every kind follow their tables by themselves."""

    def commit(self) -> None:
        """Puts keys and triggers back, which proves the keys, and makes everything durable."""
        import psycopg

        self._run("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in self._again:
            self._run(statement)
        try:
            self._connection.commit()
        except psycopg.Error as error:
            raise self._failure(error) from error

    def _run(
        self, statement: str, parameters: Sequence[object] | None = None, table: TableInfo | None = None
    ) -> psycopg.Cursor[tuple[object, ...]]:
        import psycopg

        try:
            return self._connection.execute(statement.encode(), parameters)
        except psycopg.Error as error:
            raise self._failure(error, table) from error

    def _failure(self, error: Exception, table: TableInfo | None = None) -> HoldfastError:
        import psycopg

        if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            return DestinationBusy(destination=self.location, reason=said(error, table))
        return LoadFailed(destination=self.location, reason=said(error, table))


def _batches(keys: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
