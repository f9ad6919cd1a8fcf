"""One dump of a PostgreSQL database: several forms of the same state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from holdfast.errors import DumpFailed, DumpIncomplete, DumpStalled, HoldfastError, Phrase
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.protocols import DumpRequest, Entry
from holdfast.runtime.programs import Patience, Program
from holdfast.sources.postgresql_archive import ArchiveJudge
from holdfast.sources.postgresql_counts import HeldSnapshot, left_out_tables
from holdfast.sources.postgresql_names import TableName, comparable
from holdfast.sources.postgresql_options import PostgresqlOptions
from holdfast.sources.postgresql_server import PostgresqlServer
from holdfast.sources.postgresql_text import TextJudge
from holdfast.sources.rows.changes import changes_entries, write_state
from holdfast.sources.rows.postgresql_store import PostgresqlRows
from holdfast.sources.server_dump import JudgedOutput, file_entry, plain_file_name
from holdfast.sources.server_tools import Tool

_FORMS = (Form.NATIVE, Form.SQL, Form.CHANGES)
_SHOWN = 3


class PostgresqlDump:
    """A dump over a held snapshot; see `holdfast.protocols.Dump`."""

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
        self._request = request
        self._held = held
        self._rows: dict[Form, dict[str, int]] = {}
        self._problems: list[Problem] = []
        self._state_written = False

    def forms(self) -> Sequence[Form]:
        """The custom format, plain SQL, and changes."""
        return _FORMS

    def shape(self, form: Form) -> Shape:
        """One file; one for each table for changes."""
        return Shape.FILES if form is Form.CHANGES else Shape.FILE

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
        outputs: list[JudgedOutput] = []

        def opened() -> JudgedOutput:
            output = JudgedOutput(
                self._server.source,
                lambda: self._start(form),
                judge,
                lambda: self._agrees(form, judge),
                lambda _ending: self._snapshot.explain(),
            )
            outputs.append(output)
            self._held.callback(output.close)
            return output

        yield file_entry(self.file_name(form), opened)
        if not any(output.whole for output in outputs):
            raise DumpIncomplete(source=self._server.source, reason="it was not read to its end")

    def _start(self, form: Form) -> Program:
        access = self._held.enter_context(self._server.for_programs(self._snapshot.connection))
        self._snapshot.start_counting()
        command = [self._tool.path, access.dbname, "--no-password", f"--snapshot={self._snapshot.snapshot_id}"]
        command += ["--format=custom", "--compress=0"] if form is Form.NATIVE else ["--format=plain"]
        command += [f"--schema={_pattern(name)}" for name in self._options.schemas]
        tables = sorted(left_out_tables(self._options.exclude_tables))
        command += [f"--exclude-table-data={_pattern(table.schema)}.{_pattern(table.name)}" for table in tables]
        patience = Patience(self._silence_s, self._silent, self._request.cancelled)
        try:
            return Program(
                command,
                patience,
                environment=access.environment,
                pass_fds=access.pass_fds,
                secrets=access.secrets,
            )
        except OSError as error:
            reason = Phrase("{path} cannot be run: {reason}", {"path": self._tool.path, "reason": error.strerror})
            raise DumpFailed(source=self._server.source, reason=reason) from error

    @property
    def _silence_s(self) -> float:
        return self._options.timeout_s or self._request.timeout_s

    def _silent(self, seconds: float) -> HoldfastError:
        return DumpStalled(source=self._server.source, seconds=round(seconds, 1))

    def _agrees(self, form: Form, judge: ArchiveJudge | TextJudge) -> None:
        counts, catalog = self._snapshot.counts(), self._snapshot.catalog
        found = {comparable(thing) for thing in judge.things}
        missing = sorted(thing.shown for thing in {comparable(thing) for thing in catalog.things} - found)
        if missing:
            more = Phrase(" and {count} more", {"count": len(missing) - _SHOWN}) if len(missing) > _SHOWN else ""
            self._incomplete(Phrase("it lacks {names}{more}", {"names": ", ".join(missing[:_SHOWN]), "more": more}))
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

    def _incomplete(self, reason: str) -> None:
        raise DumpIncomplete(source=self._server.source, reason=reason)

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

    def component(self, form: Form) -> Component:
        """What was dumped. Raises `DumpIncomplete` if the entries were not read to their end."""
        rows = self._rows.get(form)
        if rows is None:
            raise DumpIncomplete(source=self._server.source, reason="it was not read to its end")
        catalog = self._snapshot.catalog
        facts = {
            "server_version": catalog.server_version,
            "tool": f"pg_dump {self._tool.version}",
            "encoding": catalog.encoding,
            "collate": catalog.collate,
            "ctype": catalog.ctype,
        }
        if self._options.exclude_tables:
            facts["rows_left_out"] = ", ".join(self._options.exclude_tables)
        if self._options.schemas:
            facts["schemas"] = ", ".join(self._options.schemas)
        return Component(
            name=self._server.source,
            kind="postgresql",
            role=Role.DATABASE,
            form=form,
            shape=self.shape(form),
            file_name=self.file_name(form),
            original=self._server.location,
            rows=rows,
            facts=facts,
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem that the reader of the entries met."""
        self._problems.append(problem)


def _said(rows: dict[TableName, int], table: TableName) -> str:
    return str(rows[table]) if table in rows else Phrase("none", {})


def _pattern(name: str) -> str:
    """A name as a pattern of pg_dump that fits this name only: within quotes nothing is special but the quote."""
    return '"' + name.replace('"', '""') + '"'
