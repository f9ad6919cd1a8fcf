"""Rows of MariaDB and MySQL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from holdfast.errors import DatabaseUnavailable, HoldfastError
from holdfast.sources.rows import mysql_catalogue
from holdfast.sources.rows.cells import Cell, Row
from holdfast.sources.rows.mysql_cells import equal, expression, reader
from holdfast.sources.rows.sql import backquoted, listed, select
from holdfast.sources.rows.store import TableInfo

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor, SSCursor

    Connect = Callable[[], Connection[Cursor]]

# Zero dates stay what they are, an explicit 0 is not counted up, and nothing is cut to fit or guessed.
_SETTINGS = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
)


class MysqlRows:
    """A `RowStore` over a connection of its own, in one `START TRANSACTION WITH CONSISTENT SNAPSHOT`.

    Args:
        connect: opens a connection (`pymysql.connect` with the database named, charset utf8mb4); converters and
            settings of the session are set here; closed when the context is left.
        location: the database for people, without secrets.
        source: the source's name, for errors.
    """

    database = "mysql"
    _begin: tuple[str, ...] = ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",)

    def __init__(self, connect: Connect, location: str, source: str) -> None:
        self._connect = connect
        self._location = location
        self._source = source
        self._known: list[TableInfo] | None = None

    @property
    def location(self) -> str:
        """The database, for people."""
        return self._location

    def __enter__(self) -> Self:
        import pymysql

        try:
            self._connection = self._connect()
        except (pymysql.Error, OSError) as error:
            raise self._failure(error) from error
        try:
            for statement in (*self._settings(), *self._begin):
                self._query(statement)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        import pymysql

        with contextlib.suppress(pymysql.Error, OSError):  # closing a connection that is gone already
            self._connection.close()

    def tables(self) -> list[TableInfo]:
        """Base tables, by name."""
        if self._known is None:
            self._known = mysql_catalogue.read_tables(self._texts)
        return self._known

    def rows(self, table: TableInfo, condition: str = "") -> Iterator[Row]:
        """Rows in the order of the primary key."""
        order = listed(table.primary_key, backquoted)
        yield from self._stream(table, select(self._what(table), backquoted(table.name), condition, order))

    def matching(self, table: TableInfo, columns: Sequence[str], values: Sequence[Row]) -> Iterator[Row]:
        """Rows whose columns equal one of the given tuples."""
        condition = " OR ".join(equal(columns, value) for value in values) or "FALSE"
        order = listed(table.primary_key, backquoted)
        yield from self._stream(table, select(self._what(table), backquoted(table.name), condition, order))

    def count(self, table: TableInfo, condition: str = "") -> int:
        """How many rows the server counts."""
        [(count,)] = self._texts(select("count(*)", backquoted(table.name), condition, ""))
        return int(str(count))

    def counter(self, table: TableInfo) -> int | None:
        """The last number that AUTO_INCREMENT gave out."""
        if not table.counter:
            return None
        # The catalogue's number may be cached; the statement that creates the table is not.
        [(_name, created, *_more)] = self._texts(f"SHOW CREATE TABLE {backquoted(table.name)}")
        found = mysql_catalogue.counted(str(created))
        return found - 1 if found is not None and found > 1 else None

    def schema_sha256(self) -> str:
        """Fingerprint of everything that was created."""
        return mysql_catalogue.schema_sha256(self._texts)

    def _settings(self) -> tuple[str, ...]:
        return _SETTINGS

    def _what(self, table: TableInfo) -> str:
        return ", ".join(expression(backquoted(column.name), column.type) for column in table.columns)

    def _stream(self, table: TableInfo, statement: str) -> Iterator[Row]:
        import pymysql
        from pymysql.cursors import SSCursor

        readers = [reader(column.type) for column in table.columns]
        try:
            with _bytes_only(self._connection), self._connection.cursor(SSCursor) as cursor:
                cursor.execute(statement)
                try:
                    while (row := cursor.fetchone()) is not None:
                        yield tuple(_cell(value, read) for value, read in zip(row, readers, strict=True))
                except BaseException:  # whoever stopped reading, the rest of the result is of no use
                    _abandon(cursor)
                    raise
        except (pymysql.Error, OSError, UnicodeDecodeError, ValueError) as error:
            raise self._failure(error, table) from error

    def _texts(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Runs a statement of the catalogue: everything is text."""
        rows = self._query(statement, parameters)
        return [tuple(value.decode() if isinstance(value, bytes) else value for value in row) for row in rows]

    def _query(
        self, statement: str, parameters: Sequence[object] = (), table: TableInfo | None = None
    ) -> list[tuple[object, ...]]:
        import pymysql

        try:
            with _bytes_only(self._connection), self._connection.cursor() as cursor:
                cursor.execute(statement, tuple(parameters) or None)
                return list(cursor.fetchall())
        except (pymysql.Error, OSError) as error:
            raise self._failure(error, table) from error

    def _failure(self, error: Exception, table: TableInfo | None = None) -> HoldfastError:
        return DatabaseUnavailable(source=self._source, reason=said(error, table))


def said(error: Exception, table: TableInfo | None = None) -> str:
    """What the server said, with the table it was about."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__
    return f"table {table.name}: {text}" if table is not None else text


@contextlib.contextmanager
def _bytes_only(connection: Connection[Cursor]) -> Generator[None]:
    """Lets results arrive as the bytes that the server sent; what they mean is told by the catalogue."""
    kept, text = connection.decoders, connection.use_unicode
    connection.decoders, connection.use_unicode = {}, False
    try:
        yield
    finally:
        connection.decoders, connection.use_unicode = kept, text


def _abandon(cursor: SSCursor) -> None:
    """Leaves the rest of a result on the wire, where closing would read it all; the connection is of no more use."""
    # PyMySQL has no other way not to read a result to its end; `close` looks at both of these.
    result = getattr(cursor, "_result", None)
    if result is not None:
        result.unbuffered_active = False
    setattr(cursor, "connection", None)  # noqa: B010 - the stubs do not know that it may be None


def _cell(value: object, read: Callable[[bytes], Cell]) -> Cell:
    if value is None:
        return None
    if not isinstance(value, bytes):
        raise TypeError(f"the server's answer was taken for a {type(value).__name__}")
    return read(value)
