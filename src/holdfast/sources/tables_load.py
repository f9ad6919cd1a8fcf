"""Loads of the source `tables`: everything in one transaction, proved before it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from holdfast.errors import DamageError, Phrase, RestoreMismatch, RestoreRefused
from holdfast.model.event import Progress
from holdfast.protocols import LoadReport, LoadRequest, StoredContent
from holdfast.sources.rows.cells import Row, encode_row
from holdfast.sources.rows.choice import Rows, chosen_rows
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.document import TABLE_FORMAT
from holdfast.sources.rows.order import parents_first
from holdfast.sources.rows.spool import Spooled, spooled
from holdfast.sources.rows.store import ForeignKey, RowSink, TableInfo
from holdfast.sources.rows.table_files import digest_of_rows
from holdfast.sources.server_tables import undo_tables
from holdfast.sources.tables_options import TablesOptions
from holdfast.sources.tables_safety import keep_tables

_BATCH = 200


class _Part:
    """One table of the backup, on its way into its table of the destination."""

    def __init__(self, document: Spooled, table: TableInfo, rows: Rows, *, replaces: bool) -> None:
        self.document = document
        self.table = table
        self.chosen = rows
        self.replaces = replaces
        self.columns = document.head.column_names

    def rows(self) -> Iterator[Row]:
        """The rows to restore, with the columns of the backup."""
        return (row for row in self.document.rows() if self.chosen.fits(self.columns, row))

    def written(self) -> tuple[tuple[str, ...], Iterator[Row]]:
        """Columns that are written, and the rows without the others."""
        writable = frozenset(self.table.written_names)
        positions = [at for at, name in enumerate(self.columns) if name in writable]
        names = tuple(self.columns[at] for at in positions)
        return names, (tuple(row[at] for at in positions) for row in self.rows())

    def keys(self) -> Iterator[Row]:
        """Keys of the rows to restore."""
        positions = [self.columns.index(name) for name in self.table.primary_key]
        return (tuple(row[at] for at in positions) for row in self.rows())


class TablesLoad:
    """One load.

    Args:
        sink: an entered transaction.
        folder: where the former rows are kept; None not to keep them.
    """

    def __init__(
        self, name: str, options: TablesOptions, sink: RowSink, folder: Path | None, request: LoadRequest
    ) -> None:
        self._name = name
        self._options = options
        self._sink = sink
        self._folder = folder
        self._request = request
        self._tables = {table.name: table for table in sink.tables()}

    def run(self, content: StoredContent) -> LoadReport:
        """Restores, proves and commits."""
        parts = self._parts(spooled(content, self._request.scratch, self._request.cancelled))
        added = self._related(parts) if self._options.with_parents else {}
        touched = [self._tables[name] for name in dict.fromkeys([*(part.table.name for part in parts), *added])]
        keys = list(self._keys_around(touched))
        self._sink.begin(touched)
        before = [self._sink.orphans(child, key) for child, key in keys]
        copies = () if self._folder is None else keep_tables(self._sink, touched, self._folder, self._request.cancelled)
        for part in reversed(parts):
            self._make_room(part)
        for name, documents in added.items():
            self._add_missing(self._tables[name], documents)
        for number, part in enumerate(parts):
            self._request.listener(
                Progress(phase="load", items_done=number, items_total=len(parts), current=part.table.name)
            )
            names, rows = part.written()
            self._sink.insert(part.table, names, self._checked(rows))
        counts = {part.table.name: self._prove(part) for part in parts}
        self._refuse_orphans(keys, before)
        for part in parts:
            self._sink.raise_counter(part.table, part.document.tail.counter if part.replaces else None)
        self._sink.refresh(touched)
        self._sink.commit()
        return self._report(counts, copies)

    def _parts(self, documents: Sequence[Spooled]) -> list[_Part]:
        """What is asked for, parents first, after looking whether it fits."""
        by_table = {document.head.table: document for document in documents}
        parts: dict[str, _Part] = {}
        for name, rows in chosen_rows(self._request.tables, by_table).items():
            document = by_table[name]
            rows.check(document.head.column_names)
            table = self._fitting(document)
            replaces = self._options.mode == "replace" and not rows.conditions and not document.head.condition
            if not replaces and not table.primary_key:
                raise self._refused(
                    Phrase(
                        "table {name} has no primary key to tell its rows apart by; restore it as a whole",
                        {"name": name},
                    )
                )
            part = _Part(document, table, rows, replaces=replaces)
            if rows.conditions and next(part.rows(), None) is None:
                raise self._refused(Phrase("the backup has no such row of table {name}", {"name": name}))
            parts[name] = part
        return [parts[table.name] for table in parents_first(part.table for part in parts.values())]

    def _fitting(self, document: Spooled) -> TableInfo:
        head = document.head
        if head.format != TABLE_FORMAT:
            raise DamageError(object=head.table, reason="it is not the file of a table")
        if head.database != self._sink.database:
            raise self._refused(Phrase("the backup is of a {database} database", {"database": head.database}))
        table = self._tables.get(head.table)
        if table is None:
            raise self._refused(Phrase("it has no table {table}", {"table": head.table}))
        lost = [name for name in head.column_names if name not in table.column_names]
        if lost:
            raise self._refused(
                Phrase("table {table} has no column {column} any more", {"table": head.table, "column": lost[0]})
            )
        return table

    def _related(self, parts: Sequence[_Part]) -> dict[str, list[Spooled]]:
        """Related tables that may be added to, with the documents that have rows of them, parents first."""
        restored = {part.table.name for part in parts}
        found: dict[str, list[Spooled]] = {}
        for part in parts:
            for name in part.document.head.related:
                if name in self._tables and name not in restored:
                    found.setdefault(name, []).append(part.document)
        return {table.name: found[table.name] for table in parents_first(self._tables[name] for name in found)}

    def _keys_around(self, touched: Sequence[TableInfo]) -> Iterator[tuple[TableInfo, ForeignKey]]:
        """Foreign keys of the tables and to them."""
        names = {table.name for table in touched}
        for child in self._tables.values():
            for key in child.foreign_keys:
                if key.parent in self._tables and (child.name in names or key.parent in names):
                    yield child, key

    def _make_room(self, part: _Part) -> None:
        if part.replaces:
            self._sink.clear(part.table)
        else:
            self._sink.delete(part.table, part.table.primary_key, self._checked(part.keys()))

    def _add_missing(self, table: TableInfo, documents: Sequence[Spooled]) -> None:
        """Adds related rows whose keys are not there; those that are there stay as they are."""
        if not table.primary_key:
            raise self._refused(
                Phrase("related table {name} has no primary key to tell its rows apart by", {"name": table.name})
            )
        for document in documents:
            names = document.head.related[table.name]
            if not set(names) <= set(table.column_names):
                raise self._refused(Phrase("related table {name} has other columns now", {"name": table.name}))
            positions = [names.index(column) for column in table.primary_key]
            theirs = [table.column_names.index(column) for column in table.primary_key]
            written = [at for at, name in enumerate(names) if name in table.written_names]
            rows = document.related(table.name)
            while batch := list(islice(rows, _BATCH)):
                by_key = {encode_row(table.primary_key, tuple(row[at] for at in positions)): row for row in batch}
                keys = [tuple(row[at] for at in positions) for row in batch]
                for there in self._sink.matching(table, table.primary_key, keys):
                    by_key.pop(encode_row(table.primary_key, tuple(there[at] for at in theirs)), None)
                missing = [tuple(row[at] for at in written) for row in by_key.values()]
                self._sink.insert(table, tuple(names[at] for at in written), missing)

    def _prove(self, part: _Part) -> int:
        """Compares what is there now with the backup; the number of its rows that are."""
        if part.replaces:
            expected = part.document.tail.count, part.document.tail.digest
            digest = digest_of_rows(part.table, part.columns, self._sink, self._request.cancelled)
        else:
            wanted = TableDigest(part.table.name)
            digest = TableDigest(part.table.name)
            positions = [part.table.column_names.index(name) for name in part.columns]
            rows = self._checked(part.rows())
            keyed = [part.columns.index(name) for name in part.table.primary_key]
            while batch := list(islice(rows, _BATCH)):
                for row in batch:
                    wanted.add(encode_row(part.columns, row))
                keys = [tuple(row[at] for at in keyed) for row in batch]
                for row in self._sink.matching(part.table, part.table.primary_key, keys):
                    digest.add(encode_row(part.columns, tuple(row[at] for at in positions)))
            expected = wanted.count, wanted.hexdigest()
        if (digest.count, digest.hexdigest()) != expected:
            reason = Phrase(
                "table {name} would have {count} rows of the backup, not {expected}",
                {"name": part.table.name, "count": digest.count, "expected": expected[0]},
            )
            if digest.count == expected[0]:
                reason = Phrase("rows of table {name} would differ from those of the backup", {"name": part.table.name})
            raise RestoreMismatch(destination=self._sink.location, reason=reason)
        return digest.count

    def _refuse_orphans(self, keys: Sequence[tuple[TableInfo, ForeignKey]], before: Sequence[int]) -> None:
        for (child, key), lost in zip(keys, before, strict=True):
            now = self._sink.orphans(child, key)
            if now > lost:
                reason = Phrase(
                    "{count} rows of table {name} would refer to rows of {parent} that are not there",
                    {"count": now - lost, "name": child.name, "parent": key.parent},
                )
                raise self._refused(reason)

    def _report(self, counts: Mapping[str, int], copies: tuple[str, ...]) -> LoadReport:
        return LoadReport(
            destination=self._sink.location,
            safety_copies=copies,
            undo=undo_tables(self._folder, self._options.database, self._request.destination),
            rows=dict(counts),
            file_count=len(counts),
            checks=tuple(
                Phrase("{name}: {rows} rows read back and compared", {"name": name, "rows": rows})
                for name, rows in counts.items()
            ),
        )

    def _checked(self, rows: Iterator[Row]) -> Iterator[Row]:
        cancelled: Callable[[], None] = self._request.cancelled
        for number, row in enumerate(rows):
            if number % _BATCH == 0:
                cancelled()
            yield row

    def _refused(self, reason: str) -> RestoreRefused:
        return RestoreRefused(destination=self._sink.location, reason=reason)
