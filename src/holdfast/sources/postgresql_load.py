"""Restores a PostgreSQL database: into a new one beside it, judged there, and swapped in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from holdfast.errors import HoldfastError, LoadFailed, Phrase, RestoreRefused
from holdfast.model.component import Form
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.runtime.secret import Secret
from holdfast.sources.postgresql_catalog import Catalog, count_rows, read_catalog
from holdfast.sources.postgresql_databases import Databases
from holdfast.sources.postgresql_names import TableName
from holdfast.sources.postgresql_run import (
    Manner,
    RestoreTool,
    run_archive,
    run_archive_definitions,
    run_archive_rows,
    run_sql,
)
from holdfast.sources.postgresql_server import SCHEMES, PostgresqlServer
from holdfast.sources.postgresql_swap import swap_in, undo_sentence
from holdfast.sources.rows.changes import apply_changes
from holdfast.sources.rows.postgresql_sink import PostgresqlSink
from holdfast.sources.rows.postgresql_store import PostgresqlRows
from holdfast.sources.server_address import parse_url
from holdfast.sources.server_load import blocks_of, checked_chain, compare_described, compare_rows
from holdfast.sources.server_tables import bring_over, kept_in, parse_choices, undo_tables

if TYPE_CHECKING:
    from holdfast.sources.postgresql_server import Connection

_ROOT = """
SELECT n.nspname, r.relname FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE r.oid = coalesce(pg_catalog.pg_partition_root(%(name)s::pg_catalog.regclass), %(name)s::pg_catalog.regclass)
"""
_USERS_THINGS = """
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
    WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid AND x.deptype = 'e')
