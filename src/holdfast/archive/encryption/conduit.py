"""A bounded pipe between two threads, for libraries and programs that want to be in charge."""

from __future__ import annotations

import threading
from collections import deque

from holdfast.model.buffer import Buffer

_ROOM_BYTES = 4 * 1024 * 1024


class ConduitClosed(Exception):
    """The other end does not listen any more."""


class Conduit:
    """Bytes from one thread to another; a writer waits while more than 4 MiB are on the way."""

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def write(self, block: Buffer, /) -> int:
        """Gives bytes to the reader. Raises `ConduitClosed` when it has gone."""
        data = bytes(block)
        with self._changed:
            while self._bytes >= _ROOM_BYTES and not self._closed:
                self._changed.wait()
            if self._closed:
                raise ConduitClosed
            if data:
                self._blocks.append(data)
                self._bytes += len(data)
                self._changed.notify_all()
        return len(data)

    def flush(self) -> None:
        """Does nothing: bytes are there at once."""

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; `error` is raised to the reader after the last byte."""
        with self._changed:
            self._ended = True
            self._error = error
            self._changed.notify_all()

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; waits for the first. All of them for a negative size."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_ROOM_BYTES), b""))
        with self._changed:
            while not self._blocks and not self._ended and not self._closed:
                self._changed.wait()
            if not self._blocks:
                if self._error is not None:
                    raise self._error
                return b""
            block = self._blocks.popleft()
            if len(block) > size:
                block, rest = block[:size], block[size:]
                self._blocks.appendleft(rest)
            self._bytes -= len(block)
            self._changed.notify_all()
            return block

    def close(self) -> None:
        """The reader goes: whoever writes is told."""
        with self._changed:
            self._closed = True
            self._blocks.clear()
            self._bytes = 0
            self._changed.notify_all()
