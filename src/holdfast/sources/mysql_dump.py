"""One dump of a MySQL or MariaDB database: SQL text, or changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from holdfast.errors import DumpFailed, Phrase
from holdfast.model.component import Form, Problem
from holdfast.protocols import DumpRequest, Entry
from holdfast.runtime.programs import Program
from holdfast.sources.mysql_dialect import dialect_of
from holdfast.sources.mysql_moment import Moment
from holdfast.sources.mysql_options import MysqlOptions
from holdfast.sources.mysql_server import MysqlServer
from holdfast.sources.mysql_statements import Kind
from holdfast.sources.mysql_text import TextJudge
from holdfast.sources.rows.changes import changes_entries, write_state
from holdfast.sources.server_component import Dumped, ServerDump
from holdfast.sources.server_source import shown_tool
from holdfast.sources.server_tools import Tool

_FILE_NAME = "database.sql"
_OPTIONS = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--default-character-set=utf8mb4",
    "--no-tablespaces",
    "--comments",
    "--dump-date",
)
# A mysqldump of MySQL 8 asks for a table that MariaDB does not have, and writes a statement for the whole server.
_OPTIONS_OF_MYSQL = ("--column-statistics=0", "--set-gtid-purged=OFF")
_FICKLE = "its engine has no transactions: rows that change during the dump may be torn"


class MysqlDump(ServerDump):
    """A dump of one moment. The text can be read once: a second run of the dump program would see another state."""

    kind = "mysql"
    all_forms = (Form.SQL, Form.CHANGES)

    def __init__(
        self,
        server: MysqlServer,
        options: MysqlOptions,
        tool: Tool,
        moment: Moment,
        request: DumpRequest,
        held: contextlib.ExitStack,
    ) -> None:
        self._server = server
        self._options = options
        self._tool = tool
        self._moment = moment
        self._started = False
        dumped = Dumped(server.source, server.location, options.timeout_s or request.timeout_s)
        super().__init__(dumped, request, held)
        self._problems += [
            Problem(code="not-transactional", subject=name, detail=_FICKLE)
            for name in sorted(moment.catalog.fickle & set(moment.tables))
        ]

    def file_name(self, form: Form) -> str:
        """`database.sql`."""
        del form
        return _FILE_NAME

    def entries(self, form: Form) -> Iterator[Entry]:
        """The content of a form. Raises `SourceError`."""
        if form is Form.CHANGES:
            yield from self._changes()
            return
        if self._started:
            raise DumpFailed(source=self._server.source, reason="a second dump would be of another moment")
        judge = TextJudge(dialect_of(self._moment.catalog.server_version), self._moment.released)

        yield from self._one_file(form, judge, self._start, lambda: self._agrees(form, judge))

    def _start(self) -> Program:
        self._started = True
        self._moment.start_counting()
        access = self._held.enter_context(self._server.for_programs())
        database = self._server.address.database
        # SAFETY: the options file comes first, where it is obeyed, and `--` before the name, which is no option then.
        command = [self._tool.path, access.defaults, *_OPTIONS]
        command += [] if self._keeps_definitions else _OPTIONS_OF_MYSQL
        left_out = "--ignore-table-data" if self._keeps_definitions else "--ignore-table"
        command += [f"{left_out}={database}.{name}" for name in self._options.exclude_tables]
        return self._program([*command, "--", database], pass_fds=access.pass_fds, secrets=access.secrets)

    @property
    def _keeps_definitions(self) -> bool:
        """Whether the program is MariaDB's, which can leave out the rows of a table and keep its definition."""
        return "MariaDB" in self._tool.version

    def _agrees(self, form: Form, judge: TextJudge) -> None:
        catalog = self._moment.catalog
        left_out = frozenset(() if self._keeps_definitions else self._options.exclude_tables)
        wanted = {thing for thing in catalog.things if thing.kind is not Kind.TABLE or thing.name not in left_out}
        self._lacks({thing.shown for thing in wanted - judge.things})
        triggers = sum(table not in left_out for table in catalog.triggers.values())
        if judge.triggers != triggers:
            self._incomplete(
                Phrase(
                    "there are {count} triggers and it has {expected}",
                    {"count": triggers, "expected": judge.triggers},
                )
            )
        wrong = self._moment.agreement()
        for table in self._moment.tables:
            reason = wrong(table, judge.rows[table])
            if reason:
                self._incomplete(reason)
        self._rows[form] = {table: judge.rows[table] for table in catalog.tables if table not in left_out}
        self._write_state()

    def _write_state(self) -> None:
        # A state that might not be the dump's would make every later incremental backup impossible to restore. Without
        # one, the next is a full backup.
        if self._request.state is not None and not self._state_written and self._moment.proven:
            write_state(self._moment.store, self._request.state, self._request.cancelled)
            self._state_written = True

    def _changes(self) -> Iterator[Entry]:
        rows: dict[str, int] = {}
        if not self._started:
            self._moment.let_go()
        yield from changes_entries(self._moment.store, self._request, self._server.source, rows)
        self._state_written = True
        self._rows[Form.CHANGES] = rows

    def _facts(self, form: Form) -> dict[str, str]:
        catalog = self._moment.catalog
        facts = {
            "server_version": catalog.server_version,
            "tool": shown_tool(self._tool),
            "database": self._server.address.database,
            "charset": catalog.charset,
            "collation": catalog.collation,
            "rows_compared": "same moment" if self._moment.proven or form is Form.CHANGES else "before and after",
        }
        if self._options.exclude_tables:
            facts["left_out"] = ", ".join(self._options.exclude_tables)
        if catalog.lost:
            facts["definers_missing"] = ", ".join(catalog.lost)
        return facts
