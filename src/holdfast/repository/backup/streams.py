"""Storing large files and streams: one thread reads and cuts, others hash, compress and seal.

All the heavy steps release the interpreter lock, so threads use every core here; what is in flight is bounded
in bytes, not in chunks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import IO

from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.repository.backup import chunker
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.repository import Repository
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

_IN_FLIGHT_BYTES = 16 * 1024 * 1024
_IN_FLIGHT_BYTES_A_CORE = 4 * 1024 * 1024
_TASK_BYTES = 1024 * 1024


class StreamSaver:
    """Stores streams as data blobs. Several streams may be saved at once from several threads.

    Args:
        repository: whose keys seal.
        writer: takes the sealed blobs.
        compression: how hard to try.
        cancel: asked between chunks.
    """

    def __init__(
        self, repository: Repository, writer: PackWriter, compression: Compression, cancel: CancelToken
    ) -> None:
        self._repository = repository
        self._writer = writer
        self._compression = compression
        self._cancel = cancel
        self._seed = chunker.seed_of(repository.config)
        cores = len(os.sched_getaffinity(0))
        self._budget = _ByteBudget(min(_IN_FLIGHT_BYTES, cores * _IN_FLIGHT_BYTES_A_CORE))
        self._executor = ThreadPoolExecutor(cores, thread_name_prefix="holdfast-seal")

    def save(self, reader: chunker.BlockReader, path: bytes) -> tuple[list[BlobId], int]:
        """Stores one stream to its end.

        Args:
            reader: the stream.
            path: helps to choose how it is cut.

        Returns:
            The ids of its blobs in order, and its length in bytes.

        Raises:
            TargetError: something could not be stored.
            Interrupted: cancelled.
            OSError: the stream could not be read.
        """
        parts: list[Future[list[BlobId]] | chunker.ZeroRun] = []
        size = 0
        for batch in _batches(chunker.chunks(reader, lambda head: self._choose(head, path))):
            self._cancel.raise_if_cancelled()
            if isinstance(batch, chunker.ZeroRun):
                self._save_zero_block()
                parts.append(batch)
                size += batch.blocks * chunker.ZERO_BLOCK_BYTES
                continue
            weight = sum(map(len, batch))
            size += weight
            self._budget.take(weight)
            parts.append(self._executor.submit(self._save_batch, batch, weight))
            # A failure must stop the reading now and not after the last chunk.
            if len(parts) > 64 and isinstance(early := parts[-64], Future) and early.done():
                early.result()
        return _joined(parts), size

    def save_now(self, pieces: list[bytes]) -> list[BlobId]:
        """Stores the pieces of a small file in the calling thread, which is quicker than asking another one."""
        try:
            return [self._save_chunk(piece) for piece in pieces]
        except BaseException as error:
            # INVARIANT: as in `_save_batch`.
            self._writer.fail(error)
            raise

    def save_soon(self, pieces: list[bytes]) -> Future[list[BlobId]]:
        """Stores the pieces of a file in another thread; waits while too much is in flight."""
        weight = sum(map(len, pieces))
        self._budget.take(weight)
        return self._executor.submit(self._save_batch, pieces, weight)

    def _choose(self, head: bytes, path: bytes) -> chunker.Cut:
        size = chunker.database_chunk_bytes(head, path)
        return chunker.fixed(size) if size else chunker.content_defined(self._seed)

    def _save_batch(self, batch: list[bytes], weight: int) -> list[BlobId]:
        try:
            return [self._save_chunk(chunk) for chunk in batch]
        except BaseException as error:
            # INVARIANT: the chunk is claimed and will never be stored. If the stream cannot be read to its end, nobody
            # asks for this result, and other files may rely on the claim already.
            self._writer.fail(error)
            raise
        finally:
            self._budget.give_back(weight)

    def _save_chunk(self, chunk: bytes) -> BlobId:
        blob_id = BlobId(sha256(chunk).digest())
        if self._writer.claim(BlobType.DATA, blob_id):
            sealed, raw_length = seal_blob(self._repository.sealer(), BlobType.DATA, chunk, self._compression)
            self._writer.add(BlobType.DATA, blob_id, sealed, raw_length)
        return blob_id

    def _save_zero_block(self) -> None:
        if self._writer.claim(BlobType.DATA, chunker.ZERO_BLOCK_ID):
            sealed, raw_length = seal_blob(
                self._repository.sealer(), BlobType.DATA, chunker.ZERO_BLOCK, self._compression
            )
            self._writer.add(BlobType.DATA, chunker.ZERO_BLOCK_ID, sealed, raw_length)

    def close(self) -> None:
        """Ends the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _joined(parts: list[Future[list[BlobId]] | chunker.ZeroRun]) -> list[BlobId]:
    ids: list[BlobId] = []
    for part in parts:
        if isinstance(part, chunker.ZeroRun):
            ids += [BlobId(chunker.ZERO_BLOCK_ID)] * part.blocks
        else:
            ids += part.result()
    return ids


