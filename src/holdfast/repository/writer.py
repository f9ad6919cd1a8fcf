"""Collecting sealed blobs into packs, storing packs, and recording them in index files.

Order is everything here. A pack is stored durably before any index file lists it; an index file is stored
before `flush` returns; and only then may a snapshot be written. A blob counts as known from the moment it is
claimed, so that parallel workers never store it twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import Self

import msgspec

from holdfast.errors import SealVerificationFailed
from holdfast.format import index as index_format
from holdfast.format import pack as pack_format
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.ids import IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.index import Index
from holdfast.repository.index_records import unpack_record
from holdfast.repository.open_pack import OpenPack
from holdfast.repository.repository import Repository

DEFAULT_PACK_BYTES = 16 * 1024 * 1024
INDEX_BLOBS = 50_000
INDEX_AGE_S = 600.0
_KIND_BYTE = {kind: bytes((kind,)) for kind in BlobType}
_PACK_BLOBS = 20_000
"""A pack of very small blobs is closed before it is full: what is remembered of each outweighs its content."""


class WriterCounts(msgspec.Struct):
    """What a writer stored. `raw_bytes` is plaintext, `stored_bytes` sealed blobs with their header entries."""

    data_blobs: int = 0
    tree_blobs: int = 0
    raw_bytes: int = 0
    stored_bytes: int = 0


class PackWriter:
    """Writes blobs into a repository. Safe to use from several threads.

    Args:
        repository: where to.
        index: consulted for blobs that are there already, and kept up to date.
        pack_bytes: a pack is closed once it is at least this large.
        before_commit: called before each index file is stored; raises if the repository's lock was lost.
        on_index: called after each index file is stored (everything up to it can be reused from now on).
    """

    def __init__(
        self,
        repository: Repository,
        index: Index,
        *,
        pack_bytes: int = DEFAULT_PACK_BYTES,
        before_commit: Callable[[], None] = lambda: None,
        on_index: Callable[[], None] = lambda: None,
    ) -> None:
        self._repository = repository
        self._index = index
        self._pack_bytes = pack_bytes
        self._before_commit = before_commit
        self._on_index = on_index
        self._mutex = threading.Lock()
        self._claimed: set[bytes] = set()
        # COMPAT(restic): two open packs per type, a blob goes to either at random, so that the order of chunk
        # sizes in storage does not give a known file away.
        self._open = {kind: [OpenPack(), OpenPack()] for kind in BlobType}
        self._coins, self._coins_left = 0, 0
        uploads = max(1, min(4, repository.backend.connections))
        self._executor = ThreadPoolExecutor(uploads, thread_name_prefix="holdfast-upload")
        # What may wait in open packs and in full ones. Half-filled packs leave room for all uploads at once.
        self._limit_bytes = (1 + uploads) * pack_bytes
        self._held_bytes = self._full_bytes = 0
        self._room = threading.Condition(self._mutex)
        self._uploads: set[Future[None]] = set()
        self._stored: list[tuple[PackId, bytes]] = []
        self._stored_blobs = 0
        self._index_started = repository.clock.monotonic()
        self._failure: BaseException | None = None
        self._indexing = threading.Lock()
        self.counts = WriterCounts()
        self.index_ids: list[IndexId] = []

    def claim(self, kind: BlobType, blob_id: bytes, *, even_if_indexed: bool = False) -> bool:
        """Whether the caller shall seal and `add` this blob; False if it is stored or somebody else is at it."""
        key = blob_id + _KIND_BYTE[kind]
        listed = len(self.index_ids)
        if not even_if_indexed and self._index.contains(kind, blob_id):
            return False
        with self._mutex:
            if key in self._claimed:
                return False
            # An index file that was stored since the question may list it, and its claim is gone by now.
            if len(self.index_ids) != listed and not even_if_indexed and self._index.contains(kind, blob_id):
                return False
            self._claimed.add(key)
            return True

    def add(self, kind: BlobType, blob_id: bytes, sealed: Buffer, raw_length: int) -> None:
        """Puts a claimed, sealed blob into an open pack; stores the pack if it is full.

        Blocks while as many bytes wait as may, and some of them are being stored.

        Raises:
            TargetError: an earlier pack could not be stored; nothing that refers to it will be committed.
        """
        with self._room:
            while self._full_bytes and self._held_bytes + len(sealed) > self._limit_bytes and self._failure is None:
                self._room.wait()
            self._raise_failure()
            self._held_bytes += len(sealed)
            self.count(kind, len(sealed), raw_length)
            packs = self._open[kind]
            which = self._toss()
            packs[which].add(kind, blob_id, sealed, raw_length)
            if packs[which].size < self._pack_bytes and len(packs[which]) < _PACK_BLOBS:
                return
            full, packs[which] = packs[which], OpenPack()
            self._full_bytes += full.size
        self._store_soon(full)

    def _toss(self) -> int:
        """0 or 1, from the system's generator a thousand at a time."""
        if not self._coins_left:
            self._coins, self._coins_left = int.from_bytes(os.urandom(128), "little"), 1024
        self._coins_left -= 1
        return self._coins >> self._coins_left & 1

    def count(self, kind: BlobType, sealed_bytes: int, raw_length: int) -> None:
        """Adds one blob to the counts."""
        self.counts.raw_bytes += raw_length or sealed_bytes - OVERHEAD
        self.counts.stored_bytes += sealed_bytes + pack_format.entry_bytes(compressed=raw_length > 0)
        if kind is BlobType.TREE:
            self.counts.tree_blobs += 1
        else:
            self.counts.data_blobs += 1

    def _store_soon(self, full: OpenPack) -> None:
        """Has a pack stored whose bytes count as full already."""
        size = full.size
        try:
            future = self._executor.submit(self._store, full)
        except RuntimeError as error:
            # INVARIANT: the pack's blobs are claimed and will never be stored; nobody waits for them to be.
            self.fail(error)
            raise
        with self._mutex:
            self._uploads.add(future)
        future.add_done_callback(lambda done: self._stored_or_failed(done, size))

    def _stored_or_failed(self, future: Future[None], size: int) -> None:
        error = None if future.cancelled() else future.exception()
        with self._room:
            self._held_bytes -= size
            self._full_bytes -= size
            self._uploads.discard(future)
            if error is not None and self._failure is None:
                self._failure = error
            self._room.notify_all()

    def _store(self, full: OpenPack) -> None:
        header = pack_format.encode_header(full.blobs())
        sealer = self._repository.sealer()
        sealed = sealer.seal(header, os.urandom(16))
        if sealer.open(sealed, "pack header") != header:
            raise SealVerificationFailed(object="pack header")
        buffers = [*full.buffers, sealed, pack_format.encode_header_length(len(sealed))]
        digest = sha256()
        for buffer in buffers:
            digest.update(buffer)
        pack_id = PackId(digest.digest())
        self._repository.backend.save(Handle(FileKind.PACK, pack_id.hex()), buffers)
        # Whoever asked for this still holds the pack while the index is written.
        del buffers
        full.let_go()
        # INVARIANT: a pack is listed only after `save` confirmed that it is durable.
        with self._mutex:
            self._stored.append((pack_id, full.record))
            self._stored_blobs += len(full)
            due = (
                self._stored_blobs >= INDEX_BLOBS
                or self._repository.clock.monotonic() - self._index_started >= INDEX_AGE_S
            )
        if due:
            self._save_index()

    def _save_index(self) -> None:
        with self._indexing:
            with self._mutex:
                packs, self._stored, self._stored_blobs = self._stored, [], 0
                self._index_started = self._repository.clock.monotonic()
            if not packs:
                return
            try:
                self._before_commit()
                document = index_format.encode_index(_packs(packs))
                index_id = IndexId(self._repository.save_unpacked(FileKind.INDEX, document))
                del document
            except BaseException:
                with self._mutex:
                    self._stored += packs
                raise
            self._index.add(index_id, _packs(packs))
            self.index_ids.append(index_id)
            with self._mutex:
                self._claimed.difference_update(b.id + _KIND_BYTE[b.type] for pack in _packs(packs) for b in pack.blobs)
        self._on_index()

    def flush(self) -> None:
        """Stores everything added so far and lists it in index files; returns when all of it is durable.

        Raises:
            TargetError: something could not be stored; the caller must not commit.
        """
        leftovers: list[OpenPack] = []
        with self._mutex:
            for kind in BlobType:
                leftovers += _merged(self._open[kind], self._pack_bytes)
                self._open[kind] = [OpenPack(), OpenPack()]
            self._full_bytes += sum(pack.size for pack in leftovers)
        for pack in leftovers:
            self._store_soon(pack)
        self._wait()
        self._save_index()

    def checkpoint(self) -> None:
        """After a failure or cancellation: lists the packs that did get stored, so that the next run reuses them."""
        with self._mutex:
            waiting = list(self._uploads)
        for future in waiting:
            future.exception()
        self._save_index()

    def _wait(self) -> None:
        while True:
            with self._mutex:
                waiting = list(self._uploads)
            for future in waiting:
                future.exception()
            with self._mutex:
                if not self._uploads:
                    self._raise_failure()
                    return

    def fail(self, error: BaseException) -> None:
        """Tells that a claimed blob will never be added: from now on everything is refused with this error."""
        with self._room:
            if self._failure is None:
                self._failure = error
            self._room.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Ends the upload threads; what was not flushed is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _merged(packs: list[OpenPack], pack_bytes: int) -> list[OpenPack]:
    """The open packs of one type that hold something, as one where they fit into one."""
    filled = [pack for pack in packs if len(pack)]
    small = sum(pack.size for pack in filled) <= pack_bytes + pack_bytes // 4
    if len(filled) == 2 and small and sum(map(len, filled)) <= _PACK_BLOBS:
        filled[0].absorb(filled[1])
        return filled[:1]
    return filled


def _packs(stored: list[tuple[PackId, bytes]]) -> Iterator[Pack]:
    """Packs as objects, one at a time."""
    for pack_id, record in stored:
        yield Pack(pack_id, unpack_record(record))
