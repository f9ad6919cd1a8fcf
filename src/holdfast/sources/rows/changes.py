"""Changes since a base: what incremental backups of databases hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.protocols import DumpRequest, Entry, LoadRequest, StoredContent
from holdfast.sources.rows.store import RowSink, RowStore


def changes_entries(store: RowStore, request: DumpRequest, source_name: str, rows: dict[str, int]) -> Iterator[Entry]:
    """One file for each table: the rows that are new or different, the keys of those that are gone.

    Reads `request.base`, writes `request.state` when the last entry was read to its end.

    Args:
        store: an entered snapshot.
        rows: takes the number of rows of each table, for the component.

    Raises:
        NoBase: the schema is not the one of the base, or the base's state cannot be used.
        SourceError: rows cannot be read, or are fewer than the database counts.
    """
    raise NotImplementedError


def write_state(store: RowStore, state: Path, cancelled: Callable[[], None]) -> dict[str, int]:
    """Reads all rows and notes their hashes, for a later incremental backup. Returns the rows by table."""
    raise NotImplementedError


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
    raise NotImplementedError
