"""One consistent state of a SQLite database: a copy in scratch space, checked while it is handed out."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from holdfast.errors import DumpIncomplete, Phrase, SourceDamaged, SourceError
from holdfast.model.component import Component, Form, Problem, Role, Shape
from holdfast.model.event import Warned
from holdfast.protocols import DumpRequest, Entry
from holdfast.sources.place_entries import OpenFile, file_entry
from holdfast.sources.rows.changes import changes_entries, write_state
from holdfast.sources.rows.sqlite_store import SqliteRows
from holdfast.sources.rows.streams import IteratorReader, gathered
from holdfast.sources.sqlite_check import Examination, examine
from holdfast.sources.sqlite_copy import Copied
from holdfast.sources.sqlite_opening import source_error
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.sources.sqlite_text import sql_text

SQL_NAME = "database.sql"


class SqliteDump:
    """A `Dump` over a copy.

    Args:
        source: the source's name.
        path: the original.
        copied: the copy, to which nobody writes.
    """

    def __init__(self, source: str, path: Path, options: SqliteOptions, copied: Copied, request: DumpRequest) -> None:
        self._source = source
        self._path = path
        self._options = options
        self._copied = copied
        self._request = request
        self._problems: list[Problem] = []
        self._rows: dict[Form, dict[str, int]] = {}
        self._state_written = False
        self._original = os.stat(path)
        # The check takes as long as the copy did. It runs beside the first reading, which may end only when it is done.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="holdfast-sqlite")
        self._check: Future[Examination] = self._executor.submit(self._examine)

    def close(self) -> None:
        """Waits for what still runs on the copy."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def forms(self) -> Sequence[Form]:
        """The file itself is best."""
        return (Form.NATIVE, Form.SQL, Form.CHANGES)

    def shape(self, form: Form) -> Shape:
        """Changes are a file for each table."""
        return Shape.FILES if form is Form.CHANGES else Shape.FILE

    def file_name(self, form: Form) -> str:
        """The database's own name, or what SQL text is called everywhere."""
        return SQL_NAME if form is Form.SQL else self._path.name

    def entries(self, form: Form) -> Iterator[Entry]:
        """The copy, or what is made of it.

        Raises:
            SourceDamaged: the copy does not pass SQLite's check.
            SourceError: it cannot be read, or what was made of it is not whole.
        """
        if form is Form.CHANGES:
            yield from self._changes()
        elif form is Form.SQL:
            yield self._text()
        else:
            yield file_entry(
                self._path.name,
                lambda: OpenFile(self._copied.path, self._unreadable, self._examined),
                size_bytes=self._copied.size_bytes,
                mtime_ns=self._original.st_mtime_ns,
            )
        self._examined()
        self._write_state()

    def component(self, form: Form) -> Component:
        """What was dumped.

        Raises:
            DumpIncomplete: rows are missing in what was written.
        """
        counted = self._examined()
        written = self._rows.get(form, counted.rows)
        self._compare(written, counted.rows)
        return Component(
            name=self._source,
            kind="sqlite",
            role=Role.DATABASE,
            form=form,
            shape=self.shape(form),
            file_name=self.file_name(form),
            original=str(self._path),
            rows=counted.rows,
            facts=self._facts(counted),
            problems=tuple(self._problems),
        )

    def problem(self, problem: Problem) -> None:
        """Notes a problem of the reader."""
        self._problems.append(problem)

    # --- the check ------------------------------------------------------------------------------

    def _examine(self) -> Examination:
        full = self._options.integrity == "full"
        try:
            return examine(self._copied.path, full=full, cancelled=self._request.cancelled)
        except sqlite3.Error as error:
            raise source_error(error, self._source, self._path, 0) from error

    def _examined(self) -> Examination:
        found = self._check.result()
        if found.problems:
            raise SourceDamaged(source=self._source, reason=f"{self._path}: {found.reason}")
        return found

    def _compare(self, written: dict[str, int], counted: dict[str, int]) -> None:
        for table, rows in written.items():
            if table in counted and counted[table] != rows:
                raise DumpIncomplete(
                    source=self._source,
                    reason=Phrase(
                        "{rows} of {counted} rows of table {table} were written",
                        {"rows": rows, "counted": counted[table], "table": table},
                    ),
                )

    def _facts(self, counted: Examination) -> dict[str, str]:
        facts = {
            "sqlite": sqlite3.sqlite_version,
            "method": self._options.method,
            "integrity": self._options.integrity,
            "journal_mode": self._copied.journal_mode,
            "encoding": self._copied.encoding,
            "user_version": str(self._copied.user_version),
            "mode": f"{self._original.st_mode & 0o777:04o}",
            "owner": f"{self._original.st_uid}:{self._original.st_gid}",
        }
        if counted.broken_keys:
            facts["broken_foreign_keys"] = str(counted.broken_keys)
            self._warn(
                "broken-foreign-keys",
                Phrase("{broken_keys} rows name a row that does not exist", {"broken_keys": counted.broken_keys}),
            )
        if counted.unchecked:
            facts["unchecked"] = ", ".join(counted.unchecked)
        if self._original.st_nlink > 1:
            facts["hard_links"] = str(self._original.st_nlink)
            self._warn("hard-links", "a database of several names is damaged if programs use different ones")
        return facts

    def _warn(self, code: str, detail: str) -> None:
        self._request.listener(Warned(code=code, subject=self._source, detail=detail))

    # --- forms ----------------------------------------------------------------------------------

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(path=str(self._copied.path), reason=error.strerror or str(error))

    def _text(self) -> Entry:
        tally = self._rows[Form.SQL] = {}
        return file_entry(SQL_NAME, lambda: IteratorReader(gathered(self._sql(tally))))

    def _sql(self, tally: dict[str, int]) -> Iterator[bytes]:
        try:
            yield from sql_text(self._copied.path, self._source, tally, self._request.cancelled)
        except sqlite3.Error as error:
            raise source_error(error, self._source, self._path, 0) from error
        counted = self._examined().rows
        if tally.keys() != counted.keys():
            raise DumpIncomplete(
                source=self._source,
                reason=Phrase(
                    "{count} of {expected} tables were written", {"count": len(tally), "expected": len(counted)}
                ),
            )
        self._compare(tally, counted)

    def _changes(self) -> Iterator[Entry]:
        rows = self._rows[Form.CHANGES] = {}
        with SqliteRows(self._copied.path, self._source) as store:
            yield from changes_entries(store, self._request, self._source, rows)
        self._state_written = True

    def _write_state(self) -> None:
        if self._request.state is None or self._state_written:
            return
        with SqliteRows(self._copied.path, self._source) as store:
            write_state(store, self._request.state, self._request.cancelled)
        self._state_written = True
