"""What an interrupted backup had stored already, so that the next one need not read it again.

A first backup has no parent snapshot to compare with. Each time an index file is stored, the entries of the files
it completes are noted in a local database; a run that ends in a snapshot empties it. It is a hint and never a
proof: an entry is used only if the file is unchanged and all its blobs are in the index.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

_HELD = 2000
_SPILL = "CREATE TABLE waiting (path BLOB NOT NULL, node BLOB NOT NULL)"
_SCHEMA = "CREATE TABLE IF NOT EXISTS entry (path BLOB PRIMARY KEY, node BLOB NOT NULL) WITHOUT ROWID"


class ResumeJournal:
    """Entries of files stored by a run that did not finish.

    Args:
        folder: the repository's cache folder, or None to remember nothing.
        read: whether `entry` answers; without, only what this run stores is noted.
    """

    def __init__(self, folder: Path | None, *, read: bool = True) -> None:
        self._read = read
        # Targets may be relative: the same path below another folder is another file.
        self._base = os.path.join(os.fsencode(os.getcwd()), b"")
        self._path = folder / "resume.sqlite" if folder is not None else None
        self._mutex = threading.Lock()
        self._waiting: list[tuple[bytes, bytes]] = []
        # Beyond a few thousand they wait in a file without a name, which SQLite removes by itself.
        self._spilled: sqlite3.Connection | None = None
        self._former: sqlite3.Connection | None = None
        if self._path is not None and self._path.exists():
            with contextlib.suppress(sqlite3.Error, OSError):
                self._former = self._connect()

    def _connect(self) -> sqlite3.Connection:
        assert self._path is not None
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        self._path.chmod(0o600)
        connection.execute(_SCHEMA)
        return connection

    def entry(self, path: bytes) -> bytes | None:
        """The entry noted for a path, as JSON text."""
        if self._former is None or not self._read:
            return None
        with self._mutex:
            try:
                key = os.path.join(self._base, path)
                row = self._former.execute("SELECT node FROM entry WHERE path = ?", (key,)).fetchone()
            except sqlite3.Error:
                self._former = None
                return None
        return None if row is None else bytes(row[0])

    def note(self, path: bytes, node: bytes) -> None:
        """Remembers a stored file until the next index file makes it reusable."""
        if self._path is not None:
            with self._mutex:
                self._waiting.append((os.path.join(self._base, path), node))
                if len(self._waiting) >= _HELD:
                    self._spill()

    def _spill(self) -> None:
        waiting, self._waiting = self._waiting, []
        with contextlib.suppress(sqlite3.Error):
            if self._spilled is None:
                spilled = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                spilled.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SPILL)
                self._spilled = spilled
            self._spilled.execute("BEGIN")
            self._spilled.executemany("INSERT INTO waiting VALUES (?, ?)", waiting)
            self._spilled.execute("COMMIT")

    def _take_waiting(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything that waits, from the oldest on; afterwards nothing does."""
        spilled, self._spilled = self._spilled, None
        if spilled is not None:
            with contextlib.closing(spilled):
                yield from spilled.execute("SELECT path, node FROM waiting ORDER BY rowid")
        waiting, self._waiting = self._waiting, []
        yield from waiting

    def keep(self) -> None:
        """Writes down what was noted; called when an index file has been stored. Failing to is no failure."""
        with self._mutex:
            if self._path is None or not (self._waiting or self._spilled):
                return
            with contextlib.suppress(sqlite3.Error, OSError):
                if self._former is None:
                    self._former = self._connect()
                with self._former as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?)", self._take_waiting())

    def forget(self) -> None:
        """Empties the journal: a snapshot now stands for everything in it."""
        with self._mutex:
            self._drop_waiting()
            if self._former is not None:
                self._former.close()
                self._former = None
            if self._path is not None:
                for suffix in ("", "-journal"):
                    # The snapshot is there whatever becomes of this file.
                    with contextlib.suppress(OSError):
                        Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _drop_waiting(self) -> None:
        self._waiting = []
        if self._spilled is not None:
            self._spilled.close()
            self._spilled = None

    def close(self) -> None:
        """Closes the database and keeps it."""
        with self._mutex:
            self._drop_waiting()
            if self._former is not None:
                self._former.close()
                self._former = None
