"""The state that an incremental backup compares with: the key and the hash of every row.

A gzip file of JSON lines: a first line with format, database and fingerprint of the schema; for each table a line
with its name and key columns, one line for each row (`["<hash>", key…]`; none for tables without a primary key)
and a line with count and digest; a last line that says that it is the last.
"""

from __future__ import annotations

import base64
import gzip
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from holdfast.errors import NoBase, Phrase
from holdfast.sources.rows.cells import Row, encode_key
from holdfast.sources.rows.digest import HASH_BYTES

_FORMAT = "holdfast-rows-1"
_BATCH = 5000


class _First(msgspec.Struct, frozen=True, kw_only=True):
    format: str
    database: str
    schema_sha256: str


class TableState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a table of the base."""

    table: str
    primary_key: tuple[str, ...]
    count: int = 0
    digest: str = ""


class _Summed(msgspec.Struct, frozen=True, kw_only=True):
    count: int
    digest: str


class _Last(msgspec.Struct, frozen=True, kw_only=True):
    tables: int


class StateWriter:
    """Writes a state; the file appears whole, with mode 0600, when the context is left without an error."""

    def __init__(self, path: Path, database: str, schema_sha256: str) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._first = _First(format=_FORMAT, database=database, schema_sha256=schema_sha256)
        self._tables = 0

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._raw = open(os.open(self._part, flags, 0o600), "wb")
        self._zip = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=3, mtime=0)
        self._line(msgspec.json.encode(self._first))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._raw:
            if kind is None:
                self._line(msgspec.json.encode(_Last(tables=self._tables)))
                self._zip.close()
                self._raw.flush()
                os.fsync(self._raw.fileno())  # DURABILITY: a target keeps this file; it must not be shorter later.
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)

    def begin(self, table: str, primary_key: tuple[str, ...]) -> None:
        """The next table."""
        self._tables += 1
        self._line(msgspec.json.encode(TableState(table=table, primary_key=primary_key)))

    def row(self, key: Row, hashed: bytes) -> None:
        """A row of a table that has a primary key."""
        self._line(encode_key((base64.b64encode(hashed).decode(), *key)))

    def end(self, count: int, digest: str) -> None:
        """The table is whole."""
        self._line(msgspec.json.encode(_Summed(count=count, digest=digest)))

    def _line(self, line: bytes) -> None:
        self._zip.write(line + b"\n")


class BaseState:
    """A state, loaded into a database on disk so that memory does not grow with the number of rows.

    Args:
        path: the state.
        scratch: a folder for that database.
        database, schema_sha256: what the base must agree with.
        source: the source's name, for errors.

    Raises:
        NoBase: the state does not fit or is not whole.
    """

    def __init__(
        self, path: Path, scratch: Path, database: str, schema_sha256: str, source: str, cancelled: Callable[[], None]
    ) -> None:
        self._source = source
        self.tables: dict[str, TableState] = {}
        self._numbers: dict[str, int] = {}
        file = scratch / "base-state.db"
        file.unlink(missing_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self._rows = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", "locking_mode=EXCLUSIVE"):
            self._rows.execute(f"PRAGMA {pragma}")
        self._rows.execute(
            "CREATE TABLE base (t INT, key BLOB, hash BLOB, seen INT, PRIMARY KEY (t, key)) WITHOUT ROWID"
        )
        self._rows.execute("BEGIN")
        try:
            with gzip.open(path, "rb") as lines:
                self._load(lines, database, schema_sha256, cancelled)
        except (OSError, EOFError, ValueError, msgspec.MsgspecError, sqlite3.Error) as error:
            self.close()
            raise NoBase(
                target=source, reason=Phrase("the state of its base cannot be read ({reason})", {"reason": str(error)})
            ) from error
        except NoBase:
            self.close()
            raise

    def close(self) -> None:
        """Gives the database back."""
        self._rows.close()

    def hash_of(self, table: str, key: bytes) -> bytes | None:
        """The hash that a row had in the base, None if it was not there; the row counts as seen."""
        number = self._numbers[table]
        found = self._rows.execute("SELECT hash FROM base WHERE t = ? AND key = ?", (number, key)).fetchone()
        if found is None:
            return None
        self._rows.execute("UPDATE base SET seen = 1 WHERE t = ? AND key = ?", (number, key))
        value: bytes = found[0]
        return value

    def unseen(self, table: str) -> Iterator[bytes]:
        """Keys of the base that were not asked for, as lines."""
        chosen = "SELECT key FROM base WHERE t = ? AND seen = 0 ORDER BY key"
        for (key,) in self._rows.execute(chosen, (self._numbers[table],)):
            yield key

    def _load(self, lines: gzip.GzipFile, database: str, schema_sha256: str, cancelled: Callable[[], None]) -> None:
        first = msgspec.json.decode(lines.readline(), type=_First)
        if first.format != _FORMAT or first.database != database:
            raise NoBase(target=self._source, reason="the state of its base has another format")
        if first.schema_sha256 != schema_sha256:
            raise NoBase(target=self._source, reason="the schema changed since")
        begun: TableState | None = None
        batch: list[tuple[int, bytes, bytes]] = []
        for line in lines:
            if line.startswith(b"["):
                batch.append((len(self.tables), *_split(line)))
                if len(batch) >= _BATCH:
                    cancelled()
                    self._insert(batch)
            elif line.startswith(b'{"tables":'):
                if begun is not None or msgspec.json.decode(line, type=_Last).tables != len(self.tables):
                    raise ValueError("tables are missing in it")
                self._insert(batch)
                return
            elif begun is None:
                begun = msgspec.json.decode(line, type=TableState)
                self._numbers[begun.table] = len(self.tables)
            else:
                summed = msgspec.json.decode(line, type=_Summed)
                self.tables[begun.table] = msgspec.structs.replace(begun, count=summed.count, digest=summed.digest)
                begun = None
        raise ValueError("it has no end")

    def _insert(self, batch: list[tuple[int, bytes, bytes]]) -> None:
        self._rows.executemany("INSERT INTO base VALUES (?, ?, ?, 0)", batch)
        batch.clear()


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Key as a line, and hash, of a row's line: `["<24 characters>",key…]`."""
    length = 4 * ((HASH_BYTES + 2) // 3)
    if line[1:2] != b'"' or line[2 + length : 4 + length] != b'",':
        raise ValueError("a row in it cannot be read")
    return b"[" + line[4 + length :].rstrip(b"\n"), base64.b64decode(line[2 : 2 + length], validate=True)