"""
FindTool = Callable[[StoredContent], str]


class PostgresqlLoad:
    """One restore.

    Args:
        server: the source's own database.
        find_restore: finds `pg_restore` for an archive. Raises `ToolMissing` or `ToolVersionMismatch`.
        base_dir: of the application; tables that are replaced one by one are kept below it.
    """

    def __init__(
        self,
        server: PostgresqlServer,
        chain: Sequence[StoredContent],
        request: LoadRequest,
        find_restore: FindTool,
        silence_s: float,
        base_dir: Path,
    ) -> None:
        self._own = server
        self._chain = chain
        self._request = request
        self._find = find_restore
        self._silence_s = silence_s
        self._kept_in = kept_in(base_dir, request.stamp) if request.safety_copy else None
        self._server = server if request.destination is None else destination_server(request.destination, server)
        checked_chain(chain, "postgresql", self._server.location)
        self._name = self._server.address.database

    def plan(self) -> LoadPlan:
        """What `load` would do."""
        with Databases(self._server) as databases:
            exists = databases.exists(self._name)
            if self._request.tables:
                return LoadPlan(
                    destination=self._server.location,
                    replaces=self._request.tables,
                    safety_copies=() if self._kept_in is None else (str(self._kept_in),),
                )
            self._refuse_full(databases, exists=exists)
            in_place = exists and self._request.destination is None
            kept = databases.free_name(self._name, "before_restore", self._request.stamp)
            return LoadPlan(
                destination=self._server.location,
                replaces=(f"database {self._name}",) if in_place else (),
                safety_copies=(f"database {kept}",) if in_place and self._request.safety_copy else (),
            )

    def load(self) -> LoadReport:
        """Restores, all or nothing."""
        with Databases(self._server) as databases:
            databases.drop_leftovers(self._name)
            if self._request.tables:
                return self._load_tables(databases)
            exists = databases.exists(self._name)
            self._refuse_full(databases, exists=exists)
            if exists and self._request.destination is not None and not databases.may_create():
                return self._load_into_empty()
            return self._load_beside(databases, exists=exists)

    def _refuse_full(self, databases: Databases, *, exists: bool) -> None:
        if self._request.destination is None or not exists:
            return
        with contextlib.closing(databases.server.connect()) as connection:
            row = connection.execute(_USERS_THINGS).fetchone()
        if row is None or row[0] != 0:
            raise RestoreRefused(destination=self._server.location, reason="the database is not empty")

    def _load_beside(self, databases: Databases, *, exists: bool) -> LoadReport:
        live = self._name if exists else None
        with self._scratch(databases, live) as restored:
            rows, catalog = self._fill(restored)
            databases.describe_like(restored, live)
            kept = databases.free_name(self._name, "before_restore", self._request.stamp) if exists else None
            swap_in(databases, restored, self._name, kept)
        wanted = self._request.safety_copy and self._request.destination is None
        if kept is not None and not wanted:
            databases.drop(kept)
            kept = None
        return LoadReport(
            destination=self._server.location,
            safety_copies=() if kept is None else (f"database {kept}",),
            undo="" if kept is None else undo_sentence(self._name, kept),
            rows=rows,
            checks=_checks(rows, catalog),
        )

    @contextlib.contextmanager
    def _scratch(self, databases: Databases, like: str | None) -> Generator[str]:
        """A new database, which is dropped again if the block fails."""
        name = databases.free_name(self._name, "restore", self._request.stamp)
        try:
            databases.create(name, like, self._chain[0].component.facts)
            yield name
        except BaseException:
            with contextlib.suppress(HoldfastError):
                databases.drop(name)
            raise

    def _fill(self, database: str) -> tuple[dict[str, int], Catalog]:
        """Loads the chain and counts what is there. Raises `RestoreMismatch`."""
        # In another place the roles of this server need not exist.
        roles = self._request.destination is None
        self._load_base(database, Manner(roles=roles))
        rows = self._apply_changes(database)
        with contextlib.closing(self._server.connect(database)) as connection:
            catalog, counted = _counted(connection)
            connection.execute("ANALYZE")
        if rows is None:
            compare_described(self._chain[-1].component, counted, self._server.location)
        return (counted if rows is None else rows), catalog

    def _load_base(self, database: str, manner: Manner) -> None:
        content = self._chain[0]
        blocks = blocks_of(content, self._request.cancelled)
        if content.component.form is Form.NATIVE:
            run_archive(self._server, database, blocks, manner, self._tool(content))
        else:
            run_sql(self._server, database, blocks, manner, self._request.cancelled)

    def _apply_changes(self, database: str) -> dict[str, int] | None:
        rows: dict[str, int] | None = None
        for changes in self._chain[1:]:
            with self._sink(database) as sink:
                rows = apply_changes(sink, changes, self._request)
            compare_rows(changes.component.rows, rows, self._server.location)
        return rows

    def _tool(self, content: StoredContent) -> RestoreTool:
        return RestoreTool(self._find(content), self._silence_s, self._request.cancelled)

    def _load_into_empty(self) -> LoadReport:
        if len(self._chain) > 1:
            reason = "changes are only restored where the user may create databases"
            raise RestoreRefused(destination=self._server.location, reason=reason)
        self._load_base(self._name, Manner(roles=False, at_once=True))
        with contextlib.closing(self._server.connect()) as connection:
            catalog, counted = _counted(connection)
        compare_described(self._chain[0].component, counted, self._server.location)
        return LoadReport(destination=self._server.location, rows=counted, checks=_checks(counted, catalog))

    def _load_tables(self, databases: Databases) -> LoadReport:
        rows = self._chain[-1].component.rows
        choices = parse_choices(self._request.tables, rows)
        if not databases.exists(self._name):
            raise LoadFailed(destination=self._server.location, reason="the database does not exist")
        with self._scratch(databases, self._name) as scratch:
            if len(self._chain) > 1:
                self._load_base(scratch, Manner(roles=False))
                self._apply_changes(scratch)
            else:
                self._load_rows(scratch, frozenset(choice.table for choice in choices))
            store = PostgresqlRows(lambda: self._server.plain(scratch), self._server.location, self._server.source)
            with store, self._sink(self._name) as sink:
                brought = bring_over(store, sink, choices, self._request.cancelled, self._kept_in)
        databases.drop(scratch)
        return LoadReport(
            destination=self._server.location,
            safety_copies=brought.safety_copies,
            undo=undo_tables(self._kept_in, self._server.source, self._request.destination),
            rows=brought.rows,
            checks=(Phrase("rows of the chosen tables counted (tables: {count})", {"count": len(brought.rows)}),),
        )

    def _load_rows(self, database: str, names: frozenset[str]) -> None:
        content = self._chain[0]

        def blocks() -> Iterable[bytes]:
            return blocks_of(content, self._request.cancelled)

        def wanted(connection: Connection, table: TableName) -> bool:
            return _root(connection, table) in names

        if content.component.form is Form.SQL:
            manner = Manner(roles=False, wanted=wanted)
            run_sql(self._server, database, blocks(), manner, self._request.cancelled)
            return
        tool = self._tool(content)
        run_archive_definitions(self._server, database, blocks(), tool)
        with contextlib.closing(self._server.connect(database)) as connection:
            roots = read_catalog(connection).tables
        chosen = [table for table, root in roots.items() if root.shown in names]
        run_archive_rows(self._server, database, blocks(), chosen, tool)

    def _sink(self, database: str) -> PostgresqlSink:
        return PostgresqlSink(lambda: self._server.plain(database), self._server.location, self._server.source)


def destination_server(destination: str, own: PostgresqlServer) -> PostgresqlServer:
    """The server and database that a URL names. Raises `RestoreRefused`."""
    try:
        address = parse_url(Secret(destination.encode()), SCHEMES)
    except ValueError as error:
        reason = Phrase("it is no URL of a PostgreSQL database: {reason}", {"reason": str(error)})
        raise RestoreRefused(destination=Path(destination.rpartition("@")[2]).name, reason=reason) from None
    if not address.database or "\0" in address.database:
        raise RestoreRefused(destination=address.shown("postgresql"), reason="the URL names no database")
    if not address.host:
        address = msgspec.structs.replace(address, host=address.parameters.get("host", ""))
    known = {name: value for name, value in address.parameters.items() if re.fullmatch(r"ssl[a-z]+", name)}
    return PostgresqlServer(msgspec.structs.replace(address, parameters=known), own.source)


def _root(connection: Connection, table: TableName) -> str:
    from psycopg import sql

    name = sql.Identifier(table.schema, table.name).as_string(None)
    row = connection.execute(_ROOT, {"name": name}).fetchone()
    return TableName(str(row[0]), str(row[1])).shown if row is not None else table.shown


def _counted(connection: Connection) -> tuple[Catalog, dict[str, int]]:
    catalog = read_catalog(connection)
    return catalog, catalog.rows({table: count_rows(connection, table) for table in catalog.tables})


def _checks(rows: dict[str, int], catalog: Catalog) -> tuple[str, ...]:
    return (
        Phrase(
            "rows of all tables counted (tables: {count}, rows: {rows})",
            {"count": len(rows), "rows": sum(rows.values())},
        ),
        Phrase("objects in the catalogue (number: {count})", {"count": len(catalog.things)}),
    )
