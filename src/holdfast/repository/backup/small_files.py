"""Small files, a batch at a time: read, hash, compress, seal and encode, in a worker process.

Per small file the interpreter costs more than the data does, so whole batches go to processes that share no
interpreter lock. A worker returns finished nodes and sealed blobs; which blobs are stored is the writer's decision.
"""

from __future__ import annotations

import os
import stat
import threading
from hashlib import sha256
from typing import NamedTuple

from holdfast.format.node_head import encode_name
from holdfast.format.seal import Sealer
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.key import MasterKey
from holdfast.repository.backup.chunker import DATABASE_CHUNK_BYTES, database_chunk_bytes
from holdfast.repository.backup.nodes import encode_file, read_xattrs
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index_probe import IndexProbe

SMALL_BYTES = 512 * 1024
CHANGED = ("changed", "it changed while it was read")
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


SealedBlob = tuple[bytes, Buffer | None, int]
"""One blob of a file: id, sealed bytes (None if the index has it already), raw length if it is compressed."""


class SavedFile(NamedTuple):
    """What became of one file. `node` is None if it could not be read; `large` asks for the other way."""

    node: bytes | None
    blobs: tuple[SealedBlob, ...]
    size: int
    problem: tuple[str, str] | None
    large: bool = False


class Job(NamedTuple):
    """What a worker needs to know for every file."""

    master: MasterKey
    compression: Compression
    index_path: str | None
    with_atime: bool


FileToSave = tuple[bytes, bytes]
"""One file: the path it can be opened at, and what it is called."""


class _Tools(threading.local):
    """What a thread keeps from one batch to the next; neither a sealer nor a probe may be shared."""

    job: Job | None = None
    sealer: Sealer
    probe: IndexProbe | None

    def prepare(self, job: Job) -> None:
        if self.job != job:
            self.sealer = Sealer(job.master)
            self.probe = None if job.index_path is None else IndexProbe(job.index_path)
            self.job = job
        if self.probe is not None:
            self.probe.refresh()


_tools = _Tools()


def save_small_files(job: Job, files: list[FileToSave]) -> list[tuple[object, ...]]:
    """Reads and seals a batch of files. Runs in a worker process, or in the calling thread.

    Returns:
        The fields of a `SavedFile` for each file, as plain tuples: they cross the process border ten times faster.
    """
    _tools.prepare(job)
    return [tuple(_save_small_file(job, path, name)) for path, name in files]


def _save_small_file(job: Job, path: bytes, name: bytes) -> SavedFile:
    """Reads and seals one file."""
    try:
        descriptor = open_regular(path)
    except OSError as error:
        return failed(error)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return SavedFile(None, (), 0, ("changed", "it is no longer a regular file"))
        data = _read_all(descriptor, before.st_size)
        changed = has_changed(before, os.fstat(descriptor))
        if changed:
            # Once more: most writers are done by then.
            os.lseek(descriptor, 0, os.SEEK_SET)
            before = os.fstat(descriptor)
            data = _read_all(descriptor, before.st_size)
            changed = has_changed(before, os.fstat(descriptor))
        if data is None:
            return SavedFile(None, (), 0, None, large=True)
        xattrs = read_xattrs(descriptor)
    except OSError as error:
        return failed(error)
    finally:
        os.close(descriptor)
    blobs = tuple([_seal(job, piece) for piece in pieces_of(data, path)])
    ids = [blob[0] for blob in blobs]
    node = encode_file(encode_name(name), before, xattrs, ids, len(data), with_atime=job.with_atime)
    return SavedFile(node, blobs, len(data), CHANGED if changed else None)


def open_regular(path: bytes) -> int:
    """Opens a file for reading, without following a link, blocking on a FIFO or touching its access time."""
    try:
        return os.open(path, OPEN_FLAGS | os.O_NOATIME)
    except PermissionError:
        # Only the owner may leave the access time alone.
        return os.open(path, OPEN_FLAGS)


def failed(error: OSError) -> SavedFile:
    """The outcome for a file that could not be read."""
    code = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
    return SavedFile(None, (), 0, (code, error.strerror or str(error)))


def has_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written to between two looks at it."""
    return (before.st_mtime_ns, before.st_ctime_ns, before.st_size) != (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_size,
    )


def _read_all(descriptor: int, size: int) -> bytes | None:
    """A file's content to its end, whatever `size` promised; None if it is not small."""
    data = os.read(descriptor, min(size, SMALL_BYTES) + 1)
    if len(data) == size and size:
        return data
    parts = [data]
    total = len(data)
    while piece := os.read(descriptor, SMALL_BYTES):
        parts.append(piece)
        total += len(piece)
        if total > SMALL_BYTES:
            return None
    return b"".join(parts) if len(parts) > 1 else data


def pieces_of(data: bytes, path: bytes) -> list[bytes]:
    """How the content of a small file is cut: not at all, unless it is a database."""
    if not data:
        return []
    if len(data) <= DATABASE_CHUNK_BYTES:
        return [data]
    size = database_chunk_bytes(data[:32], path)
    if not size:
        return [data]
    return [data[start : start + size] for start in range(0, len(data), size)]


def _seal(job: Job, piece: bytes) -> SealedBlob:
    blob_id = sha256(piece).digest()
    if _tools.probe is not None and _tools.probe.contains(BlobType.DATA, blob_id):
        return blob_id, None, 0
    sealed, raw_length = seal_blob(_tools.sealer, BlobType.DATA, piece, job.compression)
    return blob_id, sealed, raw_length
