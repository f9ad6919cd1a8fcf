"""Asking an operation to stop, from another thread or from a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from holdfast.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CancelToken:
    """Set once, seen by everybody who holds it. Safe in threads and in signal handlers.

    Attributes:
        signal_number: the signal that cancelled, or 0.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self._cancelled = False
        # INVARIANT: the gate is held from here until the one cancellation. A lock rather than an Event, because
        # Event.set takes a lock that the interrupted thread may be holding when a signal handler calls it.
        self._gate = threading.Lock()
        self._gate.acquire()
        self._chances = [None]

    def cancel(self, signal_number: int = 0) -> None:
        """Cancels; the first call counts and later ones do nothing."""
        try:
            self._chances.pop()
        except IndexError:
            return
        self.signal_number = signal_number
        self._cancelled = True
        self._gate.release()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raises `Interrupted` if `cancel` was called."""
        if self._cancelled:
            raise Interrupted

    def wait(self, seconds: float) -> bool:
        """Waits until cancelled, at most `seconds`. Returns whether it is cancelled."""
        if not self._cancelled and self._gate.acquire(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX)):
            self._gate.release()
        return self._cancelled


def install_signal_handlers(token: CancelToken) -> Callable[[], None]:
    """Makes SIGINT and SIGTERM cancel the token; a second signal ends the process at once with 130 or 143.

    SIGHUP does nothing from now on. Call from the main thread.

    Returns:
        A function that puts the former handlers back.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            os._exit(128 + number)
        token.cancel(number)

    former = {number: signal.signal(number, handle) for number in _SIGNALS}
    # COMPAT(restic): to learn whether the holder of a lock is alive, `restic unlock` sends it SIGHUP. A handler
    # rather than SIG_IGN, which programs that are started from here would inherit.
    former[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda _number, _frame: None)

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    return restore
