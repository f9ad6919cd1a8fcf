"""The source `postgresql`: one database of a PostgreSQL server.

A dump is one exported snapshot: `pg_dump` reads it, and so do our own counts of every table. What `pg_dump` says is not
believed: its output is read on its way, to its end mark, and must hold every object of the catalogue and as many rows
as we counted. A restore goes into a new database beside the live one, is counted there, and takes its name in one
transaction; the former database stays under another name.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from holdfast.errors import DatabaseUnavailable, DumpFailed
from holdfast.protocols import DumpRequest, LoadRequest, StoredContent
from holdfast.sources.postgresql_counts import HeldSnapshot
from holdfast.sources.postgresql_dump import PostgresqlDump
from holdfast.sources.postgresql_load import PostgresqlLoad, destination_server
from holdfast.sources.postgresql_options import PostgresqlOptions
from holdfast.sources.postgresql_server import PostgresqlServer, address_of
from holdfast.sources.rows.postgresql_sink import PostgresqlSink
from holdfast.sources.rows.postgresql_store import PostgresqlRows
from holdfast.sources.server_source import ServerSource
from holdfast.sources.server_tools import Tool, Wanted, find_tool

__all__ = ["Postgresql", "PostgresqlOptions"]

_ELSEWHERE = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_PACKAGE = "postgresql-client"


class Postgresql(ServerSource):
    """See `holdfast.protocols.Source`."""

    kind = "postgresql"

    def __init__(self, name: str, options: PostgresqlOptions, base_dir: Path) -> None:
        self._options = options
        self._server = PostgresqlServer(address_of(options, name), name)
        super().__init__(name, self._server.location, options.tools, base_dir)

    def estimate_bytes(self) -> int | None:
        """What the server says the database takes, indexes included."""
        import psycopg

        try:
            with contextlib.closing(self._server.connect()) as connection:
                row = connection.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())").fetchone()
        except (DatabaseUnavailable, psycopg.Error):
            return None
        return None if row is None else int(str(row[0]))

    @contextlib.contextmanager
    def dump(self, request: DumpRequest) -> Generator[PostgresqlDump]:
        """Holds one snapshot. Raises `SourceError`."""
        with contextlib.ExitStack() as held:
            snapshot = held.enter_context(HeldSnapshot(self._server, self._options))
            tool = self._tool(snapshot.catalog.server_version, request.cancelled)
            yield PostgresqlDump(self._server, self._options, tool, snapshot, request, held)

    def _load(self, chain: Sequence[StoredContent], request: LoadRequest) -> PostgresqlLoad:
        silence_s = self._options.timeout_s or request.timeout_s

        def find(content: StoredContent) -> str:
            return self._restore_tool(content, request.cancelled).path

        return PostgresqlLoad(self._server, chain, request, find, silence_s, self._base_dir)

    def row_store(self) -> PostgresqlRows:
        """A reader of the database."""
        return PostgresqlRows(self._server.plain, self._server.location, self._name)

    def row_sink(self, destination: str | None) -> PostgresqlSink:
        """A writer into the database, or into the one that a URL names. Raises `RestoreRefused`."""
        server = self._server if destination is None else destination_server(destination, self._server)
        return PostgresqlSink(server.plain, server.location, self._name)

    def _server_version(self) -> str:
        import psycopg

        with contextlib.closing(self._server.connect()) as connection:
            try:
                row = connection.execute("SHOW server_version").fetchone()
            except psycopg.Error as error:
                raise DumpFailed(source=self._name, reason=self._server.reason(error)) from error
        return str(row[0]) if row is not None else ""

    def _dump_tool(self, server: str, cancelled: Callable[[], None]) -> Tool:
        major = _major(server)
        wanted = Wanted(("pg_dump",), _PACKAGE, _says("pg_dump"), _ELSEWHERE)
        return find_tool(wanted, self._tools, self._name, server, lambda tool: tool.numbers[0] >= major, cancelled)

    def _restore_tool(self, content: StoredContent, cancelled: Callable[[], None]) -> Tool:
        made_by = content.component.facts.get("tool", "")
        major = _major(made_by.rpartition(" ")[2])
        wanted = Wanted(("pg_restore",), _PACKAGE, _says("pg_restore"), _ELSEWHERE)
        return find_tool(
            wanted, self._tools, self._name, f"backup ({made_by})", lambda tool: tool.numbers[0] >= major, cancelled
        )


def _major(version: str) -> int:
    match = re.match(r"[0-9]+", version)
    return int(match[0]) if match is not None else 0


def _says(program: str) -> re.Pattern[str]:
    return re.compile(rf"{program} \([^)\n]*\) (?P<version>[0-9]+[0-9a-z.]*)")
