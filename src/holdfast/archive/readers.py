"""Readers that prove what they pass on: checksums, gzip, limits."""

from __future__ import annotations

import hashlib
import zlib

from holdfast.archive.origin import Origin
from holdfast.errors import ChecksumMismatch, ObjectNotFound
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import Folder

_READ_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class CheckedReader:
    """Hashes a stored file while it is read and compares at its end.

    Args:
        inner: the stored file.
        origin: the file, for errors.
        sha256: what it should be; empty if nobody knows.
    """

    def __init__(self, inner: ContentReader, origin: Origin, sha256: str = "") -> None:
        self._inner = inner
        self._origin = origin
        self._expected = sha256
        self._sha256 = hashlib.sha256()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `ChecksumMismatch` at the end instead of ending."""
        block = self._inner.read(size)
        self._sha256.update(block)
        if not block or size < 0:
            self._end()
        return block

    def close(self) -> None:
        """Closes the stored file."""
        self._inner.close()

    def drain(self) -> None:
        """Reads what is left, for the checksum alone. Raises `ChecksumMismatch`."""
        while not self._ended:
            self.read(_READ_BYTES)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            found = self._sha256.hexdigest()
            if self._expected and found != self._expected:
                raise ChecksumMismatch(path=self._origin.name, found=found, expected=self._expected)


class GunzipReader:
    """Reads one or more gzip members; zeros after the last are padding of a tape.

    Args:
        inner: the compressed bytes.
        origin: the file, for errors.
    """

    def __init__(self, inner: ContentReader, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        self._inflater = zlib.decompressobj(_GZIP)
        self._rest = b""
        self._done = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes.

        Raises:
            BackupDamaged: the bytes are no gzip, cut short, or do not match their check value.
        """
        if size == 0:
            return b""
        parts: list[bytes] = []
        while not self._done:
            block = self._step(_READ_BYTES if size < 0 else size)
            if block and size >= 0:
                return block
            parts.append(block)
        return b"".join(parts)

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()

    def _step(self, limit: int) -> bytes:
        if self._inflater.eof:
            self._next_member()
            return b""
        if not self._rest:
            self._rest = self._inner.read(_READ_BYTES)
            if not self._rest:
                raise self._origin.damaged("its compressed data is cut short")
        try:
            block = self._inflater.decompress(self._rest, limit)
        except zlib.error as error:
            raise self._origin.damaged("its compressed data is garbled") from error
        self._rest = self._inflater.unconsumed_tail or self._inflater.unused_data
        if not block and not self._rest and not self._inflater.eof:
            return b""
        return block

    def _next_member(self) -> None:
        rest = self._rest.lstrip(b"\0")
        while not rest:
            more = self._inner.read(_READ_BYTES)
            if not more:
                self._done = True
                return
            rest = more.lstrip(b"\0")
        self._rest = rest
        self._inflater = zlib.decompressobj(_GZIP)


class LimitedReader:
    """Lets no more bytes through than there were.

    Args:
        inner: what is read from.
        origin: the file, for errors.
        limit_bytes: how many there may be; None for any number.
    """

    def __init__(self, inner: ContentReader, origin: Origin, limit_bytes: int | None) -> None:
        self._inner = inner
        self._origin = origin
        self._limit_bytes = limit_bytes
        self.position = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes. Raises `BackupDamaged` when there are more than there were."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_READ_BYTES), b""))
        block = self._inner.read(size)
        self.position += len(block)
        if self._limit_bytes is not None and self.position > self._limit_bytes:
            raise self._origin.damaged("it unpacks to more bytes than were packed")
        return block

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()


def open_stored(folder: Folder, origin: Origin, sha256: str = "") -> CheckedReader:
    """Opens a stored file.

    Raises:
        BackupDamaged: it is gone.
    """
    try:
        return CheckedReader(folder.read(origin.name), origin, sha256)
    except ObjectNotFound as error:
        raise origin.damaged("the file is gone") from error
