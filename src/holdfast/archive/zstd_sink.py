"""zstd, written and read as a stream."""

from __future__ import annotations

import sys

from holdfast.archive.origin import Origin
from holdfast.archive.sink import Sink
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL_DEFAULT = 3
_WINDOW_LOG_MAX = 27
_READ_BYTES = 256 * 1024


class ZstdSink:
    """One frame with a checksum of its content.

    Args:
        inner: takes the compressed bytes.
        level: 0 is the default.
    """

    def __init__(self, inner: Sink, level: int = 0) -> None:
        self._inner = inner
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {parameter.compression_level: level or LEVEL_DEFAULT, parameter.checksum_flag: 1}
        self._compressor = zstd.ZstdCompressor(options=options)

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        done = self._compressor.compress(block)
        if done:
            self._inner.write(done)
        return None

    def finish(self) -> None:
        """Ends the frame."""
        self._inner.write(self._compressor.flush(zstd.ZstdCompressor.FLUSH_FRAME))
        self._inner.finish()

    def abort(self) -> None:
        """Gives up."""
        self._inner.abort()


class ZstdReader:
    """Reads one or more frames, in memory bounded by a window of 128 MiB.

    Args:
        inner: the compressed bytes.
        origin: the file, for errors.
    """

    def __init__(self, inner: ContentReader, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        self._decompressor = self._fresh()
        self._started = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes.

        Raises:
            BackupDamaged: the bytes are no zstd, or cut short.
        """
        limit = _READ_BYTES if size < 0 else size
        parts: list[bytes] = []
        while True:
            block = self._step(limit)
            if size >= 0 or not block:
                return b"".join([*parts, block])
            parts.append(block)

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()

    def _step(self, limit: int) -> bytes:
        while True:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or self._inner.read(_READ_BYTES)
                if not rest:
                    return b""
                self._decompressor = self._fresh()
            elif self._decompressor.needs_input:
                rest = self._inner.read(_READ_BYTES)
                if not rest:
                    raise self._origin.damaged("its compressed data is cut short")
            else:
                rest = b""
            try:
                block = self._decompressor.decompress(rest, max_length=limit)
            except zstd.ZstdError as error:
                raise self._origin.damaged("its compressed data is garbled") from error
            if block:
                return block

    def _fresh(self) -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
