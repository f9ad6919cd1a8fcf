"""A read-only look into the index database from another process."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from urllib.parse import quote

from holdfast.model.blob import BlobType


class IndexProbe:
    """Answers whether a blob is indexed. Every failure is a "no", which only costs work. For one thread.

    Args:
        path: the database, synchronised by whoever gives it out.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Opens the database, again if another file has taken its place: what the former one says may be outdated."""
        try:
            status = os.stat(self._path)
        except OSError:
            self._drop()
            return
        if self._file != (status.st_dev, status.st_ino):
            self._drop()
            with contextlib.suppress(sqlite3.Error):
                self._connection = sqlite3.connect(
                    f"file:{quote(self._path)}?mode=ro", uri=True, isolation_level=None, timeout=10
                )
                self._file = status.st_dev, status.st_ino

    def contains(self, kind: BlobType, blob_id: bytes) -> bool:
        """Whether some pack holds the blob."""
        if self._connection is None:
            return False
        key = blob_id + bytes((kind,))
        try:
            return self._connection.execute("SELECT 1 FROM blob WHERE key = ? LIMIT 1", (key,)).fetchone() is not None
        except sqlite3.DatabaseError:
            return False

    def _drop(self) -> None:
        connection, self._connection, self._file = self._connection, None, None
        if connection is not None:
            connection.close()
