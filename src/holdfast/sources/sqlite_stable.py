"""Copying a database that SQLite itself cannot open here, because it may not make its side files."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from holdfast.errors import SourceError
from holdfast.sources.sqlite_opening import SIDE_FILES, WAL, closing, connect, source_error

_ATTEMPTS = 3
_SHARED_MEMORY = SIDE_FILES[1]


def copy_unopened(path: Path, source: str, into: Path, refused: SourceError) -> str:
    """Copies a database in WAL mode that lies in a folder where this user may not write.

    Nobody works with it as long as it has no shared memory file, and a copy during which nothing about the file or its
    log changed is a copy of one moment.

    Args:
        refused: what to raise where this does not apply.

    Returns:
        The journal mode.

    Raises:
        SourceError: somebody works with it, or it is not readable.
    """
    for _ in range(_ATTEMPTS):
        before = _state(path)
        if before is None:
            raise refused
        try:
            # SAFETY: read past SQLite, which drops this process's locks on it. It has none: a connection to it would
            # have made the shared memory file.
            shutil.copyfile(path, into)
            if os.path.exists(f"{path}{WAL}"):
                shutil.copyfile(f"{path}{WAL}", f"{into}{WAL}")
        except OSError as error:
            raise SourceError(path=str(path), reason=error.strerror or str(error)) from error
        if _state(path) == before:
            return _made_single(into, source, path)
    raise refused


def _state(path: Path) -> list[tuple[int, ...] | None] | None:
    """What tells whether the database or its log changed; None if somebody works with it."""
    if os.path.lexists(f"{path}{_SHARED_MEMORY}"):
        return None
    found: list[tuple[int, ...] | None] = []
    for name in (os.fspath(path), f"{path}{WAL}"):
        try:
            status = os.stat(name)
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return found


def _made_single(copy: Path, source: str, path: Path) -> str:
    """Moves what the log holds into the copy."""
    try:
        with closing(connect(copy, "rw")) as database:
            mode = str(database.execute("PRAGMA journal_mode").fetchone()[0])
            database.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise source_error(error, source, path, 0) from error
    return mode
