"""Rows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from holdfast.errors import DatabaseUnavailable, HoldfastError
from holdfast.sources.rows import postgresql_catalogue
from holdfast.sources.rows.cells import BINARY, Cell, Row, float_cell, json_cell
from holdfast.sources.rows.postgresql_arrays import array_cell, array_text
from holdfast.sources.rows.postgresql_catalogue import Place
from holdfast.sources.rows.sql import double_quoted, listed, select
from holdfast.sources.rows.store import TableInfo

if TYPE_CHECKING:
    import psycopg

    Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]

# Text is spelled the same whatever the server, the role or the database is set to; a row that a policy hides is an
# error instead of a row less.
_SETTINGS = (
    "SET LOCAL search_path = ''",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL extra_float_digits = 3",
    "SET LOCAL xmloption = 'content'",
    "SET LOCAL standard_conforming_strings = on",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL row_security = off",
)
_NATIVE = frozenset(("smallint", "integer", "bigint", "boolean", "bytea"))
_FLOATS = frozenset(("real", "double precision"))
_TAGS = {
    "numeric": "$decimal",
    "date": "$date",
    "time": "$time",
    "timestamp": "$timestamp",
    "interval": "$interval",
    "uuid": "$uuid",
    "bit": "$bit",
}


class PostgresqlRows:
    """A `RowStore` over a connection of its own, in one read-only transaction of isolation REPEATABLE READ.

    Args:
        connect: opens a connection (`psycopg.connect`, autocommit off); closed when the context is left.
        location: the database for people, without secrets.
        source: the source's name, for errors.
        snapshot_id: what `pg_export_snapshot()` gave elsewhere, to see exactly that state; empty for a new one.
    """

    database = "postgresql"
    _begin: tuple[str, ...] = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",)

    def __init__(self, connect: Connect, location: str, source: str, snapshot_id: str = "") -> None:
        self._connect = connect
        self._location = location
        self._source = source
        self._snapshot_id = snapshot_id
        self._known: dict[str, tuple[TableInfo, Place]] | None = None

    @property
    def location(self) -> str:
        """The database, for people."""
        return self._location

    def __enter__(self) -> Self:
        import psycopg
        from psycopg import sql

        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            raise self._failure(error) from error
        try:
            self._connection.execute("SET client_encoding = 'UTF8'")
            self._connection.rollback()
            for statement in self._begin:
                self._connection.execute(statement.encode())
            if self._snapshot_id:
                named = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot_id))
                self._connection.execute(named)
            for statement in _SETTINGS:
                self._connection.execute(statement.encode())
        except psycopg.Error as error:
            self._connection.close()
            raise self._failure(error) from error
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def tables(self) -> list[TableInfo]:
        """Tables and partitioned tables, by name; not those of extensions."""
        return [table for table, _place in self._catalogue().values()]

    def rows(self, table: TableInfo, condition: str = "") -> Iterator[Row]:
        """Rows in the order of the primary key."""
        order = listed(table.primary_key, double_quoted)
        yield from self._stream(table, select(self._what(table), self._place(table).only, condition, order))

    def matching(self, table: TableInfo, columns: Sequence[str], values: Sequence[Row]) -> Iterator[Row]:
        """Rows whose columns equal one of the given tuples."""
        condition = " OR ".join(equal(table, columns) for _value in values) or "false"
        order = listed(table.primary_key, double_quoted)
        statement = select(
            self._what(table).replace("%", "%%"), self._place(table).only.replace("%", "%%"), condition, order
        )
        yield from self._stream(table, statement, [parameter(cell) for value in values for cell in value])

    def count(self, table: TableInfo, condition: str = "") -> int:
        """How many rows the server counts."""
        return self._number(select("count(*)", self._place(table).only, condition, ""))

    def counter(self, table: TableInfo) -> int | None:
        """The last number of the sequence that belongs to the counter's column."""
        import psycopg

        sequence = self.sequence(table)
        if not sequence:
            return None
        try:
            found = self._connection.execute(f"SELECT last_value, is_called FROM {sequence}".encode()).fetchone()  # noqa: S608
        except psycopg.Error as error:
            raise self._failure(error) from error
        return int(str(found[0])) if found is not None and found[1] else None

    def schema_sha256(self) -> str:
        """Fingerprint of everything that was created."""
        import psycopg

        try:
            return postgresql_catalogue.schema_sha256(self._connection)
        except psycopg.Error as error:
            raise self._failure(error) from error

    def sequence(self, table: TableInfo) -> str:
        """The sequence of the counter's column, quoted; empty if there is none."""
        return self._place(table).sequence

    def _catalogue(self) -> dict[str, tuple[TableInfo, Place]]:
        import psycopg

        if self._known is None:
            try:
                self._known = postgresql_catalogue.read_tables(self._connection)
            except psycopg.Error as error:
                raise self._failure(error) from error
        return self._known

    def _place(self, table: TableInfo) -> Place:
        return self._catalogue()[table.name][1]

    def _what(self, table: TableInfo) -> str:
        kinds = self._place(table).kinds
        return ", ".join(_expression(double_quoted(name), kinds[name]) for name in table.column_names) or "NULL"

    def _stream(self, table: TableInfo, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        import psycopg

        kinds = [self._place(table).kinds[name] for name in table.column_names]
        try:
            with self._connection.cursor() as cursor:
                # One row at a time, and not one block of them: a row may be as large as memory allows.
                rows = cursor.stream(statement.encode(), parameters or None, binary=True)
                for row in rows:
                    yield tuple(_cell(value, kind) for value, kind in zip(row, kinds, strict=False))
        except psycopg.Error as error:
            raise self._failure(error, table) from error

    def _number(self, statement: str) -> int:
        import psycopg

        try:
            found = self._connection.execute(statement.encode()).fetchone()
        except psycopg.Error as error:
            raise self._failure(error) from error
        return int(str(found[0])) if found is not None else 0

    def _failure(self, error: Exception, table: TableInfo | None = None) -> HoldfastError:
        return DatabaseUnavailable(source=self._source, reason=said(error, table))


def said(error: Exception, table: TableInfo | None = None) -> str:
    """What the server said, in one line, with the table it was about."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return f"table {table.name}: {text}" if table is not None else text


def equal(table: TableInfo, columns: Sequence[str]) -> str:
    """A condition that takes one parameter for each column; the casts let the server compare by the column's type."""
    types = {column.name: column.type for column in table.columns}
    pairs = [f"{double_quoted(name)} = %s::{types[name]}" for name in columns]
    return "(" + " AND ".join(pair.replace("%", "%%").replace("%%s::", "%s::", 1) for pair in pairs) + ")"


def parameter(cell: Cell) -> object:
    """A cell as psycopg takes it: text is left to the server, which knows the column's type."""
    if not isinstance(cell, dict):
        return cell
    [(tag, value)] = cell.items()
    if isinstance(value, list):
        return array_text(value)
    if tag == BINARY:
        return value
    return value if isinstance(value, str) else bytes(value).decode()


def _expression(column: str, kind: str) -> str:
    if kind in _NATIVE:
        return column
    if kind.startswith("character("):
        return f"CASE WHEN {column} IS NOT NULL THEN pg_catalog.concat({column}) END"  # a cast would drop its blanks
    return f"{column}::pg_catalog.text"


def _cell(value: object, kind: str) -> Cell:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, bytes):
        return {BINARY: value}
    text = str(value)
    if kind in _FLOATS:
        return float_cell(float(text))
    if kind in ("json", "jsonb"):
        return json_cell(text)
    if kind == "array":
        return array_cell(text)
    word = kind.partition("(")[0].partition(" ")[0]
    return {_TAGS[word]: text} if word in _TAGS else text
