"""Regular files on their way into the repository: small ones in batches to processes, large ones to threads.

Everything comes back to the walking thread through one queue, so that trees are built without locks.
"""

from __future__ import annotations

import os
import queue
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from holdfast.format.node_head import encode_name
from holdfast.model.blob import BlobType
from holdfast.repository.backup.nodes import encode_file, read_xattrs
from holdfast.repository.backup.report import BackupProblem, Counts
from holdfast.repository.backup.small_files import (
    CHANGED,
    SMALL_BYTES,
    FileToSave,
    Job,
    SavedFile,
    failed,
    has_changed,
    open_regular,
    save_small_files,
)
from holdfast.repository.backup.streams import FileBlocks, StreamSaver
from holdfast.repository.backup.tree_builder import Directory, TreeBuilder
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool

_BATCH_FILES = 128
_BATCH_BYTES = 2 * 1024 * 1024
_READERS = 2


class Pending(NamedTuple):
    """A file that waits: whose entry it is, and what it is called."""

    directory: Directory
    slot: int
    file: FileToSave
    shown_path: bytes
    size: int
    known: bool


Outcome = tuple[list[Pending], "Future[list[tuple[object, ...]]]"]
Saved = Callable[[Pending, SavedFile], None]


class FileQueue:
    """Takes files to save and fills their entries in as they are done.

    Only the walking thread calls it; `cancel` and failures of the writer stop it.
    """

    def __init__(
        self,
        builder: TreeBuilder,
        writer: PackWriter,
        streams: StreamSaver,
        pool: WorkerPool,
        job: Job,
        counts: Counts,
        cancel: CancelToken,
        on_saved: Saved,
    ) -> None:
        self._builder = builder
        self._writer = writer
        self._streams = streams
        self._pool = pool
        self._job = job
        self._counts = counts
        self._cancel = cancel
        self._on_saved = on_saved
        self._batch: list[Pending] = []
        self._batch_bytes = 0
        self._in_flight = 0
        self._limit = max(1, pool.processes) * 3
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="holdfast-read")

    def add(self, pending: Pending) -> None:
        """Queues a file; blocks while too much is under way."""
        if pending.size > SMALL_BYTES:
            self._add_large(pending)
            return
        self._batch.append(pending)
        self._batch_bytes += pending.size
        if len(self._batch) >= _BATCH_FILES or self._batch_bytes >= _BATCH_BYTES:
            self._send_batch()

    def save_now(self, pending: Pending) -> None:
        """Saves a file in this thread, for paths that cannot be opened from elsewhere."""
        saved = _LARGE
        if pending.size <= SMALL_BYTES:
            saved = SavedFile(*save_small_files(self._job, [pending.file])[0])  # type: ignore[arg-type]
        if saved.large:
            saved = save_large_file(self._streams, pending.file, with_atime=self._job.with_atime)
        self._finish(pending, saved)

    def _send_batch(self) -> None:
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        future = self._pool.submit(save_small_files, self._job, [pending.file for pending in batch])
        self._track(batch, future)

    def _add_large(self, pending: Pending) -> None:
        future = self._readers.submit(self._save_large, pending.file)
        self._track([pending], future)

    def _save_large(self, file: FileToSave) -> list[tuple[object, ...]]:
        return [tuple(save_large_file(self._streams, file, with_atime=self._job.with_atime))]

    def _track(self, batch: list[Pending], future: Future[list[tuple[object, ...]]]) -> None:
        self._in_flight += 1
        future.add_done_callback(lambda done: self._done.put((batch, done)))
        self.collect(self._limit)

    def collect(self, most_in_flight: int) -> None:
        """Finishes what is done, and waits until at most so many batches are under way."""
        while self._in_flight and (self._in_flight > most_in_flight or not self._done.empty()):
            try:
                batch, future = self._done.get(timeout=1.0)
            except queue.Empty:
                self._cancel.raise_if_cancelled()
                continue
            self._in_flight -= 1
            for pending, fields in zip(batch, future.result(), strict=True):
                saved = SavedFile(*fields)  # type: ignore[arg-type]
                if saved.large:
                    self._add_large(pending)
                else:
                    self._finish(pending, saved)
        self._cancel.raise_if_cancelled()

    def drain(self) -> None:
        """Waits for everything."""
        self._send_batch()
        while self._in_flight:
            self.collect(0)

    def _finish(self, pending: Pending, saved: SavedFile) -> None:
        for blob_id, sealed, raw_length in saved.blobs:
            if sealed is not None and self._writer.claim(BlobType.DATA, blob_id):
                self._writer.add(BlobType.DATA, blob_id, sealed, raw_length)
        if saved.problem is not None:
            self._counts.problems.append(BackupProblem(pending.shown_path, *saved.problem))
        if saved.node is not None:
            self._counts.file(saved.size, known=pending.known)
            self._on_saved(pending, saved)
        self._builder.fill(pending.directory, pending.slot, saved.node)

    def close(self) -> None:
        """Ends the threads."""
        self._readers.shutdown(wait=True, cancel_futures=True)


_LARGE = SavedFile(None, (), 0, None, large=True)


def save_large_file(streams: StreamSaver, file: FileToSave, *, with_atime: bool) -> SavedFile:
    """Stores one file chunk by chunk; read once more if it changes meanwhile."""
    path, name = file
    try:
        descriptor = open_regular(path)
    except OSError as error:
        return failed(error)
    try:
        for _attempt in (1, 2):
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return SavedFile(None, (), 0, ("changed", "it is no longer a regular file"))
            sparse = before.st_blocks * 512 < before.st_size
            ids, size = streams.save(FileBlocks(descriptor, before.st_size, sparse=sparse), path)
            changed = has_changed(before, os.fstat(descriptor))
            if not changed:
                break
        xattrs = read_xattrs(descriptor)
    except OSError as error:
        return failed(error)
    finally:
        os.close(descriptor)
    node = encode_file(encode_name(name), before, xattrs, ids, size, with_atime=with_atime)
    return SavedFile(node, (), size, CHANGED if changed else None)
