"""zstd with bounds: whatever frames a writer made are read, but never beyond the length and memory allowed."""

from __future__ import annotations

import sys
import threading

from holdfast.errors import FormatError
from holdfast.format.document import Buffer
from holdfast.format.zstd_one_shot import FRAME_MAX, decompress_small

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL_DEFAULT = 3
WINDOW_LOG_MAX = 27
"""Frames may ask for a window of up to 128 MiB, as restic's decoder allows."""

_FRAMES_MAX = 10_000
_AT_ONCE = 1 << 20
_LARGE = 8 << 20
_WINDOW_LOG_WRITTEN_MAX = 23
_WIDE_WINDOW_LEVEL = 20
_READ_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}


class _Compressors(threading.local):
    """A compressor holds state of several MiB: one for each thread and level."""

    def __init__(self) -> None:
        self.by_level: dict[int, zstd.ZstdCompressor] = {}

    def get(self, level: int) -> zstd.ZstdCompressor:
        compressor = self.by_level.get(level)
        if compressor is None:
            compressor = self.by_level[level] = _new_compressor(level)
        return compressor


def _new_compressor(level: int) -> zstd.ZstdCompressor:
    parameter = zstd.CompressionParameter
    options: dict[int, int] = {parameter.compression_level: level}
    if level >= _WIDE_WINDOW_LEVEL:
        # Readers allocate the window; the highest levels would ask for 128 MiB.
        options[parameter.window_log] = _WINDOW_LOG_WRITTEN_MAX
    return zstd.ZstdCompressor(options=options)


_compressors = _Compressors()


def compress(data: Buffer, level: int = LEVEL_DEFAULT) -> bytes:
    """One frame that records its content size, without checksum (the seal and the id already guard it)."""
    return _compressors.get(level).compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)


def decompress(data: Buffer, max_length: int, what: object = "data") -> bytes | bytearray:
    """Decompresses one or more frames; skippable frames count as nothing.

    Args:
        max_length: the most bytes there may be.
        what: the object, for the error.

    Raises:
        FormatError: not whole zstd frames, a window beyond 128 MiB, or more than `max_length` bytes.
    """
    with memoryview(data) as view:
        try:
            size = zstd.get_frame_size(view)
            if size == len(view):
                if size <= FRAME_MAX and (plaintext := decompress_small(bytes(data), max_length)) is not None:
                    return plaintext
                return _decompress_frame(view, max_length, what)
            return _decompress_frames(view, max_length, what)
        except zstd.ZstdError as error:
            raise FormatError(object=what, reason="its compressed data is malformed") from error


def restores(frame: Buffer, plaintext: bytes | bytearray) -> bool:
    """Whether a frame just written gives this plaintext back. Costs nothing beyond the decompression itself."""
    if len(frame) <= FRAME_MAX and (again := decompress_small(bytes(frame), len(plaintext))) is not None:
        return again == plaintext
    decompressor = zstd.ZstdDecompressor()
    position = 0
    try:
        # Piece by piece, so that the plaintext is not there twice.
        piece = decompressor.decompress(frame, max_length=_AT_ONCE)
        while piece and plaintext.startswith(piece, position):
            position += len(piece)
            piece = b"" if decompressor.eof else decompressor.decompress(b"", max_length=_AT_ONCE)
    except zstd.ZstdError:
        return False
    return decompressor.eof and not piece and position == len(plaintext)


def decompress_exact(data: Buffer, length: int, what: object = "data") -> bytes | bytearray:
    """`decompress` where the length is recorded. Raises `FormatError` also if there are fewer bytes than that."""
    plaintext = decompress(data, length, what)
    if len(plaintext) != length:
        raise FormatError(object=what, reason="it decompresses to fewer bytes than recorded")
    return plaintext


def _decompress_frames(view: memoryview, max_length: int, what: object) -> bytes:
    parts: list[bytes | bytearray] = []
    position = total = 0
    for _ in range(_FRAMES_MAX):
        if position == len(view):
            return b"".join(parts)
        size = zstd.get_frame_size(view[position:])
        part = _decompress_frame(view[position : position + size], max_length - total, what)
        parts.append(part)
        total += len(part)
        position += size
    raise FormatError(object=what, reason="it consists of too many compressed frames")


def _decompress_frame(frame: memoryview, max_length: int, what: object) -> bytes | bytearray:
    decompressor = zstd.ZstdDecompressor(options=_READ_OPTIONS)
    # One byte more than allowed tells "too long" from "just right", and lets a final checksum be read.
    plaintext = _read(decompressor, frame, max_length + 1)
    if len(plaintext) > max_length:
        raise FormatError(object=what, reason="it decompresses to more bytes than recorded")
    if not decompressor.eof:
        raise FormatError(object=what, reason="its compressed data is cut short")
    return plaintext


def _read(decompressor: zstd.ZstdDecompressor, frame: memoryview, most: int) -> bytes | bytearray:
    """At most so many bytes, or fewer where the frame ends."""
    plaintext = decompressor.decompress(frame, max_length=min(most, _LARGE))
    if len(plaintext) < _LARGE:
        return plaintext
    # The library would gather pieces and join them in the end, so that all of it would be there twice.
    gathered = bytearray(plaintext)
    while len(gathered) < most and not decompressor.eof:
        piece = decompressor.decompress(b"", max_length=min(most - len(gathered), _AT_ONCE))
        if not piece:
            break
        gathered += piece
    return gathered
