"""SQLite databases: copied while the application writes, put back in one step."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import SourceError, SourceMissing
from holdfast.model.component import Role
from holdfast.protocols import DumpRequest, LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.rows.sqlite_sink import SqliteSink
from holdfast.sources.rows.sqlite_store import SqliteRows
from holdfast.sources.sqlite_copy import copy_database
from holdfast.sources.sqlite_dump import SqliteDump
from holdfast.sources.sqlite_load import load_database, plan_load
from holdfast.sources.sqlite_opening import WAL, closing, open_snapshot, source_error
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.sources.sqlite_place import file_of
from holdfast.sources.sqlite_tables import load_tables, plan_tables

__all__ = ["Sqlite", "SqliteOptions"]


class Sqlite:
    """A source of kind `sqlite`.

    Args:
        name: the operator's name for it.
        base_dir: what a relative path starts from.
    """

    kind = "sqlite"
    role = Role.DATABASE

    def __init__(self, name: str, options: SqliteOptions, base_dir: Path) -> None:
        self.name = name
        self._options = options
        self._base_dir = base_dir
        # SQLite follows links too, and keeps its side files beside the file itself.
        self._path = Path(os.path.realpath(base_dir / options.path))

    def preflight(self) -> None:
        """Reads the schema.

        Raises:
            SourceMissing: there is no such file.
            SourceError: it is no database, encrypted, locked or not readable.
        """
        self._refuse_folder()
        if not self._path.exists():
            raise SourceMissing(source=self.name, path=str(self._path))
        with closing(open_snapshot(self._path, self.name, self._options.busy_timeout_s, lambda: None)) as database:
            try:
                database.execute("PRAGMA schema_version").fetchone()
            except sqlite3.Error as error:
                raise source_error(error, self.name, self._path, 0) from error

    def _refuse_folder(self) -> None:
        if self._path.is_dir():
            raise SourceError(path=str(self._path), reason="it is a folder and not a database file")

    def estimate_bytes(self) -> int | None:
        """The size of the file with its write-ahead log."""
        try:
            size_bytes = self._path.stat().st_size
        except OSError:
            return None
        try:
            return size_bytes + os.stat(f"{self._path}{WAL}").st_size
        except OSError:
            return size_bytes

    @contextmanager
    def dump(self, request: DumpRequest) -> Generator[SqliteDump]:
        """Copies the database to scratch space. Raises `SourceError`."""
        self._refuse_folder()
        into = request.scratch / f"{self.name}.db"
        copied = copy_database(self._path, self.name, self._options, into, request.listener, request.cancelled)
        dump = SqliteDump(self.name, self._path, self._options, copied, request)
        try:
            yield dump
        finally:
            dump.close()
            # What stays goes with the scratch directory.
            with contextlib.suppress(OSError):
                into.unlink(missing_ok=True)

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would do."""
        if request.tables:
            return plan_tables(self._destination(request), chain, request)
        return plan_load(self._destination(request), chain, request)

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Puts a database back, or writes it elsewhere; chosen tables or rows go into the one that is there.

        Raises:
            DestinationBusy: somebody works with the database that would be replaced.
            RestoreError: the destination is as it was.
            DamageError: the content is not whole; the destination is as it was.
        """
        if request.tables:
            return load_tables(self._destination(request), chain, request, self.name, self._options)
        return load_database(self._destination(request), chain, request, self.name)

    def row_store(self) -> SqliteRows:
        """Reads its rows."""
        return SqliteRows(self._path, self.name, self._options.busy_timeout_s)

    def row_sink(self, destination: str | None) -> SqliteSink:
        """Writes rows into it, or into another file that exists."""
        path = self._path if destination is None else file_of(destination, self._path.name, self._base_dir)
        return SqliteSink(path, self.name, self._options.busy_timeout_s)

    def _destination(self, request: LoadRequest) -> Path:
        if request.destination is None:
            return self._path
        return file_of(request.destination, self._path.name, self._base_dir)
