"""One dump of a PostgreSQL database: several forms of the same state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from holdfast.errors import Phrase
from holdfast.model.component import Form
from holdfast.protocols import DumpRequest, Entry
from holdfast.runtime.programs import Program
from holdfast.sources.postgresql_archive import ArchiveJudge
from holdfast.sources.postgresql_counts import HeldSnapshot, left_out_tables
from holdfast.sources.postgresql_names import TableName, comparable
from holdfast.sources.postgresql_options import PostgresqlOptions
from holdfast.sources.postgresql_server import PostgresqlServer
from holdfast.sources.postgresql_text import TextJudge
from holdfast.sources.rows.changes import changes_entries, write_state
from holdfast.sources.rows.postgresql_store import PostgresqlRows
from holdfast.sources.server_component import Dumped, ServerDump
from holdfast.sources.server_dump import plain_file_name
from holdfast.sources.server_source import shown_tool
from holdfast.sources.server_tools import Tool


class PostgresqlDump(ServerDump):
    """A dump over a held snapshot."""

    kind = "postgresql"
    all_forms = (Form.NATIVE, Form.SQL, Form.CHANGES)

    def __init__(
        self,
        server: PostgresqlServer,
        options: PostgresqlOptions,
        tool: Tool,
        snapshot: HeldSnapshot,
        request: DumpRequest,
        held: contextlib.ExitStack,
    ) -> None:
        self._server = server
        self._options = options
        self._tool = tool
        self._snapshot = snapshot
        dumped = Dumped(server.source, server.location, options.timeout_s or request.timeout_s)
        super().__init__(dumped, request, held)

    def file_name(self, form: Form) -> str:
        """`<database>.dump` or `database.sql`."""
        if form is Form.NATIVE:
            return plain_file_name(self._server.address.database, ".dump")
        return "database.sql"

    def entries(self, form: Form) -> Iterator[Entry]:
        """The content of a form. Raises `SourceError`."""
        if form is Form.CHANGES:
            yield from self._changes()
            return
        judge = ArchiveJudge() if form is Form.NATIVE else TextJudge()
        yield from self._one_file(
            form,
            judge,
            lambda: self._start(form),
            lambda: self._agrees(form, judge),
            lambda _ending: self._snapshot.explain(),
        )

    def _start(self, form: Form) -> Program:
        access = self._held.enter_context(self._server.for_programs(self._snapshot.connection))
        self._snapshot.start_counting()
        command = [self._tool.path, access.dbname, "--no-password", f"--snapshot={self._snapshot.snapshot_id}"]
        command += ["--format=custom", "--compress=0"] if form is Form.NATIVE else ["--format=plain"]
        command += [f"--schema={_pattern(name)}" for name in self._options.schemas]
        tables = sorted(left_out_tables(self._options.exclude_tables))
        command += [f"--exclude-table-data={_pattern(table.schema)}.{_pattern(table.name)}" for table in tables]
        return self._program(command, environment=access.environment, pass_fds=access.pass_fds, secrets=access.secrets)

    def _agrees(self, form: Form, judge: ArchiveJudge | TextJudge) -> None:
        counts, catalog = self._snapshot.counts(), self._snapshot.catalog
        found = {comparable(thing) for thing in judge.things}
        self._lacks({thing.shown for thing in {comparable(thing) for thing in catalog.things} - found})
        for table, count in counts.items():
            if judge.rows.get(table) != count:
                self._incomplete(
                    Phrase(
                        "table {table} has {before} rows and the dump has {dumped}",
                        {"table": table.shown, "before": count, "dumped": _said(judge.rows, table)},
                    )
                )
        if judge.large_objects != catalog.large_objects:
            self._incomplete(
                Phrase(
                    "there are {count} large objects and it has {expected}",
                    {"count": catalog.large_objects, "expected": judge.large_objects},
                )
            )
        self._rows[form] = catalog.rows(counts)
        if self._request.state is not None and not self._state_written:
            with self._store() as store:
                write_state(store, self._request.state, self._request.cancelled)
            self._state_written = True

    def _changes(self) -> Iterator[Entry]:
        rows: dict[str, int] = {}
        with self._store() as store:
            yield from changes_entries(store, self._request, self._server.source, rows)
        self._state_written = True
        self._rows[Form.CHANGES] = rows

    def _store(self) -> PostgresqlRows:
        return PostgresqlRows(
            self._server.plain, self._server.location, self._server.source, self._snapshot.snapshot_id
        )

    def _facts(self, form: Form) -> dict[str, str]:
        del form  # they are the same for all
        catalog = self._snapshot.catalog
        facts = {
            "server_version": catalog.server_version,
            "tool": shown_tool(self._tool),
            "encoding": catalog.encoding,
            "collate": catalog.collate,
            "ctype": catalog.ctype,
        }
        if self._options.exclude_tables:
            facts["rows_left_out"] = ", ".join(self._options.exclude_tables)
        if self._options.schemas:
            facts["schemas"] = ", ".join(self._options.schemas)
        return facts


def _said(rows: dict[TableName, int], table: TableName) -> str:
    return str(rows[table]) if table in rows else Phrase("none", {})


def _pattern(name: str) -> str:
    """A name as a pattern of pg_dump that fits this name only: within quotes nothing is special but the quote."""
    return '"' + name.replace('"', '""') + '"'
