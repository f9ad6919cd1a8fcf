"""A consistent copy of a SQLite database while others write to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from holdfast.errors import DumpIncomplete, Phrase, SourceError
from holdfast.model.event import Listener, Progress
from holdfast.sources.sqlite_opening import closing, connect, error_code, interruptible, open_snapshot, source_error
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.sources.sqlite_stable import copy_unopened

_PAGES_AT_ONCE = 8192
_VERSIONS_OFFSET = 18
_ROLLBACK_VERSIONS = b"\x01\x01"


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A copy and what is worth knowing about its original."""

    path: Path
    size_bytes: int
    journal_mode: str
    user_version: int
    encoding: str


def copy_database(
    path: Path, source: str, options: SqliteOptions, into: Path, listener: Listener, cancelled: Callable[[], None]
) -> Copied:
    """Copies a database, what is committed in its write-ahead log included, into one new file.

    Raises:
        SourceError: it cannot be read, or the copy is not whole.
    """
    try:
        original = open_snapshot(path, source, options.busy_timeout_s, cancelled)
    except SourceError as refused:
        if type(refused) is not SourceError:
            raise
        aside = into.with_name("unopened.db")
        journal_mode = copy_unopened(path, source, aside, refused)
        original = open_snapshot(aside, source, options.busy_timeout_s, cancelled)
        with closing(original):
            return replace(_copied(original, source, options, into, listener, cancelled), journal_mode=journal_mode)
    with closing(original):
        return _copied(original, source, options, into, listener, cancelled)


def _copied(
    original: sqlite3.Connection,
    source: str,
    options: SqliteOptions,
    into: Path,
    listener: Listener,
    cancelled: Callable[[], None],
) -> Copied:
    try:
        about = {name: original.execute(f"PRAGMA {name}").fetchone()[0] for name in _FACTS}
        if options.method == "vacuum":
            _vacuum(original, into, options.busy_timeout_s, cancelled)
        else:
            _copy_pages(original, into, listener, cancelled)
    except sqlite3.Error as error:
        raise _copy_error(error, source, into, options) from error
    size_bytes = into.stat().st_size
    expected = int(about["page_count"]) * int(about["page_size"])
    # The copy of an empty file has one page: an empty schema.
    if options.method == "backup" and expected and size_bytes != expected:
        raise DumpIncomplete(
            source=source,
            reason=Phrase(
                "the copy has {size_bytes} of {expected} bytes", {"size_bytes": size_bytes, "expected": expected}
            ),
        )
    _make_plain(into, size_bytes)
    return Copied(
        path=into,
        size_bytes=size_bytes,
        journal_mode=str(about["journal_mode"]),
        user_version=int(about["user_version"]),
        encoding=str(about["encoding"]),
    )


_FACTS = ("journal_mode", "user_version", "encoding", "page_count", "page_size")


def _copy_pages(original: sqlite3.Connection, into: Path, listener: Listener, cancelled: Callable[[], None]) -> None:
    """Copies page by page, so that pages that did not change are found again in the next copy.

    INVARIANT: the read transaction that is open keeps all pages of one moment. Without it, every write to the original
    would make SQLite start the copy again.
    """

    def step(_status: int, remaining: int, total: int) -> None:
        cancelled()
        listener(Progress(phase="copying", items_done=total - remaining, items_total=total, current=into.name))

    with closing(connect(into, "rwc")) as copy:
        # The copy is in scratch space: if this process dies, it is thrown away.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        original.backup(copy, pages=_PAGES_AT_ONCE, progress=step, sleep=0)


def _vacuum(original: sqlite3.Connection, into: Path, busy_timeout_s: float, cancelled: Callable[[], None]) -> None:
    """Writes a compact copy. `VACUUM INTO` takes a read transaction of its own and refuses to run within one."""
    original.execute("COMMIT")
    original.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1000)}")
    # The database itself is only read, but SQLite counts this as a statement that writes.
    original.execute("PRAGMA query_only = OFF")
    with interruptible(original, cancelled):
        original.execute("VACUUM INTO ?", (os.fspath(into),))


def _copy_error(error: sqlite3.Error, source: str, into: Path, options: SqliteOptions) -> SourceError:
    if error_code(error) == sqlite3.SQLITE_FULL:
        return SourceError(path=str(into), reason="no room for a copy of the database")
    return source_error(error, source, Path(options.path), options.busy_timeout_s)


def _make_plain(copy: Path, size_bytes: int) -> None:
    """Marks the copy as one that needs no write-ahead log.

    A file marked otherwise cannot be opened in a folder where its reader may not write, and reading it may leave files
    beside it. The mode of the original is kept as a fact, and a restore puts it back.
    """
    if size_bytes:
        with open(copy, "r+b") as file:
            file.seek(_VERSIONS_OFFSET)
            file.write(_ROLLBACK_VERSIONS)
