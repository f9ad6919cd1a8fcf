"""What reads and writes rows: a consistent snapshot, and a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import msgspec

from holdfast.sources.rows.cells import Row


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of a table.

    Attributes:
        type: as the database spells it: `integer`, `character varying(20)`, `decimal(10,2)`; may be empty in SQLite.
        generated: computed by the database: read, never written.
    """

    name: str
    type: str = ""
    generated: bool = False


class ForeignKey(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of a table that name a row of another one. `parent` may be the table itself."""

    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A table as the catalogue describes it.

    Attributes:
        name: how people name it; `schema.table` in PostgreSQL outside of `public`.
        columns: in the order in which rows hold them.
        primary_key: its columns in key order; empty if the table has none.
        counter: the column that the database counts up by itself; empty if there is none.
        transactional: whether a snapshot and a rollback cover it (not so for MyISAM and Aria).
        partitions: whether it is a partitioned table; its rows are read and written through it.
        internal: holds the content of a virtual table, such as a search index; none of the application's own.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    counter: str = ""
    transactional: bool = True
    partitions: bool = False
    internal: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, generated ones included."""
        return tuple(column.name for column in self.columns)

    @property
    def written_names(self) -> tuple[str, ...]:
        """Names of the columns that can be written."""
        return tuple(column.name for column in self.columns if not column.generated)

    @property
    def parents(self) -> tuple[str, ...]:
        """Tables whose rows must exist first, without the table itself."""
        return tuple(dict.fromkeys(key.parent for key in self.foreign_keys if key.parent != self.name))


class RowStore(Protocol):
    """One consistent snapshot of one database, from entering the context to leaving it. Used by one thread.

    Errors are `SourceError`s.
    """

    @property
    def database(self) -> str:
        """`sqlite`, `postgresql` or `mysql`."""
        ...

    @property
    def location(self) -> str:
        """Where the database is, for people, without secrets."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def tables(self) -> list[TableInfo]:
        """All tables that hold rows of the application, by name; no views, no virtual or system tables."""
        ...

    def rows(self, table: TableInfo, condition: str = "") -> Iterator[Row]:
        """Rows in the order of the primary key, read as they are asked for; memory for one row at a time.

        Only one iteration may be under way. An iteration that is not wanted any more must be closed.

        Args:
            condition: an SQL expression that the operator wrote; empty for all rows.
        """
        ...

    def matching(self, table: TableInfo, columns: Sequence[str], values: Sequence[Row]) -> Iterator[Row]:
        """Rows whose columns equal one of the given tuples; at most a few hundred tuples at once."""
        ...

    def count(self, table: TableInfo, condition: str = "") -> int:
        """How many rows the database itself counts, in the same snapshot."""
        ...

    def counter(self, table: TableInfo) -> int | None:
        """The last number that the table's counter gave out; None if it has none or gave out nothing."""
        ...

    def schema_sha256(self) -> str:
        """Fingerprint of the tables with columns, types and keys; 64 hexadecimal digits."""
        ...


class RowSink(RowStore, Protocol):
    """One transaction on one database that reads what it wrote. Leaving the context without `commit` undoes all.

    Foreign keys and triggers rest during the transaction, so that tables may be filled in any order and nothing
    cascades; `orphans` tells whether the keys hold, and `commit` puts all back as it was.
    Errors are `RestoreError`s; the destination is as it was.
    """

    @property
    def directory(self) -> Path | None:
        """The folder of the database's file; None for a server."""
        ...

    def begin(self, tables: Sequence[TableInfo]) -> None:
        """Starts writing to these tables, and to no others. Raises `RestoreRefused` or `DestinationBusy`."""
        ...

    def clear(self, table: TableInfo) -> None:
        """Deletes all rows."""
        ...

    def delete(self, table: TableInfo, columns: Sequence[str], keys: Iterable[Row]) -> None:
        """Deletes rows whose columns equal one of the tuples; keys that name no row are no error."""
        ...

    def insert(self, table: TableInfo, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Adds rows that hold the given columns, generated columns left out, and returns how many."""
        ...

    def orphans(self, child: TableInfo, key: ForeignKey) -> int:
        """How many rows of a table name a parent that does not exist."""
        ...

    def raise_counter(self, table: TableInfo, last: int | None) -> None:
        """Sees to it that the counter's next number is above `last` and above every row's."""
        ...

    def refresh(self, tables: Sequence[TableInfo]) -> None:
        """Brings up to date what the database derives from tables and triggers would have kept: search indexes."""
        ...

    def commit(self) -> None:
        """Makes everything durable. Raises `LoadFailed`; then nothing was done."""
        ...


@runtime_checkable
class DatabaseSource(Protocol):
    """A source that can give out its rows and take them back."""

    @property
    def name(self) -> str:
        """The operator's name for it."""
        ...

    def row_store(self) -> RowStore:
        """A reader of the database; connects when its context is entered."""
        ...

    def row_sink(self, destination: str | None) -> RowSink:
        """A writer into the database, or into another one: a URL, or a file for SQLite."""
        ...
