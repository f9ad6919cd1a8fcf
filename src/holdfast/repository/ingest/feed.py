"""A stream that one thread pushes and another reads: what lies between a pushing producer and the pulling chunker."""

from __future__ import annotations

import threading
from collections import deque

from holdfast.errors import Interrupted
from holdfast.model.buffer import Buffer

_LIMIT_BYTES = 4 << 20


class Feed:
    """A bounded queue of bytes; satisfies `holdfast.repository.backup.chunker.BlockReader` at its reading end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._blocks: deque[memoryview] = deque()
        self._waiting = 0
        self._ended = False
        self._broken = False
        self._abandoned = False

    # --- the pushing end ------------------------------------------------------------------------

    def put(self, block: Buffer) -> None:
        """Takes more of the stream; waits while too much of it waits. Drops it if nobody reads any more."""
        with self._changed:
            while self._waiting >= _LIMIT_BYTES and not self._abandoned:
                self._changed.wait()
            if not self._abandoned and len(block):
                self._blocks.append(memoryview(block))
                self._waiting += len(block)
                self._changed.notify_all()

    def end(self) -> None:
        """The stream is whole."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """The stream will never be whole: reading it raises `Interrupted`."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    # --- the reading end ------------------------------------------------------------------------

    def read_block(self, buffer: memoryview) -> int:
        """Fills the buffer unless the stream ends; waits for the pushing end.

        Raises:
            Interrupted: the stream was broken off.
        """
        got = 0
        while got < len(buffer):
            piece = self._next(len(buffer) - got)
            if piece is None:
                break
            buffer[got : got + len(piece)] = piece
            got += len(piece)
        return got

    def _next(self, wanted: int) -> memoryview | None:
        with self._changed:
            while self._waiting < wanted and not self._ended and not self._broken:
                self._changed.wait()
            if self._broken:
                raise Interrupted
            if not self._blocks:
                return None
            piece = self._blocks.popleft()
            if len(piece) > wanted:
                self._blocks.appendleft(piece[wanted:])
                piece = piece[:wanted]
            self._waiting -= len(piece)
            if self._waiting < _LIMIT_BYTES <= self._waiting + len(piece):
                self._changed.notify_all()
            return piece

    def skip_hole(self) -> int:
        """Nothing is known to be a hole before it was pushed."""
        return 0

    def abandon(self) -> None:
        """Nobody reads any more: lets the pushing end go on."""
        with self._changed:
            self._abandoned = True
            self._blocks.clear()
            self._waiting = 0
            self._changed.notify_all()
