"""The index: which blob lies where, kept on disk so that its size never matters to memory.

Index files are decoded once into a SQLite database. It is derived data: synchronised by the *difference* between
the index files it holds and those the repository lists, and thrown away when it is damaged or of another layout.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from holdfast.errors import DamageError
from holdfast.format.index import decode_index
from holdfast.model.blob import BlobLocation, BlobType
from holdfast.model.event import Listener, Warned, ignore
from holdfast.model.ids import IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind
from holdfast.repository.index_database import connect_or_rebuild, discard
from holdfast.repository.index_records import ENTRY_BYTES, pack_record, row_values, table_row, unpack_record
from holdfast.repository.repository import Repository

_SMALL_BLOBS = 200_000
_KEYS_AT_ONCE, _SELECT_MANY = 500, "SELECT key, pack, offset, length, raw_length FROM blob WHERE key IN"
_LOADED_AHEAD = 4
_KIND_BYTE = {BlobType.DATA: b"\x00", BlobType.TREE: b"\x01"}


class Index:
    """All index files of a repository as one lookup table. Safe to use from several threads.

    Args:
        repository: whose index it is.
        persistent: keep the database in the repository's cache folder; else in a private temporary one.
        private: keep it in memory, from where SQLite spills it into an unnamed file as it grows; other processes
            cannot look into it, and `path` is empty.
    """

    def __init__(self, repository: Repository, *, persistent: bool = True, private: bool = False) -> None:
        self._repository = repository
        self._mutex = threading.RLock()
        self._scratch: Path | None = None
        self._pack_names: dict[int, PackId] = {}
        self._small: set[bytes] | None = None
        if private:
            self.path = Path()
        elif persistent and repository.cache_dir is not None:
            self.path = repository.cache_dir / "index.sqlite"
        else:
            self._scratch = Path(tempfile.mkdtemp(prefix="holdfast-index-"))
            self.path = self._scratch / "index.sqlite"
        self._connection = connect_or_rebuild(self.path)

    # --- keeping up with the repository ---------------------------------------------------------

    def sync(self, listener: Listener = ignore, *, on_damage: list[DamageError] | None = None) -> None:
        """Loads index files that are new and forgets those that are gone.

        Args:
            listener: told about a database that had to be rebuilt.
            on_damage: collects unreadable index files instead of raising.

        Raises:
            DamageError: an index file cannot be read and `on_damage` is None.
        """
        try:
            self._sync(on_damage)
        except sqlite3.DatabaseError as error:
            listener(Warned(code="index-cache-rebuilt", subject=str(self.path), detail=str(error)))
            with self._mutex:
                self._connection.close()
                discard(self.path)
                self._connection = connect_or_rebuild(self.path)
                self._pack_names.clear()
            self._sync(on_damage)

    def _sync(self, on_damage: list[DamageError] | None) -> None:
        # INVARIANT: held before listed; else what another process has just stored and taken up would be dropped here.
        held = {row[0] for row in self._rows("SELECT id FROM index_file")}
        listed = set(self._repository.names(FileKind.INDEX))
        for gone in held - listed:
            self.drop(IndexId(gone))
        missing, load = sorted(listed - held), self._repository.load_unpacked
        if missing:
            # Loaded ahead, because on a distant storage each file costs a round trip.
            with ThreadPoolExecutor(max(1, min(8, self._repository.backend.connections)), "holdfast-index") as loader:
                for first in range(0, len(missing), _LOADED_AHEAD):
                    names = missing[first : first + _LOADED_AHEAD]
                    for name, loading in [(name, loader.submit(load, FileKind.INDEX, name)) for name in names]:
                        self._take_up(IndexId(name), loading, on_damage)
        self._load_small()

    def _take_up(self, index_id: IndexId, loading: Future[bytes], on_damage: list[DamageError] | None) -> None:
        try:
            self.add(index_id, decode_index(loading.result(), f"index/{index_id.hex()[:12]}"))
        except DamageError as error:
            if on_damage is None:
                raise
            on_damage.append(error)

    def _load_small(self) -> None:
        """Keeps the keys of a small index in memory: a set answers ten times as fast as a query."""
        with self._mutex:
            self._small = None
            if self.blob_count() <= _SMALL_BLOBS:
                self._small = {row[0] for row in self._rows("SELECT key FROM blob")}

    def add(self, index_id: IndexId, packs: Iterable[Pack]) -> None:
        """Takes up one index file's content. Adding the same file again changes nothing."""
        with self._mutex, self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            cursor = connection.execute("INSERT OR IGNORE INTO index_file (id) VALUES (?)", (index_id,))
            if not cursor.rowcount:
                return
            index_n = cursor.lastrowid
            rows: list[bytes] = []
            for pack in packs:
                row = connection.execute(
                    "INSERT INTO pack (id, index_n, record) VALUES (?, ?, ?)",
                    (pack.id, index_n, pack_record(pack.blobs)),
                )
                pack_n = row.lastrowid or 0
                rows += [table_row(b, pack_n) for b in pack.blobs]
            # In the order of the table, so that neighbours share pages.
            rows.sort()
            connection.executemany("INSERT OR IGNORE INTO blob VALUES (?, ?, ?, ?, ?)", map(row_values, rows))
            if self._small is not None:
                self._small.update(row[:33] for row in rows)
                if len(self._small) > _SMALL_BLOBS:
                    self._small = None

    def drop(self, index_id: IndexId) -> None:
        """Forgets one index file's content."""
        with self._mutex, self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("SELECT n FROM index_file WHERE id = ?", (index_id,)).fetchone()
            if found is not None:
                self._forget(found[0])
                self._small = None

    def replace(self, former: Iterable[IndexId], present: Iterable[tuple[IndexId, Iterable[PackId]]]) -> None:
        """Takes up that index files were replaced by others that list some of the same packs and no new ones.

        Costs as much as there are packs and blobs that are listed no more, however much stays.

        Args:
            former: index files that are gone from the repository.
            present: those that took their place, and which packs each of them lists.
        """
        with self._mutex, self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            gone = [
                n for index_id in former for (n,) in self._rows("SELECT n FROM index_file WHERE id = ?", (index_id,))
            ]
            held = {p: n for i in gone for n, p in self._rows("SELECT n, id FROM pack WHERE index_n = ?", (i,))}
            for index_id, packs in present:
                index_n = connection.execute("INSERT INTO index_file (id) VALUES (?)", (index_id,)).lastrowid
                moved = [(index_n, held[pack]) for pack in packs]
                connection.executemany("UPDATE pack SET index_n = ? WHERE n = ?", moved)
            for index_n in gone:
                self._forget(index_n)
            self._small = None

    def _forget(self, index_n: int) -> None:
        """Deletes what is held of one index file, within a transaction."""
        connection = self._connection
        listed = connection.execute("SELECT n, record FROM pack WHERE index_n = ?", (index_n,)).fetchall()
        keys = [(b.id + _KIND_BYTE[b.type], n) for n, record in listed for b in unpack_record(record)]
        # In the order of the table, each page of it is read and written once.
        connection.executemany("DELETE FROM blob WHERE key = ? AND pack = ?", sorted(keys))
        for pack_n, _ in listed:
            self._pack_names.pop(pack_n, None)
        connection.execute("DELETE FROM pack WHERE index_n = ?", (index_n,))
        connection.execute("DELETE FROM index_file WHERE n = ?", (index_n,))

    # --- questions ------------------------------------------------------------------------------

    def contains(self, kind: BlobType, blob_id: bytes) -> bool:
        """Whether some pack holds the blob; well under a microsecond for a small index."""
        key = blob_id + _KIND_BYTE[kind]
        small = self._small
        if small is not None:
            return key in small
        with self._mutex:
            return self._connection.execute("SELECT 1 FROM blob WHERE key = ? LIMIT 1", (key,)).fetchone() is not None

    def lookup(self, kind: BlobType, blob_id: bytes) -> BlobLocation | None:
        """One place where the blob lies, or None."""
        with self._mutex:
            row = self._connection.execute(
                "SELECT pack, offset, length, raw_length FROM blob WHERE key = ? LIMIT 1", (blob_id + _KIND_BYTE[kind],)
            ).fetchone()
            return None if row is None else self._location(row)

    def lookup_many(self, kind: BlobType, blob_ids: Iterable[bytes]) -> dict[bytes, BlobLocation]:
        """One place for each of many blobs, several times as fast as asking one by one; unknown ones are left out."""
        found: dict[bytes, BlobLocation] = {}
        keys = [blob_id + _KIND_BYTE[kind] for blob_id in blob_ids]
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            portion = tuple(keys[start : start + _KEYS_AT_ONCE])
            query = f"{_SELECT_MANY} ({','.join('?' * len(portion))})"
            for key, *row in self._rows(query, portion):
                found.setdefault(key[:32], self._location(row))
        return found

    def lookup_all(self, kind: BlobType, blob_id: bytes) -> list[BlobLocation]:
        """Every distinct place where the blob lies."""
        with self._mutex:
            rows = self._connection.execute(
                "SELECT pack, offset, length, raw_length FROM blob WHERE key = ?", (blob_id + _KIND_BYTE[kind],)
            ).fetchall()
            found = {(place.pack, place.offset): place for place in map(self._location, rows)}
        return list(found.values())

    def _location(self, row: Sequence[int]) -> BlobLocation:
        pack_n, offset, length, raw_length = row
        if pack_n not in self._pack_names:
            self._pack_names[pack_n] = PackId(self._rows("SELECT id FROM pack WHERE n = ?", (pack_n,))[0][0])
        return BlobLocation(self._pack_names[pack_n], offset, length, raw_length)

    def pack(self, pack_id: PackId) -> Pack | None:
        """One pack's content as the index records it, or None."""
        rows = self._rows("SELECT id, record FROM pack WHERE id = ? LIMIT 1", (pack_id,))
        return _pack(*rows[0]) if rows else None

    def kind_of_pack(self, pack_id: PackId) -> BlobType | None:
        """The type of a pack's first blob, which is that of all its blobs unless some old writer mixed them."""
        rows = self._rows("SELECT substr(record, 1, 1) FROM pack WHERE id = ? LIMIT 1", (pack_id,))
        return BlobType(rows[0][0][0]) if rows and rows[0][0] else None

    def packs(self) -> Iterator[Pack]:
        """Every pack entry; a pack listed by several index files comes several times. Streams."""
        last = 0
        while rows := self._rows("SELECT n, id, record FROM pack WHERE n > ? ORDER BY n LIMIT 200", (last,)):
            last = rows[-1][0]
            yield from (_pack(name, record) for _n, name, record in rows)

    def packs_of(self, index_id: IndexId) -> list[Pack]:
        """The packs that one index file lists."""
        query = "SELECT p.id, record FROM pack p JOIN index_file f ON f.n = index_n WHERE f.id = ? ORDER BY p.n"
        return [_pack(*row) for row in self._rows(query, (index_id,))]

    def indexes_of(self, pack_id: PackId) -> list[IndexId]:
        """The index files that list a pack."""
        rows = self._rows("SELECT f.id FROM pack p JOIN index_file f ON f.n = p.index_n WHERE p.id = ?", (pack_id,))
        return [IndexId(row[0]) for row in rows]

    def index_ids(self) -> list[IndexId]:
        """Names of the index files held."""
        return [IndexId(row[0]) for row in self._rows("SELECT id FROM index_file ORDER BY id")]

    def blob_counts(self) -> dict[IndexId, int]:
        """How many blob entries each index file has."""
        query = "SELECT f.id, coalesce(sum(length(p.record)), 0) FROM index_file f LEFT JOIN pack p ON p.index_n = f.n"
        return {IndexId(name): size // ENTRY_BYTES for name, size in self._rows(query + " GROUP BY f.n")}

    def pack_ids(self) -> set[PackId]:
        """Names of all packs held."""
        return {PackId(row[0]) for row in self._rows("SELECT DISTINCT id FROM pack")}

    def ids(self, kind: BlobType) -> Iterator[bytes]:
        """Ids of all blobs of a kind, ascending, each once. Streams."""
        last, byte = b"", _KIND_BYTE[kind]
        while rows := self._rows("SELECT DISTINCT key FROM blob WHERE key > ? ORDER BY key LIMIT 5000", (last,)):
            for (key,) in rows:
                if key[32:] == byte:
                    yield key[:32]
            last = rows[-1][0]

    def blob_count(self) -> int:
        """How many blob entries there are, duplicates included."""
        return int(self._rows("SELECT count(*) FROM blob")[0][0])

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._mutex:
            rows: list[tuple[Any, ...]] = self._connection.execute(query, values).fetchall()
            return rows

    def close(self) -> None:
        """Closes the database and removes it if it was temporary."""
        with self._mutex:
            self._connection.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pack(pack_id: bytes, record: bytes) -> Pack:
    return Pack(PackId(pack_id), unpack_record(record))
