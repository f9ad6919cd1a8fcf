"""The consistent state that a PostgreSQL dump is of: a snapshot we hold, and rows we count in it ourselves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from holdfast.errors import DumpFailed, HoldfastError, Phrase
from holdfast.runtime.unforeseen import named
from holdfast.sources.postgresql_catalog import Catalog, count_rows, read_catalog
from holdfast.sources.postgresql_names import TableName
from holdfast.sources.postgresql_server import PostgresqlServer

if TYPE_CHECKING:
    from holdfast.sources.postgresql_options import PostgresqlOptions
    from holdfast.sources.postgresql_server import Connection


class HeldSnapshot:
    """An exported snapshot, held from entering the context to leaving it.

    Rows are counted in a thread while the dump runs, in the same snapshot; the connection belongs to that thread
    from `start_counting` until `counts` returned.
    """

    def __init__(self, server: PostgresqlServer, options: PostgresqlOptions) -> None:
        self._server = server
        self._options = options
        self._thread: threading.Thread | None = None
        self._counts: dict[TableName, int] = {}
        self._error: HoldfastError | None = None
        self._connection: Connection | None = None
        self.snapshot_id = ""

    def __enter__(self) -> Self:
        import psycopg

        connection = self._connection = self._server.connect()
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            row = connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
            assert row is not None
            self.snapshot_id = str(row[0])
            self.catalog: Catalog = read_catalog(connection, self._options.schemas)
        except psycopg.Error as error:
            connection.close()
            raise DumpFailed(source=self._server.source, reason=self._server.reason(error)) from None
        return self

    @property
    def connection(self) -> Connection:
        """The connection that holds the snapshot."""
        assert self._connection is not None
        return self._connection

    def start_counting(self) -> None:
        """Begins to count; does nothing the second time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._count, daemon=True)
            self._thread.start()

    def explain(self) -> None:
        """Raises what went wrong with our counts, if something did: it ends the snapshot, and names a table."""
        if self._error is not None:
            raise self._error

    def counts(self) -> dict[TableName, int]:
        """Rows of every table that holds rows itself and is not left out. Raises `SourceError`."""
        self.start_counting()
        assert self._thread is not None
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._counts

    def _count(self) -> None:
        try:
            self._count_tables()
        except BaseException as error:  # noqa: BLE001 - told to whoever asks, or the rest of the tables would go unjudged
            self._error = named(error)

    def _count_tables(self) -> None:
        import psycopg

        left_out = left_out_tables(self._options.exclude_tables)
        for table in self.catalog.tables:
            if table in left_out:
                continue
            try:
                self._counts[table] = count_rows(self.connection, table)
            except psycopg.Error as error:
                reason = Phrase(
                    "rows of table {table} cannot be counted: {reason}",
                    {"table": table.shown, "reason": self._server.reason(error)},
                )
                self._error = DumpFailed(source=self._server.source, reason=reason)
                return

    def __exit__(self, *_: object) -> None:
        import psycopg

        connection = self.connection
        try:
            if self._thread is not None and self._thread.is_alive():
                connection.cancel_safe(timeout=5)
                self._thread.join()
        except psycopg.Error:
            # The server is gone and so is what was to be cancelled; closing ends the thread's wait as well.
            pass
        finally:
            connection.close()


def left_out_tables(names: tuple[str, ...]) -> frozenset[TableName]:
    """Tables whose rows are left out, from `table` or `schema.table`."""
    found = (name.rpartition(".") for name in names)
    return frozenset(TableName(schema or "public", table) for schema, _dot, table in found)
