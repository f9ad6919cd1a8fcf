"""A stream that is read once, for readers that believe they can seek."""

from __future__ import annotations

from holdfast.archive.origin import Origin
from holdfast.protocols.content import ContentReader

_STEP_BYTES = 256 * 1024
_KEPT_BYTES = 64 * 1024
_READ_MAX = 64 * 1024 * 1024


class ForwardStream:
    """Reads forwards, and some 64 KiB back.

    Args:
        inner: the bytes.
        origin: the file, for errors.
    """

    def __init__(self, inner: ContentReader, origin: Origin) -> None:
        self._inner = inner
        self._origin = origin
        self._start = 0
        self._buffer = b""
        self._at = 0
        self.last = b""

    def read(self, size: int = -1, /) -> bytes:
        """Exactly `size` bytes unless the stream ends; no reader here asks for everything.

        Raises:
            BackupDamaged: so much at once is asked for that a header must lie.
        """
        if size < 0 or size > _READ_MAX:
            raise self._origin.damaged("a header in it announces an absurd length")
        if len(self._buffer) - self._at < size:
            self._fill(size)
        found = self._buffer[self._at : self._at + size]
        self._at += len(found)
        self.last = found
        return found

    def tell(self) -> int:
        """How far it was read."""
        return self._start + self._at

    def seekable(self) -> bool:
        """Forwards it is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def seek(self, position: int, whence: int = 0) -> int:
        """Skips forwards, or a little back.

        Raises:
            BackupDamaged: it would have to go further back.
        """
        if whence == 1:
            position += self.tell()
        if position < self._start:
            raise self._origin.damaged("a header in it points backwards")
        self._at = min(self._at, position - self._start)
        while self.tell() < position:
            if not self.read(min(position - self.tell(), _STEP_BYTES)):
                break
        return self.tell()

    def close(self) -> None:
        """Closes what is read from."""
        self._inner.close()

    def drain(self) -> None:
        """Reads what is left."""
        while self.read(_STEP_BYTES):
            pass

    def _fill(self, size: int) -> None:
        dropped = max(0, self._at - _KEPT_BYTES)
        self._start += dropped
        self._at -= dropped
        parts = [self._buffer[dropped:]]
        missing = size - (len(parts[0]) - self._at)
        while missing > 0:
            block = self._inner.read(max(_STEP_BYTES, missing))
            if not block:
                break
            parts.append(block)
            missing -= len(block)
        self._buffer = b"".join(parts)
