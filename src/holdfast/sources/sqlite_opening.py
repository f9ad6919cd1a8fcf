"""Opening SQLite databases without changing them, and what SQLite's errors mean to a person."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from holdfast.errors import HoldfastError, Phrase, SourceBusy, SourceDamaged, SourceError, SourceMissing

WAL = "-wal"
SIDE_FILES = (WAL, "-shm", "-journal")
MAGIC = b"SQLite format 3\0"

_SLICE_S = 0.25
_STEPS_BETWEEN_LOOKS = 100_000
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DENIED = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the module raised by itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds a lock."""
    return error_code(error) in _BUSY


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is no database, or a broken one."""
    return error_code(error) in _DAMAGED


def source_error(error: sqlite3.Error, source: str, path: Path, waited_s: float) -> SourceError:
    """What an error means to a person who backs up."""
    if is_busy(error):
        return SourceBusy(source=source, seconds=f"{waited_s:g}")
    if error_code(error) == sqlite3.SQLITE_NOTADB:
        return SourceDamaged(source=source, reason=Phrase("{path} is encrypted or no SQLite database", {"path": path}))
    if is_damage(error):
        return SourceDamaged(source=source, reason=f"{path}: {error}")
    if error_code(error) == sqlite3.SQLITE_READONLY:
        # COMPAT(sqlite3): a database in WAL mode is only read with files beside it, which the reader makes.
        reason = "it is in WAL mode, and this user may not write to its folder while nobody else has it open"
        return SourceError(path=str(path), reason=reason)
    return SourceError(path=str(path), reason=str(error))


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Opens a database; `mode` is `ro`, `rw`, `rwc`, or `immutable` for a file of our own that nobody changes.

    SAFETY: a database that may be in use is opened by SQLite's ordinary means and in no other way, not even to look at
    its first bytes. When a process closes any descriptor of a file, the system drops all locks of the process on that
    file: the application may be this process, and SQLite guards against that except in immutable mode.
    """
    parameters = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    connection = sqlite3.connect(
        f"file:{quote(os.fspath(path))}?{parameters}",
        uri=True,
        timeout=_SLICE_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=16,
    )
    connection.text_factory = _lenient
    return connection


def _lenient(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def open_snapshot(path: Path, source: str, busy_timeout_s: float, cancelled: Callable[[], None]) -> sqlite3.Connection:
    """Opens a database and begins a read transaction on it, so that what is read later is the state of now.

    Raises:
        SourceError: it is not there, locked for too long, damaged, or cannot be opened.
    """
    if not path.exists():
        raise SourceMissing(source=source, path=str(path))
    problem: sqlite3.Error | None = None
    for mode in _modes(path):
        try:
            return _begun(path, mode, busy_timeout_s, cancelled)
        except sqlite3.Error as error:
            problem = problem or error
            if error_code(error) not in _DENIED:
                problem = error
                break
    assert problem is not None
    raise source_error(problem, source, path, busy_timeout_s)


def _modes(path: Path) -> tuple[str, str]:
    """How to try to open a database.

    Where a write-ahead log exists, a connection that only reads leaves everything as it is. Where none exists, such a
    connection would make one and leave it behind; one that may write removes it, and rolls back what a crash left.
    """
    return ("ro", "rw") if os.path.lexists(f"{path}{WAL}") else ("rw", "ro")


@contextmanager
def closing(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Closes a connection at the end; its own context manager ends a transaction instead."""
    try:
        yield connection
    finally:
        connection.close()


def _begun(path: Path, mode: str, busy_timeout_s: float, cancelled: Callable[[], None]) -> sqlite3.Connection:
    connection = connect(path, mode)
    try:
        connection.execute("PRAGMA query_only = ON")
        patiently(lambda: _begin(connection), busy_timeout_s, cancelled)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


def patiently(action: Callable[[], None], busy_timeout_s: float, cancelled: Callable[[], None]) -> None:
    """Does something until nobody holds a lock against it, asking between whether to stop. Raises `sqlite3.Error`."""
    waited_s = 0.0
    while True:
        cancelled()
        try:
            return action()
        except sqlite3.Error as error:
            waited_s += _SLICE_S
            if not is_busy(error) or waited_s >= busy_timeout_s:
                raise


@contextmanager
def interruptible(connection: sqlite3.Connection, cancelled: Callable[[], None]) -> Generator[None]:
    """Lets a long statement be cancelled."""
    wishes: list[HoldfastError] = []

    def look() -> int:
        try:
            cancelled()
        except HoldfastError as wish:
            wishes.append(wish)
        return len(wishes)

    connection.set_progress_handler(look, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except sqlite3.Error:
        if wishes:
            raise wishes[0] from None
        raise
    finally:
        connection.set_progress_handler(None, 0)
