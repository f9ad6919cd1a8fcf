"""Who guesses tokens: how many wrong ones come from where."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from holdfast.runtime.clock import Clock

_WINDOW_S = 60.0
_ADDRESSES = 10_000
_KNOWN = 1_000
# All addresses together: many machines may guess at once.
_EVERYBODY = 15


class Guesses:
    """Counts wrong tokens by address. Safe in threads; bounded, however many addresses there are.

    A token that was good a while ago is looked at whatever comes from its address, so that a guesser behind the same
    address locks nobody out who works already. Only a hash of it is kept, and only in memory.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._all: tuple[float, int] = (0.0, 0)
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def wait_s(self, address: str, secret: str) -> int:
        """How long somebody has to wait before a token is looked at; 0 for not at all."""
        now = self._clock.monotonic()
        with self._lock:
            if _digest(secret) in self._known:
                return 0
            began, count = self._wrong.get(address, (now, 0))
            began_all, count_all = self._all
            if now - began < _WINDOW_S and count >= self._per_minute:
                return int(_WINDOW_S - (now - began)) + 1
            if now - began_all < _WINDOW_S and count_all >= self._per_minute * _EVERYBODY:
                return int(_WINDOW_S - (now - began_all)) + 1
            return 0

    def wrong(self, address: str) -> None:
        """A token from there was wrong."""
        now = self._clock.monotonic()
        with self._lock:
            self._wrong[address] = _counted(self._wrong.get(address), now)
            self._wrong.move_to_end(address)
            self._all = _counted(self._all, now)
            while len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)

    def right(self, secret: str) -> None:
        """A token was good."""
        with self._lock:
            self._known[_digest(secret)] = None
            self._known.move_to_end(_digest(secret))
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)


def _counted(known: tuple[float, int] | None, now: float) -> tuple[float, int]:
    if known is None or now - known[0] >= _WINDOW_S:
        return now, 1
    return known[0], known[1] + 1


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
