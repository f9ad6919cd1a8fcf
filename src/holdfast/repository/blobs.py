"""Sealing and opening single blobs, each verified by its content."""

from __future__ import annotations

import os
from enum import Enum
from hashlib import sha256

from holdfast.errors import FormatError, HashMismatch, Phrase, SealVerificationFailed
from holdfast.format import zstd
from holdfast.format.seal import OVERHEAD, Sealer
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer

_SAMPLE_BYTES = 16 * 1024
_SAMPLE_FROM_BYTES = 64 * 1024
_WORTHWHILE = 0.97


class Compression(Enum):
    """How hard the writer tries; the value is the zstd level, 0 for none."""

    OFF = 0
    FASTEST = 1
    AUTO = 3
    BETTER = 9
    MAX = 19


def seal_blob(
    sealer: Sealer, kind: BlobType, plaintext: bytes | bytearray, compression: Compression
) -> tuple[Buffer, int]:
    """Compresses where it pays, seals, and opens the result again before anyone may store it.

    Args:
        sealer: the calling thread's sealer.
        kind: tree blobs are always compressed (COMPAT(restic): prune rewrites tree packs that are not).
        plaintext: the blob's content, not empty for trees.
        compression: `OFF` also for repositories of version 1, trees included.

    Returns:
        The sealed bytes and the plaintext length if they hold a zstd frame, else 0.

    Raises:
        SealVerificationFailed: what would be stored does not read back as `plaintext`.
    """
    payload, raw_length = _compressed(kind, plaintext, compression)
    sealed = sealer.seal(payload, os.urandom(16))
    same = sealer.opens_to(sealed, payload, "blob") and (not raw_length or zstd.restores(payload, plaintext))
    if not same:
        raise SealVerificationFailed(object=f"{kind.label} blob")
    return sealed, raw_length


def _compressed(
    kind: BlobType, plaintext: bytes | bytearray, compression: Compression
) -> tuple[bytes | bytearray, int]:
    if compression is Compression.OFF or not plaintext:
        return plaintext, 0
    size = len(plaintext)
    level = compression.value
    if kind is BlobType.TREE:
        return zstd.compress(plaintext, level), size
    if size >= _SAMPLE_FROM_BYTES and _looks_incompressible(plaintext):
        return plaintext, 0
    frame = zstd.compress(plaintext, level)
    return (frame, size) if len(frame) < size else (plaintext, 0)


def _looks_incompressible(plaintext: bytes | bytearray) -> bool:
    """Whether samples from start, middle and end all fail to shrink; costs some 30 µs instead of milliseconds."""
    view = memoryview(plaintext)
    last = len(view) - _SAMPLE_BYTES
    for start in (0, last // 2, last):
        sample = view[start : start + _SAMPLE_BYTES]
        if len(zstd.compress(sample, 1)) < _SAMPLE_BYTES * _WORTHWHILE:
            return False
    return True


def open_blob(
    sealer: Sealer,
    sealed: Buffer,
    start: int,
    length: int,
    raw_length: int,
    blob_id: bytes,
    what: object,
    *,
    keep: bool = True,
) -> Buffer:
    """Opens a sealed blob inside a larger buffer and checks everything that can be checked.

    Args:
        sealer: the calling thread's sealer.
        sealed: a pack or a part of one.
        start: first byte of the sealed blob in the buffer.
        length: its sealed length in bytes.
        raw_length: plaintext bytes if it is compressed, else 0.
        blob_id: what the plaintext must hash to.
        what: names the blob in errors.
        keep: whether the result is needed beyond the next use of the sealer; without, it costs no copy.

    Raises:
        MacMismatch: the bytes were changed.
        FormatError: the frame is broken or of another length than recorded.
        HashMismatch: the plaintext is not the one asked for.
    """
    if length < OVERHEAD:
        raise FormatError(
            object=what,
            reason=Phrase(
                "a sealed blob has at least {overhead} bytes, not {length}", {"overhead": OVERHEAD, "length": length}
            ),
        )
    plaintext: Buffer
    if keep and not raw_length:
        plaintext = sealer.open_range(sealed, start, length, what)
    else:
        plaintext = sealer.open_scratch(sealed, start, length, what)
    if raw_length:
        plaintext = zstd.decompress(plaintext, raw_length)
        if len(plaintext) != raw_length:
            raise FormatError(
                object=what,
                reason=Phrase(
                    "{count} bytes after decompression, not {raw_length}",
                    {"count": len(plaintext), "raw_length": raw_length},
                ),
            )
    actual = sha256(plaintext).digest()
    if actual != blob_id:
        raise HashMismatch(object=what, actual=actual.hex())
    return plaintext
