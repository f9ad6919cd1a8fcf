"""The source `tables`: chosen tables of a database, one JSON file each."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import Phrase, RestoreRefused
from holdfast.model.component import Role
from holdfast.protocols import DumpRequest, LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.rows.choice import chosen_rows, chosen_tables
from holdfast.sources.rows.store import DatabaseSource, RowStore, TableInfo
from holdfast.sources.tables_dump import TablesDump
from holdfast.sources.tables_load import TablesLoad
from holdfast.sources.tables_options import TablesOptions

__all__ = ["Tables", "TablesOptions"]


class Tables:
    """Tables of a database that another source names; a `Source`.

    Args:
        base_dir: safety copies of tables on a server go into `.holdfast` below it.
        database: the source that is the database.
    """

    kind = "tables"
    role = Role.TABLES

    def __init__(self, name: str, options: TablesOptions, base_dir: Path, database: DatabaseSource) -> None:
        self._name = name
        self._options = options
        self._base_dir = base_dir
        self._database = database

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    def preflight(self) -> None:
        """Finds out whether the database answers and has all tables that are named.

        Raises:
            SourceError: the database cannot be read.
            UnknownName: there is no such table.
        """
        with self._database.row_store() as store:
            for table in self._chosen(store):
                store.count(table, self._options.where.get(table.name, ""))

    def estimate_bytes(self) -> int | None:
        """None: a database tells the size of its files and not of its rows."""
        return None

    @contextmanager
    def dump(self, request: DumpRequest) -> Generator[TablesDump]:
        """Takes a snapshot. Raises `SourceError` and `UnknownName`."""
        with self._database.row_store() as store:
            yield TablesDump(self._name, self._options, store, self._chosen(store), request)

    def plan(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
        """Says what `load` would replace. Raises `UnknownName` for tables that the backup does not have."""
        component = chain[-1].component
        wanted = chosen_rows(request.tables, component.rows)
        with self._database.row_sink(request.destination) as sink:
            known = {table.name: table for table in sink.tables()}
            for name in wanted:
                if name not in known:
                    raise RestoreRefused(
                        destination=sink.location, reason=Phrase("it has no table {name}", {"name": name})
                    )
            held = {name: sink.count(known[name]) for name in wanted}
            some = {name: "some of " if rows.conditions else "" for name, rows in wanted.items()}
            copies = (str(self._safety_dir(sink.directory, request.stamp)),) if request.safety_copy else ()
            location = sink.location
        return LoadPlan(
            destination=location,
            replaces=tuple(f"{name} ({some[name]}{rows} rows)" for name, rows in sorted(held.items())),
            safety_copies=copies,
            directory=request.scratch,
            needed_bytes=2 * component.content_bytes,
        )

    def load(self, chain: Sequence[StoredContent], request: LoadRequest) -> LoadReport:
        """Brings tables or rows back in one transaction, parents first.

        Raises:
            RestoreRefused: rows of other tables would lose their parents, or the tables do not fit.
            RestoreError, DamageError: nothing was changed.
        """
        with self._database.row_sink(request.destination) as sink:
            folder = self._safety_dir(sink.directory, request.stamp) if request.safety_copy else None
            return TablesLoad(self._name, self._options, sink, folder, request).run(chain[-1])

    def _chosen(self, store: RowStore) -> list[TableInfo]:
        known = [table for table in store.tables() if not table.internal]
        chosen_tables(known, tuple(self._options.where), ())
        return chosen_tables(known, self._options.tables, self._options.exclude)

    def _safety_dir(self, beside: Path | None, stamp: str) -> Path:
        """A folder that is not there yet: beside a database that is a file, else in our own folder."""
        parent = self._base_dir / ".holdfast" if beside is None else beside
        plain = parent / f"before-restore-{stamp}"
        numbered = (parent / f"{plain.name}_{number}" for number in range(2, 10_000))
        return plain if not plain.exists() else next(path for path in numbered if not path.exists())
