"""Rows that the rows of a table refer to, directly and through others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from holdfast.sources.rows.cells import Row, decode_key, encode_key, encode_row
from holdfast.sources.rows.digest import TableDigest
from holdfast.sources.rows.store import RowStore, TableInfo

_BATCH = 200


class Related:
    """Collects parents of rows in a database on disk, so that memory does not grow with their number.

    Args:
        store: an entered snapshot.
        table: the table whose rows are given to `note`; it is not related to itself.
        path: a file that is made anew.
    """

    def __init__(self, store: RowStore, table: TableInfo, path: Path) -> None:
        self._store = store
        known = {one.name: one for one in store.tables()}
        self.tables = _reachable(table, known)
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self._path = path
        self._rows = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", "locking_mode=EXCLUSIVE"):
            self._rows.execute(f"PRAGMA {pragma}")
        self._rows.execute(
            "CREATE TABLE wanted (at INTEGER PRIMARY KEY, parent, columns, key, UNIQUE (parent, columns, key))"
        )
        self._rows.execute("CREATE TABLE found (at INTEGER PRIMARY KEY, parent, hash, line, UNIQUE (parent, hash))")
        self._rows.execute("BEGIN")

    def close(self) -> None:
        """Removes what was collected."""
        self._rows.close()
        self._path.unlink(missing_ok=True)

    def note(self, table: TableInfo, row: Row) -> None:
        """Takes a row whose parents are wanted."""
        cells = dict(zip(table.column_names, row, strict=True))
        for key in table.foreign_keys:
            values = tuple(cells[column] for column in key.columns)
            if key.parent in self.tables and None not in values:
                columns = msgspec.json.encode(key.parent_columns)
                self._rows.execute(
                    "INSERT OR IGNORE INTO wanted (parent, columns, key) VALUES (?, ?, ?)",
                    (key.parent, columns, encode_key(values)),
                )

    def gather(self) -> None:
        """Reads the rows that are wanted, and those that they want, until there is nothing new."""
        done = 0
        while True:
            first = self._rows.execute(
                "SELECT parent, columns FROM wanted WHERE at > ? ORDER BY at LIMIT 1", (done,)
            ).fetchone()
            if first is None:
                return
            # Those of one kind that follow each other go together; they are numbered as they came.
            batch = self._rows.execute(
                "SELECT at, parent, columns, key FROM wanted WHERE at > ? ORDER BY at LIMIT ?", (done, _BATCH)
            ).fetchall()
            same = [one for one in batch if one[1:3] == first]
            last = next((at for at, *kind, _key in batch if tuple(kind) != first), None)
            taken = [one for one in same if last is None or one[0] < last]
            done = taken[-1][0]
            self._fetch(first[0], msgspec.json.decode(first[1], type=tuple[str, ...]), [one[3] for one in taken])

    def lines(self, table: str) -> Iterator[bytes]:
        """Rows of a related table as lines, in the order in which they were found."""
        for (line,) in self._rows.execute("SELECT line FROM found WHERE parent = ? ORDER BY at", (table,)):
            yield line

    def _fetch(self, parent: str, columns: tuple[str, ...], keys: list[bytes]) -> None:
        table = self.tables[parent]
        for row in self._store.matching(table, columns, [decode_key(key) for key in keys]):
            line = encode_row(table.column_names, row)
            hashed = TableDigest(parent).add(line)
            added = self._rows.execute(
                "INSERT OR IGNORE INTO found (parent, hash, line) VALUES (?, ?, ?)", (parent, hashed, line)
            )
            if added.rowcount:
                self.note(table, row)


def _reachable(table: TableInfo, known: Mapping[str, TableInfo]) -> dict[str, TableInfo]:
    found: dict[str, TableInfo] = {}
    waiting = [table]
    while waiting:
        for parent in waiting.pop(0).parents:
            if parent not in found and parent != table.name and parent in known:
                found[parent] = known[parent]
                waiting.append(known[parent])
    return found
