"""gzip, compressed by several threads into one ordinary stream."""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from holdfast.archive.sink import Sink
from holdfast.model.buffer import Buffer

LEVEL_DEFAULT = 6
_BLOCK_BYTES = 512 * 1024
_WINDOW_BYTES = 32 * 1024
_THREADS_MAX = 4
_FASTEST, _BEST = 1, 9


class Deflater:
    """Raw deflate data, made block by block.

    Each block is compressed by a thread of its own with the end of the block before it as dictionary, and ends on a
    byte (as `pigz` does it): the parts joined are one stream that every inflater reads. zlib lets go of the
    interpreter's lock, so that two processors halve the time.

    Args:
        level: 0 to 9.
        threads: how many blocks at once; by default as many as there are processors, up to four.
    """

    def __init__(self, level: int, threads: int | None = None) -> None:
        self._level = level
        self._threads = min(os.cpu_count() or 1, _THREADS_MAX) if threads is None else threads
        self._pending = bytearray()
        self._window = b""
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: deque[Future[bytes]] = deque()

    def feed(self, block: Buffer) -> bytes:
        """Takes more bytes; returns what is compressed by now, in order."""
        self._pending += block
        if len(self._pending) <= _BLOCK_BYTES:
            return b""
        with memoryview(self._pending) as pending:
            whole = (len(pending) - 1) // _BLOCK_BYTES
            blocks = [bytes(pending[at * _BLOCK_BYTES : (at + 1) * _BLOCK_BYTES]) for at in range(whole)]
            rest = bytearray(pending[whole * _BLOCK_BYTES :])
        self._pending = rest
        return b"".join(self._submit(one) for one in blocks)

    def finish(self) -> bytes:
        """The rest of the stream."""
        last = _compress(bytes(self._pending), self._window, self._level, zlib.Z_FINISH)
        parts = [job.result() for job in self._jobs]
        self.close()
        return b"".join([*parts, last])

    def close(self) -> None:
        """Lets go of the threads."""
        self._jobs.clear()
        self._pending = bytearray()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, block: bytes) -> bytes:
        window, self._window = self._window, block[-_WINDOW_BYTES:]
        if self._threads < 2:
            return _compress(block, window, self._level, zlib.Z_SYNC_FLUSH)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="holdfast-gzip")
        self._jobs.append(self._pool.submit(_compress, block, window, self._level, zlib.Z_SYNC_FLUSH))
        return self._jobs.popleft().result() if len(self._jobs) > 2 * self._threads else b""


class GzipSink:
    """One gzip member without name and time, so that the same content gives the same bytes.

    Args:
        inner: takes the compressed bytes.
        level: 0 is the default.
        threads: see `Deflater`.
    """

    def __init__(self, inner: Sink, level: int = 0, threads: int | None = None) -> None:
        self._inner = inner
        level = level or LEVEL_DEFAULT
        self._deflater = Deflater(level, threads)
        self._crc = 0
        self._length = 0
        flags = 2 if level == _BEST else 4 if level == _FASTEST else 0
        inner.write(b"\x1f\x8b\x08\x00\x00\x00\x00\x00" + bytes([flags, 3]))

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        self._crc = zlib.crc32(block, self._crc)
        self._length += memoryview(block).nbytes
        done = self._deflater.feed(block)
        if done:
            self._inner.write(done)
        return None

    def finish(self) -> None:
        """Ends the stream."""
        self._inner.write(self._deflater.finish())
        self._inner.write(struct.pack("<II", self._crc, self._length & 0xFFFFFFFF))
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        self._deflater.close()
        self._inner.abort()


def _compress(block: bytes, window: bytes, level: int, flush: int) -> bytes:
    if window:
        compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=window)
    else:
        compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(block) + compressor.flush(flush)
