"""Rows of SQLite."""

from __future__ import annotations

from pathlib import Path


class SqliteRows:
    """A `RowStore` over a file, in one read transaction.

    Args:
        path: the database; it is opened for reading only.
        source: the source's name, for errors.
        busy_timeout_s: how long to wait for writers.
    """

    def __init__(self, path: Path, source: str, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._source = source
        self._busy_timeout_s = busy_timeout_s


class SqliteSink(SqliteRows):
    """A `RowSink` over a file, in one `BEGIN IMMEDIATE` transaction. The file must exist."""
