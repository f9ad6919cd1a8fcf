"""SHA-256 beside whatever makes the bytes."""

from __future__ import annotations

import hashlib
from queue import Queue
from threading import Thread

_BESIDE_FROM_BYTES = 4 << 20
_BLOCKS_AHEAD = 4


class SideHash:
    """SHA-256 of one content; of a large one in a thread of its own, as hashing lets go of the interpreter's lock.

    Whoever unpacks what is hashed here does both in the time of the longer. Ask for `digest`, or call `close`.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._queue: Queue[bytes] = Queue(_BLOCKS_AHEAD)
        self._thread: Thread | None = None
        self.size_bytes = 0

    def update(self, block: bytes) -> None:
        """More of the content; waits while some blocks wait already. Nothing may change the block later."""
        if not block:
            return
        self.size_bytes += len(block)
        if self._thread is None and self.size_bytes < _BESIDE_FROM_BYTES:
            self._sha256.update(block)
            return
        if self._thread is None:
            self._thread = Thread(target=self._work, name="holdfast-hash", daemon=True)
            self._thread.start()
        self._queue.put(block)

    def digest(self) -> bytes:
        """Of everything given so far, 32 bytes."""
        self.close()
        return self._sha256.digest()

    def close(self) -> None:
        """Ends the thread after what it was given."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(b"")
            thread.join()

    def _work(self) -> None:
        while block := self._queue.get():
            self._sha256.update(block)
