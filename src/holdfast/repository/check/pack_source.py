"""The bytes of one pack, in memory or in a file, for the process that verifies it."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from typing import Protocol, Self

from holdfast.errors import FormatError
from holdfast.model.buffer import Buffer

WHOLE_MAX = 64 << 20
"""Packs up to this size are read in one go."""

_BLOCK = 1 << 20


class PackSource(Protocol):
    """Reads a pack at random."""

    @property
    def size(self) -> int:
        """Bytes there are."""
        ...

    def view(self, offset: int, length: int) -> memoryview:
        """A range, valid until the next call. Raises `FormatError` if it does not lie in the pack."""
        ...

    def digest(self) -> bytes:
        """SHA-256 of everything."""
        ...


class MemorySource:
    """A pack that has been read already."""

    def __init__(self, content: Buffer) -> None:
        self._content = memoryview(content)

    @property
    def size(self) -> int:
        """Bytes there are."""
        return len(self._content)

    def view(self, offset: int, length: int) -> memoryview:
        """A range, without copying."""
        check_range(offset, length, self.size)
        return self._content[offset : offset + length]

    def digest(self) -> bytes:
        """SHA-256 of everything."""
        return sha256(self._content).digest()


class _Scratch(threading.local):
    """One buffer for each thread: fresh memory costs more than the reading."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def get(self, size: int) -> memoryview:
        if len(self.buffer) < size:
            # A new one, not a longer one: views of the old one may still be about.
            self.buffer = bytearray(size)
        return memoryview(self.buffer)[:size]


_scratch = _Scratch()


class FileSource:
    """A pack in a file. Use as a context manager. Its errors are those of the operating system."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._descriptor).st_size

    @property
    def size(self) -> int:
        """Bytes there are."""
        return self._size

    def view(self, offset: int, length: int) -> memoryview:
        """Reads a range into this thread's buffer."""
        check_range(offset, length, self._size)
        view = _scratch.get(length)
        done = 0
        while done < length:
            count = os.preadv(self._descriptor, [view[done:]], offset + done)
            if not count:
                raise FormatError(object="pack", reason="it became shorter while it was read")
            done += count
        return view

    def digest(self) -> bytes:
        """SHA-256 of everything."""
        hasher = sha256()
        for offset in range(0, self._size, _BLOCK):
            hasher.update(self.view(offset, min(_BLOCK, self._size - offset)))
        return hasher.digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def check_range(offset: int, length: int, size: int) -> None:
    """Raises `FormatError` unless the range lies in the pack."""
    if offset < 0 or length < 0 or offset + length > size:
        raise FormatError(object="pack", reason="a blob lies beyond its end")