def _batches(pieces: Iterator[bytes | chunker.ZeroRun]) -> Iterator[list[bytes] | chunker.ZeroRun]:
    """Gathers small chunks, so that a task is worth handing to another thread."""
    batch: list[bytes] = []
    weight = 0
    for piece in pieces:
        if isinstance(piece, chunker.ZeroRun):
            if batch:
                yield batch
                batch, weight = [], 0
            yield piece
            continue
        batch.append(piece)
        weight += len(piece)
        if weight >= _TASK_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


class _ByteBudget:
    """Lets at most so many bytes be in flight, and always at least one chunk."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def take(self, weight: int) -> None:
        with self._changed:
            while self._used and self._used + weight > self._limit:
                self._changed.wait()
            self._used += weight

    def give_back(self, weight: int) -> None:
        with self._changed:
            self._used -= weight
            self._changed.notify_all()


class FileBlocks:
    """A regular file as a block reader; holes are found without reading them.

    Args:
        descriptor: an open file, positioned anywhere.
        size: its length when it was opened.
        sparse: whether it has fewer blocks than bytes.
    """

    def __init__(self, descriptor: int, size: int, *, sparse: bool) -> None:
        self._descriptor = descriptor
        self._size = size
        self._sparse = sparse
        self._position = 0
        self._next_data = 0

    def read_block(self, buffer: memoryview) -> int:
        """Fills the buffer unless the file ends."""
        got = 0
        while got < len(buffer):
            count = os.preadv(self._descriptor, [buffer[got:]], self._position)
            if not count:
                break
            got += count
            self._position += count
        return got

    def skip_hole(self) -> int:
        """Whole blocks of a hole at the present position."""
        if not self._sparse or self._position < self._next_data:
            return 0
        try:
            self._next_data = os.lseek(self._descriptor, self._position, os.SEEK_DATA)
        except OSError:
            # ENXIO: nothing but a hole from here to the end.
            self._next_data = max(self._size, self._position)
        blocks = (self._next_data - self._position) // chunker.ZERO_BLOCK_BYTES
        self._position += blocks * chunker.ZERO_BLOCK_BYTES
        if not blocks:
            self._next_data = self._position + chunker.ZERO_BLOCK_BYTES
        return blocks


class StreamBlocks:
    """Any binary stream (standard input, a dump) as a block reader."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read_block(self, buffer: memoryview) -> int:
        """Fills the buffer unless the stream ends; short reads of pipes are joined."""
        got = 0
        while got < len(buffer):
            piece = self._stream.read(len(buffer) - got)
            if not piece:
                break
            buffer[got : got + len(piece)] = piece
            got += len(piece)
        return got

    def skip_hole(self) -> int:
        """A stream has no holes that are known without reading."""
        return 0
