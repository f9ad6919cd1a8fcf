"""Applies the changes of an incremental backup, in one transaction, and proves the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from holdfast.errors import DamageError, LoadFailed, Phrase, RestoreMismatch
from holdfast.protocols import LoadRequest, StoredContent
from holdfast.sources.rows.cells import Row, encode_row
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.document import CHANGES_FORMAT
from holdfast.sources.rows.order import parents_first
from holdfast.sources.rows.spool import Spooled, spooled
from holdfast.sources.rows.store import RowSink, RowStore, TableInfo

_CHECK_EVERY = 1000


def applied(sink: RowSink, content: StoredContent, request: LoadRequest) -> dict[str, int]:
    """See `holdfast.sources.rows.changes.apply_changes`."""
    changes = _by_table(spooled(content, request.scratch, request.cancelled))
    tables = {table.name: table for table in sink.tables()}
    _compare_catalogues(sink, tables, changes)
    touched = [table for table in parents_first(tables.values()) if _touches(changes[table.name])]
    sink.begin(touched)
    for table in reversed(touched):
        _delete(sink, table, changes[table.name])
    for table in touched:
        rows = written_rows(table, changes[table.name].rows(), request.cancelled)
        sink.insert(table, table.written_names, rows)
    counts: dict[str, int] = {}
    for name, table in tables.items():
        counts[name] = _prove(sink, table, changes[name], request.cancelled)
        sink.raise_counter(table, changes[name].tail.counter)
    sink.commit()
    return counts


def written_rows(table: TableInfo, rows: Iterator[Row], cancelled: Callable[[], None]) -> Iterator[Row]:
    """Rows without the cells of generated columns."""
    chosen = tuple(number for number, column in enumerate(table.columns) if not column.generated)
    for number, row in enumerate(rows):
        if number % _CHECK_EVERY == 0:
            cancelled()
        yield tuple(row[at] for at in chosen) if len(chosen) != len(row) else row


def digest_of(store: RowStore, table: TableInfo, cancelled: Callable[[], None]) -> TableDigest:
    """Reads a table and adds up its rows."""
    digest = TableDigest(table.name)
    for row in store.rows(table):
        digest.add(encode_row(table.column_names, row))
        if digest.count % _CHECK_EVERY == 0:
            cancelled()
    return digest


def _by_table(documents: list[Spooled]) -> dict[str, Spooled]:
    changes: dict[str, Spooled] = {}
    for document in documents:
        if document.head.format != CHANGES_FORMAT or document.head.table in changes:
            raise DamageError(object=document.head.table, reason="it is not the only list of changes of a table")
        changes[document.head.table] = document
    return changes


def _compare_catalogues(sink: RowSink, tables: Mapping[str, TableInfo], changes: Mapping[str, Spooled]) -> None:
    for name in sorted({*tables, *changes}):
        if name not in tables or name not in changes:
            where = "the backup" if name not in changes else "the destination"
            raise LoadFailed(
                destination=sink.location, reason=Phrase("{where} has no table {name}", {"where": where, "name": name})
            )
        head = changes[name].head
        if head.database != sink.database:
            raise LoadFailed(
                destination=sink.location,
                reason=Phrase("the changes are of a {database} database", {"database": head.database}),
            )
        if head.column_names != tables[name].column_names:
            raise LoadFailed(
                destination=sink.location, reason=Phrase("table {name} has other columns in the backup", {"name": name})
            )


def _touches(change: Spooled) -> bool:
    return change.head.whole or any(section.count for section in change.tail.sections)


def _delete(sink: RowSink, table: TableInfo, change: Spooled) -> None:
    if change.head.whole:
        sink.clear(table)
        return
    # INVARIANT: everything that goes or changes is deleted before anything is inserted. A unique value that moved
    # from one row to another would collide otherwise.
    key = change.head.primary_key
    sink.delete(table, key, change.gone())
    positions = tuple(change.head.column_names.index(name) for name in key)
    sink.delete(table, key, (tuple(row[at] for at in positions) for row in change.rows()))


def _prove(sink: RowSink, table: TableInfo, change: Spooled, cancelled: Callable[[], None]) -> int:
    found = digest_of(sink, table, cancelled)
    if found.count != change.tail.count:
        reason = Phrase(
            "table {name} would have {count} rows instead of {expected}",
            {"name": table.name, "count": found.count, "expected": change.tail.count},
        )
        raise RestoreMismatch(destination=sink.location, reason=reason)
    if found.hexdigest() != change.tail.digest:
        reason = Phrase("rows of table {name} would differ from those that were backed up", {"name": table.name})
        raise RestoreMismatch(destination=sink.location, reason=reason)
    return found.count
