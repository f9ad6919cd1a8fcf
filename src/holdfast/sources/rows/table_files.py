"""Tables as JSON files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.errors import DumpIncomplete, Phrase
from holdfast.sources.rows.cells import encode_row
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.document import TABLE_FORMAT, Sections, head_of
from holdfast.sources.rows.related import Related
from holdfast.sources.rows.store import RowStore, TableInfo

_CHECK_EVERY = 1000


class TableFile:
    """The file of one table, made while it is read.

    Args:
        store: an entered snapshot.
        condition: an SQL expression that chooses rows; empty for all.
        related: where to collect rows that foreign keys lead to; None to leave them out.
        source: the source's name, for errors.
    """

    def __init__(self, store: RowStore, table: TableInfo, condition: str, related: Path | None, source: str) -> None:
        self._store = store
        self._table = table
        self._condition = condition
        self._related = related
        self._source = source
        self.count = 0

    def blocks(self, cancelled: Callable[[], None]) -> Iterator[bytes]:
        """The file. Raises `DumpIncomplete` if the database counts other rows than it gave."""
        related = Related(self._store, self._table, self._related) if self._related is not None else None
        try:
            yield from self._document(related, cancelled)
        finally:
            if related is not None:
                related.close()

    def _document(self, related: Related | None, cancelled: Callable[[], None]) -> Iterator[bytes]:
        table, store = self._table, self._store
        columns = {name: one.column_names for name, one in related.tables.items()} if related is not None else {}
        head = head_of(table, store.database, TABLE_FORMAT, condition=self._condition, related=columns)
        sections = Sections(head)
        yield sections.begin()
        yield from sections.rows("rows", table.name, self._lines(related, cancelled))
        written = sections.last
        counted = store.count(table, self._condition)
        if counted != written.count:
            reason = Phrase(
                "table {name} has {counted} rows and gave {count}",
                {"name": table.name, "counted": counted, "count": written.count},
            )
            raise DumpIncomplete(source=self._source, reason=reason)
        if related is not None:
            related.gather()
            for name in related.tables:
                yield from sections.rows(name, name, related.lines(name), related=True)
        self.count = written.count
        yield sections.end(written.count, written.digest, store.counter(table))

    def _lines(self, related: Related | None, cancelled: Callable[[], None]) -> Iterator[bytes]:
        names = self._table.column_names
        for number, row in enumerate(self._store.rows(self._table, self._condition)):
            if number % _CHECK_EVERY == 0:
                cancelled()
            if related is not None:
                related.note(self._table, row)
            yield encode_row(names, row)


def digest_of_rows(
    table: TableInfo, columns: tuple[str, ...], store: RowStore, cancelled: Callable[[], None]
) -> TableDigest:
    """Reads a table and adds up its rows, with the given columns in the given order."""
    digest = TableDigest(table.name)
    positions = [table.column_names.index(name) for name in columns]
    for row in store.rows(table):
        digest.add(encode_row(columns, tuple(row[at] for at in positions)))
        if digest.count % _CHECK_EVERY == 0:
            cancelled()
    return digest
