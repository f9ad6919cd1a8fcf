"""The source `mysql`: one database of a MySQL or MariaDB server.

A dump is one transaction of the server's own dump program, read on its way to its end mark; it must create every object
of the catalogue and hold as many rows as we counted (see `mysql_moment` for what is compared with what). A restore goes
into a schema beside the live one, is counted there, and its tables change places with the live ones in one statement
(see `mysql_swap` for what is atomic and what is not).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from holdfast.errors import DatabaseUnavailable, DumpFailed
from holdfast.protocols import DumpRequest, LoadRequest, StoredContent
from holdfast.sources.mysql_dump import MysqlDump
from holdfast.sources.mysql_load import MysqlLoad, destination_server
from holdfast.sources.mysql_moment import Moment
from holdfast.sources.mysql_options import MysqlOptions
from holdfast.sources.mysql_server import MysqlServer, address_of, ask_once, refuse_control_characters
from holdfast.sources.rows.mysql_sink import MysqlSink
from holdfast.sources.rows.mysql_store import MysqlRows
from holdfast.sources.server_source import ServerSource
from holdfast.sources.server_tools import Tool, Wanted, find_tool

__all__ = ["Mysql", "MysqlOptions"]

_PROGRAMS = ("mariadb-dump", "mysqldump")
_SAYS = re.compile(
    r"\S*(?:mariadb-dump|mysqldump)\S*\s+(?:Ver\s+\S+\s+Distrib\s+|from\s+|Ver\s+)(?P<version>[0-9]+[0-9A-Za-z.-]*)"
)
_SIZE = (
    "SELECT CAST(SUM(DATA_LENGTH + INDEX_LENGTH) AS UNSIGNED) FROM information_schema.TABLES "
    "WHERE TABLE_SCHEMA = DATABASE()"
)


class Mysql(ServerSource):
    """See `holdfast.protocols.Source`."""

    kind = "mysql"

    def __init__(self, name: str, options: MysqlOptions, base_dir: Path) -> None:
        self._options = options
        self._server = MysqlServer(address_of(options, name), name, options.extra)
        super().__init__(name, self._server.location, options.tools, base_dir)
        for table in options.exclude_tables:
            refuse_control_characters(table, name)
        if options.exclude_tables:
            # The dump program cuts `database.table` at the first dot.
            refuse_control_characters(self._server.address.database.replace(".", "\0"), name)

    def estimate_bytes(self) -> int | None:
        """What the server says the tables take, indexes included."""
        import pymysql

        try:
            [(size,)] = ask_once(self._server, _SIZE)
        except (DatabaseUnavailable, pymysql.Error, OSError):
            return None
        return None if size is None else int(str(size))

    @contextlib.contextmanager
    def dump(self, request: DumpRequest) -> Generator[MysqlDump]:
        """Holds one moment. Raises `SourceError`."""
        tool = self._tool(self._server_version(), request.cancelled)
        with contextlib.ExitStack() as held:
            moment = held.enter_context(Moment(self._server, frozenset(self._options.exclude_tables)))
            yield MysqlDump(self._server, self._options, tool, moment, request, held)

    def _load(self, chain: Sequence[StoredContent], request: LoadRequest) -> MysqlLoad:
        silence_s = self._options.timeout_s or request.timeout_s
        return MysqlLoad(self._server, chain, request, self._base_dir, silence_s)

    def row_store(self) -> MysqlRows:
        """A reader of the database."""
        return MysqlRows(self._server.connect, self._server.location, self._name)

    def row_sink(self, destination: str | None) -> MysqlSink:
        """A writer into the database, or into the one that a URL names. Raises `RestoreRefused`."""
        server = self._server if destination is None else destination_server(destination, self._server)
        return MysqlSink(server.connect, server.location, self._name)

    def _server_version(self) -> str:
        import pymysql

        try:
            [(version,)] = ask_once(self._server, "SELECT VERSION()")
        except (pymysql.Error, OSError) as error:
            raise DumpFailed(source=self._name, reason=self._server.reason(error)) from error
        return str(version).removeprefix("5.5.5-")

    def _dump_tool(self, server: str, cancelled: Callable[[], None]) -> Tool:
        major = int(match[0]) if (match := re.match(r"[0-9]+", server)) else 0
        of_mariadb = "MariaDB" in server

        def fits(tool: Tool) -> bool:
            # The two families count their versions differently; each can dump the other.
            return ("MariaDB" in tool.version) is not of_mariadb or tool.numbers[0] >= major

        names = _PROGRAMS if of_mariadb else tuple(reversed(_PROGRAMS))
        package = "mariadb-client" if of_mariadb else "default-mysql-client"
        return find_tool(Wanted(names, package, _SAYS), self._tools, self._name, server, fits, cancelled)
