"""Changes since a base: what incremental backups of databases hold.

One document for each table: the rows that are new or different, the keys of those that are gone, and what the whole
table counts and adds up to. Rows are compared by hash; nothing rests on columns that an application keeps up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from holdfast.errors import DumpIncomplete, Phrase
from holdfast.model.event import Progress
from holdfast.model.node import Node, NodeType
from holdfast.protocols import DumpRequest, Entry, LoadRequest, StoredContent
from holdfast.sources.rows.apply import applied
from holdfast.sources.rows.cells import encode_key, encode_row
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.document import CHANGES_FORMAT, Sections, file_name, head_of
from holdfast.sources.rows.state import BaseState, StateWriter
from holdfast.sources.rows.store import RowSink, RowStore, TableInfo
from holdfast.sources.rows.streams import IteratorReader, gathered

_SUFFIX = ".changes.json"
_CHECK_EVERY = 1000


def changes_entries(store: RowStore, request: DumpRequest, source_name: str, rows: dict[str, int]) -> Iterator[Entry]:
    """One file for each table: the rows that are new or different, the keys of those that are gone.

    Reads `request.base`, writes `request.state` when the last entry was read to its end. Entries that are not read
    are gone through all the same.

    Args:
        store: an entered snapshot.
        rows: takes the number of rows of each table, for the component.

    Raises:
        NoBase: the schema is not the one of the base, or the base's state cannot be used; raised by the call itself.
        SourceError: rows cannot be read, or are fewer than the database counts.
    """
    schema = store.schema_sha256()
    base = None
    if request.base is not None:
        base = BaseState(request.base, request.scratch, store.database, schema, source_name, request.cancelled)
    return _entries(_Comparison(store, base, request, source_name), schema, rows)


def write_state(store: RowStore, state: Path, cancelled: Callable[[], None]) -> dict[str, int]:
    """Reads all rows and notes their hashes, for a later incremental backup. Returns the rows by table."""
    counts: dict[str, int] = {}
    with StateWriter(state, store.database, store.schema_sha256()) as writer:
        for table in store.tables():
            writer.begin(table.name, table.primary_key)
            digest = TableDigest(table.name)
            positions = key_positions(table)
            for row in store.rows(table):
                hashed = digest.add(encode_row(table.column_names, row))
                if positions:
                    writer.row(tuple(row[at] for at in positions), hashed)
                if digest.count % _CHECK_EVERY == 0:
                    cancelled()
            writer.end(digest.count, digest.hexdigest())
            counts[table.name] = digest.count
    return counts


def apply_changes(sink: RowSink, content: StoredContent, request: LoadRequest) -> dict[str, int]:
    """Applies one component of form CHANGES to a database that holds exactly its base, and commits.

    Args:
        sink: an entered transaction on which `begin` was not called.
        request: for its scratch, which takes the changes before they are applied, and its cancel token.

    Returns:
        The rows of each table afterwards.

    Raises:
        RestoreMismatch: the result is not what was dumped; nothing was changed.
        LoadFailed: the database did not take it; nothing was changed.
        DamageError: the content is not whole; nothing was changed.
    """
    return applied(sink, content, request)


def key_positions(table: TableInfo) -> tuple[int, ...]:
    """Where the cells of the primary key are in a row."""
    return tuple(table.column_names.index(name) for name in table.primary_key)


def _entries(comparison: _Comparison, schema: str, rows: dict[str, int]) -> Iterator[Entry]:
    request, store = comparison.request, comparison.store
    tables = sorted(store.tables(), key=lambda table: file_name(table.name, _SUFFIX).encode())
    try:
        if request.state is None:
            yield from _files(comparison, None, tables, rows)
        else:
            with StateWriter(request.state, store.database, schema) as writer:
                yield from _files(comparison, writer, tables, rows)
    finally:
        comparison.close()


def _files(
    comparison: _Comparison, writer: StateWriter | None, tables: list[TableInfo], rows: dict[str, int]
) -> Iterator[Entry]:
    for number, table in enumerate(tables):
        comparison.request.listener(
            Progress(phase="rows", items_done=number, items_total=len(tables), current=table.name)
        )
        reader = IteratorReader(gathered(comparison.document(table, writer, rows)))
        name = file_name(table.name, _SUFFIX).encode()
        yield Entry(
            path=name,
            node=Node(name=name, type=NodeType.FILE, mode=0o600),
            size_known=False,
            open=partial(_itself, reader),
        )
        reader.drain()


class _Comparison:
    """One snapshot beside one base."""

    def __init__(self, store: RowStore, base: BaseState | None, request: DumpRequest, source_name: str) -> None:
        self.store = store
        self.request = request
        self._base = base
        self._source = source_name

    def close(self) -> None:
        """Gives back the loaded base."""
        if self._base is not None:
            self._base.close()

    def document(self, table: TableInfo, writer: StateWriter | None, rows: dict[str, int]) -> Iterator[bytes]:
        """The changes of one table."""
        base = self._base if self._comparable(table) else None
        digest = TableDigest(table.name)
        whole = base is None and not self._untouched(table)
        sections = Sections(head_of(table, self.store.database, CHANGES_FORMAT, whole=whole))
        yield sections.begin()
        if writer is not None:
            writer.begin(table.name, table.primary_key)
        changed = self._changed(table, base, digest, writer)
        yield from sections.rows("rows", table.name, changed if whole or base is not None else _none_of(changed))
        yield from sections.rows("gone", table.name, () if base is None else base.unseen(table.name))
        counted = self.store.count(table)
        if counted != digest.count:
            reason = Phrase(
                "table {name} has {counted} rows and gave {count}",
                {"name": table.name, "counted": counted, "count": digest.count},
            )
            raise DumpIncomplete(source=self._source, reason=reason)
        if writer is not None:
            writer.end(digest.count, digest.hexdigest())
        rows[table.name] = digest.count
        yield sections.end(digest.count, digest.hexdigest(), self.store.counter(table))

    def _comparable(self, table: TableInfo) -> bool:
        known = self._base.tables.get(table.name) if self._base is not None else None
        return known is not None and bool(table.primary_key) and known.primary_key == table.primary_key

    def _untouched(self, table: TableInfo) -> bool:
        """Whether a table without a usable key holds exactly what it held; costs a reading of its own."""
        known = self._base.tables.get(table.name) if self._base is not None else None
        if known is None or self.store.count(table) != known.count:
            return False
        digest = TableDigest(table.name)
        for row in self.store.rows(table):
            digest.add(encode_row(table.column_names, row))
        return digest.hexdigest() == known.digest

    def _changed(
        self, table: TableInfo, base: BaseState | None, digest: TableDigest, writer: StateWriter | None
    ) -> Iterator[bytes]:
        names, positions = table.column_names, key_positions(table)
        for row in self.store.rows(table):
            line = encode_row(names, row)
            hashed = digest.add(line)
            key = tuple(row[at] for at in positions)
            if writer is not None and key:
                writer.row(key, hashed)
            if base is None or base.hash_of(table.name, encode_key(key)) != hashed:
                yield line
            if digest.count % _CHECK_EVERY == 0:
                self.request.cancelled()


def _itself(reader: IteratorReader) -> IteratorReader:
    return reader


def _none_of(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Nothing, after having gone through everything."""
    for _line in lines:
        pass
    yield from ()
