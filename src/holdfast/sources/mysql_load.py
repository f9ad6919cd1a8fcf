"""Restores a MySQL or MariaDB database: into a schema beside it, judged there, and swapped in."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError, LoadFailed, Phrase, RestoreRefused
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.runtime.secret import Secret
from holdfast.sources.mysql_catalog import count_rows
from holdfast.sources.mysql_run import Loader
from holdfast.sources.mysql_schemas import (
    catalog_of,
    create_schema,
    drop_leftovers,
    drop_schema,
    free_name,
    is_empty,
    mark,
    schema_exists,
)
from holdfast.sources.mysql_server import SCHEMES, MysqlServer, understood
from holdfast.sources.mysql_statements import Kind
from holdfast.sources.mysql_swap import LOCK_WAIT_S, Places, swap_in, undo_sentence
from holdfast.sources.rows.changes import apply_changes
from holdfast.sources.rows.mysql_sink import MysqlSink
from holdfast.sources.rows.mysql_store import MysqlRows
from holdfast.sources.server_address import parse_url
from holdfast.sources.server_load import blocks_of, checked_chain, compare_described, compare_rows
from holdfast.sources.server_tables import bring_over, kept_in, parse_choices, undo_tables

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection


class MysqlLoad:
    """One restore.

    Args:
        server: the source's own database.
        base_dir: of the application; tables that are replaced one by one are kept below it.
        silence_s: how long to wait for the server, and no longer than `LOCK_WAIT_S` for others that use it.
    """

    def __init__(
        self,
        server: MysqlServer,
        chain: Sequence[StoredContent],
        request: LoadRequest,
        base_dir: Path,
        silence_s: float,
    ) -> None:
        self._wait_s = max(1, min(LOCK_WAIT_S, int(silence_s)))
        self._chain = chain
        self._request = request
        self._kept_in = kept_in(base_dir, request.stamp) if request.safety_copy else None
        self._server = server if request.destination is None else destination_server(request.destination, server)
        checked_chain(chain, "mysql", self._server.location)
        self._name = self._server.address.database
        dumped = chain[0].component.facts.get("database", self._name)
        self._loader = Loader(self._server, dumped, request.cancelled)

    @contextlib.contextmanager
    def _connected(self) -> Generator[Connection]:
        import pymysql

        with contextlib.closing(self._server.connect("")) as connection:
            try:
                yield connection
            except (pymysql.Error, OSError) as error:
                raise self._loader.failed(error) from error

    def plan(self) -> LoadPlan:
        """What `load` would do."""
        with self._connected() as connection:
            exists = schema_exists(connection, self._name)
            if self._request.tables:
                return LoadPlan(
                    destination=self._server.location,
                    replaces=self._request.tables,
                    safety_copies=() if self._kept_in is None else (str(self._kept_in),),
                )
            full = exists and not is_empty(catalog_of(connection, self._name))
            self._refuse(full=full)
            kept = free_name(connection, self._name, "before_restore", self._request.stamp)
            return LoadPlan(
                destination=self._server.location,
                replaces=(f"database {self._name}",) if full else (),
                safety_copies=(f"database {kept}",) if full and self._request.safety_copy else (),
            )

    def load(self) -> LoadReport:
        """Restores, all or nothing."""
        with self._connected() as connection:
            drop_leftovers(connection, self._name)
            if self._request.tables:
                return self._load_tables(connection)
            exists = schema_exists(connection, self._name)
            if self._request.destination is not None:
                self._refuse(full=exists and not is_empty(catalog_of(connection, self._name)))
                return self._load_into_empty(connection, exists=exists)
            return self._load_beside(connection, exists=exists)

    def _refuse(self, *, full: bool) -> None:
        if full and self._request.destination is not None:
            raise RestoreRefused(destination=self._server.location, reason="the database is not empty")

    def _load_beside(self, connection: Connection, *, exists: bool) -> LoadReport:
        facts, stamp = self._chain[0].component.facts, self._request.stamp
        kept, undone = (free_name(connection, self._name, word, stamp) for word in ("before_restore", "undone"))
        with self._scratch(connection) as restored, self._made(connection, self._name, facts, exists=exists):
            places = Places(self._name, restored, kept, undone)
            rows = self._fill(restored)
            self._prove_programmed(restored)
            self._loader.drop_placeholders(connection)
            keeps = swap_in(self._server, self._loader, places, self._loader.programmed, self._wait_s)
        drop_schema(connection, restored)
        if keeps and not self._request.safety_copy:
            drop_schema(connection, kept)
            keeps = False
        return self._report(connection, rows, places if keeps else None)

    def _load_into_empty(self, connection: Connection, *, exists: bool) -> LoadReport:
        described = catalog_of(connection, self._name) if exists else None
        facts = self._chain[0].component.facts
        if described is not None:
            facts = {"charset": described.charset, "collation": described.collation}
        with self._made(connection, self._name, facts, exists=exists, empty=True):
            rows = self._fill(self._name)
            with contextlib.closing(self._server.connect()) as loading:
                self._loader.create_programmed(loading, self._name, self._loader.programmed)
        return self._report(connection, rows, None)

    def _report(self, connection: Connection, rows: dict[str, int], places: Places | None) -> LoadReport:
        found = catalog_of(connection, self._name)
        return LoadReport(
            destination=self._server.location,
            safety_copies=() if places is None else (f"database {places.kept}",),
            undo="" if places is None else undo_sentence(places),
            rows=rows,
            checks=(
                Phrase(
                    "rows of all tables counted (tables: {count}, rows: {rows})",
                    {"count": len(rows), "rows": sum(rows.values())},
                ),
                Phrase(
                    "views, routines, triggers and events created (number: {count})",
                    {"count": len(self._loader.programmed)},
                ),
                Phrase(
                    "objects in the catalogue (number: {count})", {"count": len(found.things) + len(found.triggers)}
                ),
            ),
            problems=tuple(dict.fromkeys(self._loader.problems)),
        )

    @contextlib.contextmanager
    def _scratch(self, connection: Connection) -> Generator[str]:
        """A new schema that is marked as a restore under way, and dropped if the block fails."""
        name = free_name(connection, self._name, "restore", self._request.stamp)
        with self._made(connection, name, self._chain[0].component.facts, exists=False):
            mark(connection, name)
            yield name

    @contextlib.contextmanager
    def _made(
        self, connection: Connection, name: str, facts: Mapping[str, str], *, exists: bool, empty: bool = False
    ) -> Generator[None]:
        """A schema that is dropped again if the block fails: one that is made here, or one that was empty."""
        import pymysql

        if not exists:
            create_schema(connection, name, facts)
        try:
            yield
        except BaseException:
            with contextlib.suppress(pymysql.Error, OSError, HoldfastError):
                self._loader.drop_placeholders(connection)
                if not exists or empty:
                    drop_schema(connection, name)
                if exists and empty:
                    create_schema(connection, name, facts)
            raise

    def _fill(self, schema: str) -> dict[str, int]:
        """Loads the chain and counts what is there. Raises `RestoreMismatch`."""
        self._loader.run(schema, blocks_of(self._chain[0], self._request.cancelled), lambda _table: True)
        applied = self._apply_changes(schema)
        if applied is not None:
            return applied
        with self._connected() as connection:
            tables = catalog_of(connection, schema).tables
            counted = {table: count_rows(connection, schema, table) for table in tables}
        compare_described(self._chain[0].component, counted, self._server.location)
        return counted

    def _apply_changes(self, schema: str) -> dict[str, int] | None:
        rows: dict[str, int] | None = None
        for changes in self._chain[1:]:
            with self._sink(schema, unused=True) as sink:
                rows = apply_changes(sink, changes, self._request)
            compare_rows(changes.component.rows, rows, self._server.location)
        return rows

    def _prove_programmed(self, schema: str) -> None:
        """Creates views, routines and triggers where nobody uses them; events would begin to run."""
        with contextlib.closing(self._server.connect(schema)) as connection:
            chosen = [one for one in self._loader.programmed if one.thing.kind is not Kind.EVENT]
            self._loader.create_programmed(connection, schema, chosen)

    def _load_tables(self, connection: Connection) -> LoadReport:
        choices = parse_choices(self._request.tables, self._chain[-1].component.rows)
        if not schema_exists(connection, self._name):
            raise LoadFailed(destination=self._server.location, reason="the database does not exist")
        names = {choice.table for choice in choices}
        with self._scratch(connection) as scratch:
            whole = len(self._chain) > 1
            blocks = blocks_of(self._chain[0], self._request.cancelled)
            self._loader.run(scratch, blocks, lambda table: whole or table in names)
            self._apply_changes(scratch)
            self._loader.drop_placeholders(connection)
            store = MysqlRows(lambda: self._server.connect(scratch), self._server.location, self._server.source)
            with store, self._sink(self._name, unused=False) as sink:
                brought = bring_over(store, sink, choices, self._request.cancelled, self._kept_in)
        drop_schema(connection, scratch)
        return LoadReport(
            destination=self._server.location,
            safety_copies=brought.safety_copies,
            undo=undo_tables(self._kept_in, self._server.source, self._request.destination),
            rows=brought.rows,
            checks=(Phrase("rows of the chosen tables counted (tables: {count})", {"count": len(brought.rows)}),),
        )

    def _sink(self, schema: str, *, unused: bool) -> MysqlSink:
        return MysqlSink(
            lambda: self._server.connect(schema), self._server.location, self._server.source, unused=unused
        )


def destination_server(destination: str, own: MysqlServer) -> MysqlServer:
    """The server and database that a URL names. Raises `RestoreRefused`."""
    try:
        address = understood(parse_url(Secret(destination.encode()), SCHEMES))
    except ValueError as error:
        reason = Phrase("it is no URL of a MySQL database: {reason}", {"reason": str(error)})
        raise RestoreRefused(destination="the destination", reason=reason) from None
    if not address.database or any(ord(character) < 32 for character in address.database):
        raise RestoreRefused(destination=address.shown("mysql"), reason="the URL names no database")
    return MysqlServer(address, own.source)
