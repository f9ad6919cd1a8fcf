"""Keeping below a number of bytes a second in each direction."""

from __future__ import annotations

import threading

from holdfast.backends.wrappers.passing import PassingBackend
from holdfast.protocols import Backend, Handle, Payload
from holdfast.runtime.clock import Clock, SystemClock


class TokenBucket:
    """Shares a rate between threads.

    A transfer is paid for as a whole and may put the bucket into debt; the debt is waited off before the next one, so
    that the average keeps to the rate however large one object is.

    Args:
        bytes_per_s: the rate; 0 is no limit.
        clock: tells and passes the time.
        burst_s: how many seconds' worth may pass at once after a pause.
    """

    def __init__(self, bytes_per_s: int, clock: Clock, *, burst_s: float = 1.0) -> None:
        self._rate = bytes_per_s
        self._clock = clock
        self._most = bytes_per_s * burst_s
        self._tokens = self._most
        self._filled_at = clock.monotonic()
        self._guard = threading.Lock()

    def take(self, size_bytes: int) -> None:
        """Pays for a transfer, then waits until the bucket is out of debt."""
        if self._rate <= 0:
            return
        with self._guard:
            now = self._clock.monotonic()
            self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            self._tokens -= size_bytes
            wait_s = -self._tokens / self._rate
        if wait_s > 0:
            self._clock.sleep(wait_s)


class LimitBackend(PassingBackend):
    """Slows saving and loading down to given rates; small requests such as listings are not counted.

    Args:
        inner: the storage.
        upload_bytes_per_s: 0 is no limit.
        download_bytes_per_s: 0 is no limit.
        clock: tells and passes the time.
    """

    def __init__(
        self,
        inner: Backend,
        *,
        upload_bytes_per_s: int = 0,
        download_bytes_per_s: int = 0,
        clock: Clock | None = None,
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        super().__init__(inner)
        self._upload = TokenBucket(upload_bytes_per_s, clock)
        self._download = TokenBucket(download_bytes_per_s, clock)

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object, when its turn has come."""
        self._upload.take(sum(memoryview(buffer).nbytes for buffer in data))
        self._inner.save(handle, data)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it, and returns it when its turn has come."""
        content = self._inner.load(handle, offset, length)
        self._download.take(len(content))
        return content
