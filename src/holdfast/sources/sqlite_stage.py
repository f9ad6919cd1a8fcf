"""Building the database that a restore puts in place, beside its destination, and judging it before it goes there."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.archive.digest import ContentDigest
from holdfast.errors import DamageError, LoadFailed, Phrase, RestoreError, RestoreImpossible, RestoreMismatch
from holdfast.model.component import Form
from holdfast.model.node import NodeType
from holdfast.protocols import ContentReader, Entry, LoadRequest, StoredContent
from holdfast.repository.restore.safe_fs import restore_error
from holdfast.sources.place_rename import sync_file
from holdfast.sources.rows.changes import apply_changes
from holdfast.sources.rows.sqlite_sink import SqliteSink
from holdfast.sources.sqlite_check import Examination, examine
from holdfast.sources.sqlite_opening import MAGIC, closing, connect, error_code
from holdfast.sources.sqlite_place import side_files
from holdfast.sources.sqlite_statements import load_text

_BLOCK_BYTES = 1 << 20


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """A database that is whole and durable, under a name of its own."""

    path: Path
    size_bytes: int
    found: Examination


def build(staging: Path, chain: Sequence[StoredContent], request: LoadRequest, destination: str, source: str) -> Staged:
    """Writes a database from a component and the changes that follow it, and checks it.

    Raises:
        LoadFailed: the content does not make a sound database.
        RestoreMismatch: it does, and not the one that was backed up.
        DamageError: the content is not what was stored.
    """
    try:
        discard(staging)
        _write_base(staging, chain[0], request, destination)
        for changes in chain[1:]:
            with SqliteSink(staging, source) as sink:
                apply_changes(sink, changes, request)
        _set_journal_mode(staging, chain[-1].component.facts.get("journal_mode", ""))
        found = _judged(staging, chain[-1], request, destination)
        # DURABILITY: the bytes are on the disk before the name is given.
        sync_file(staging)
    except sqlite3.Error as error:
        raise _load_error(error, staging, destination) from error
    except OSError as error:
        raise restore_error(os.fsencode(staging), error) from error
    return Staged(path=staging, size_bytes=staging.stat().st_size, found=found)


def discard(staging: Path) -> None:
    """Removes what was staged, now or by a restore that was interrupted. Raises `OSError`."""
    # SAFETY: the name is ours, and nothing under it was ever in use.
    for name in [staging, *side_files(staging)]:
        name.unlink(missing_ok=True)


def _write_base(staging: Path, content: StoredContent, request: LoadRequest, destination: str) -> None:
    if content.component.form is Form.CHANGES:
        raise LoadFailed(destination=destination, reason="the backup that these changes build on is not there")
    digest, files = ContentDigest(), 0
    for entry in content.entries():
        if entry.node.type is not NodeType.FILE or entry.open is None:
            continue
        files += 1
        if files > 1:
            raise LoadFailed(destination=destination, reason="it holds more than one file")
        _write(staging, entry, digest, request, destination)
    if not files:
        raise LoadFailed(destination=destination, reason="it holds no file")
    expected = content.component.content_sha256
    if expected and digest.hexdigest() != expected:
        raise DamageError(object=content.component.name, reason="its content is not what was backed up")


def _write(staging: Path, entry: Entry, digest: ContentDigest, request: LoadRequest, destination: str) -> None:
    assert entry.open is not None
    reader = entry.open()
    try:
        hashed = _Hashed(reader, request)
        # What it is, is told by its first bytes: names lie.
        first = hashed.read(_BLOCK_BYTES)
        if first.startswith(MAGIC) or (not first and not entry.path.endswith(b".sql")):
            _write_file(staging, first, hashed)
        else:
            _write_text(staging, _Rest(first, hashed), destination, request)
    finally:
        reader.close()
    digest.feed(entry, hashed.sha256.digest(), hashed.size_bytes)


def _write_file(staging: Path, first: bytes, rest: ContentReader) -> None:
    with open(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        block = first
        while block:
            file.write(block)
            block = rest.read(_BLOCK_BYTES)


def _write_text(staging: Path, text: ContentReader, destination: str, request: LoadRequest) -> None:
    os.close(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    with closing(connect(staging, "rw")) as database:
        # Nobody sees this file before it is whole and synced, so it needs no journal.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        load_text(database, text, destination, request.cancelled)


class _Hashed:
    """Passes on what it reads, and knows its length and digest in the end."""

    def __init__(self, reader: ContentReader, request: LoadRequest) -> None:
        self._reader = reader
        self._cancelled = request.cancelled
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        self._cancelled()
        block = self._reader.read(size)
        self.sha256.update(block)
        self.size_bytes += len(block)
        return block

    def close(self) -> None:
        self._reader.close()


class _Rest:
    """A reader that first gives back a block that was looked at."""

    def __init__(self, first: bytes, reader: ContentReader) -> None:
        self._first = first
        self._reader = reader

    def read(self, size: int = -1, /) -> bytes:
        block, self._first = self._first, b""
        return block or self._reader.read(size)

    def close(self) -> None:
        self._reader.close()


def _set_journal_mode(staging: Path, journal_mode: str) -> None:
    """Gives the database the mode that the application chose for it; only this one is kept in the file."""
    if journal_mode == "wal" and staging.stat().st_size:
        with closing(connect(staging, "rw")) as database:
            database.execute("PRAGMA journal_mode = WAL")


def _judged(staging: Path, content: StoredContent, request: LoadRequest, destination: str) -> Examination:
    found = examine(staging, full=True, cancelled=request.cancelled)
    if found.problems:
        raise LoadFailed(
            destination=destination, reason=Phrase("the restored copy is damaged: {reason}", {"reason": found.reason})
        )
    compare_rows(found.rows, content.component.rows, destination)
    return found


def compare_rows(found: dict[str, int], expected: dict[str, int], destination: str) -> None:
    """Raises `RestoreMismatch` if a table that was backed up is missing or has another number of rows."""
    for table, rows in expected.items():
        if table not in found:
            raise RestoreMismatch(destination=destination, reason=Phrase("table {table} is missing", {"table": table}))
        if found[table] != rows:
            raise RestoreMismatch(
                destination=destination,
                reason=Phrase(
                    "table {table} has {found} of {rows} rows", {"table": table, "found": found[table], "rows": rows}
                ),
            )


def _load_error(error: sqlite3.Error, staging: Path, destination: str) -> RestoreError:
    if error_code(error) == sqlite3.SQLITE_FULL:
        return RestoreImpossible(path=str(staging), reason="no space left")
    return LoadFailed(destination=destination, reason=str(error))
