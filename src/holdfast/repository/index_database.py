"""The database file behind the index: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Literal

from holdfast.errors import BackendError, OutOfSpace

_LAYOUT = 1
_WHAT = "the local index database"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS index_file (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS pack (n INTEGER PRIMARY KEY, id BLOB NOT NULL, index_n INTEGER NOT NULL,
 record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pack_id ON pack (id);
CREATE INDEX IF NOT EXISTS pack_index ON pack (index_n);
CREATE TABLE IF NOT EXISTS blob (key BLOB NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL,
 length INTEGER NOT NULL, raw_length INTEGER NOT NULL, PRIMARY KEY (key, pack, offset)) WITHOUT ROWID;
"""


class IndexConnection(sqlite3.Connection):
    """A connection whose transactions say in our words that the disk is full; single statements cost nothing more."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        """Commits, or rolls back after an error. Raises `OutOfSpace`."""
        try:
            super().__exit__(kind, error, trace)
        except sqlite3.OperationalError as failure:
            self._say_if_full(failure)
            raise
        self._say_if_full(error)
        return False

    def _say_if_full(self, error: BaseException | None) -> None:
        if isinstance(error, sqlite3.OperationalError) and _is_full(error):
            path = self.execute("PRAGMA database_list").fetchone()[2]
            raise OutOfSpace(url=path or "on this machine", object=_WHAT) from error


def _is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def connect(path: Path) -> sqlite3.Connection:
    """Opens the database, or makes an empty one. Raises `sqlite3.DatabaseError` if it is damaged or another layout.

    An empty path makes a private one in memory, which SQLite spills into an unnamed file as it grows.
    """
    if path == Path():
        private = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=IndexConnection)
        private.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        return private
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=60, factory=IndexConnection
    )
    path.chmod(0o600)
    # DURABILITY: WAL with NORMAL keeps the database consistent through a power cut; losing the newest
    # transactions only means loading those index files again.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16384")
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    if layout not in (0, _LAYOUT):
        connection.close()
        raise sqlite3.DatabaseError(f"layout {layout}")
    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {_LAYOUT}")
    return connection


def connect_or_rebuild(path: Path) -> sqlite3.Connection:
    """Opens the database; one that is damaged or of another layout is replaced by an empty one.

    Raises:
        OutOfSpace, BackendError: not even an empty one can be made.
    """
    try:
        return connect(path)
    except sqlite3.DatabaseError:
        discard(path)
    try:
        return connect(path)
    except sqlite3.DatabaseError as error:
        if _is_full(error):
            raise OutOfSpace(url=str(path), object=_WHAT) from error
        raise BackendError(url=str(path), object=_WHAT, reason=str(error)) from error


def discard(path: Path) -> None:
    """Removes a database. It is derived, so nothing is lost."""
    if path != Path():
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
