"""Runs that are going on in this process: how far they are, and how to stop them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from holdfast.model.event import Event, Progress
from holdfast.runtime.cancel import CancelToken

_KEPT_EVENTS = 256


class LiveRun:
    """One run while it goes on. Safe in threads.

    Attributes:
        cancel: stops it.
    """

    def __init__(self, run_id: str, cancel: CancelToken) -> None:
        self.run_id = run_id
        self.cancel = cancel
        self._changed = threading.Condition()
        self._events: deque[tuple[int, Event]] = deque(maxlen=_KEPT_EVENTS)
        self._count = 0
        self._ended = False

    def listen(self, event: Event) -> None:
        """Keeps an event for those who follow; of progress within one phase only the newest."""
        with self._changed:
            last = self._events[-1][1] if self._events else None
            if isinstance(event, Progress) and isinstance(last, Progress) and last.phase == event.phase:
                self._events.pop()
            self._count += 1
            self._events.append((self._count, event))
            self._changed.notify_all()

    def end(self) -> None:
        """Tells those who follow that nothing more comes."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended

    def after(self, number: int) -> list[tuple[int, Event]]:
        """Events that are newer than one that was seen, each with its number; 0 for all that are kept."""
        with self._changed:
            return [(count, event) for count, event in self._events if count > number]

    def wait(self, timeout_s: float) -> bool:
        """Waits for the end, at most so long. Returns whether it is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, timeout_s)


class LiveRuns:
    """All runs that are going on in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, LiveRun] = {}

    def begin(self, run_id: str, cancel: CancelToken) -> LiveRun:
        """Adds one."""
        live = LiveRun(run_id, cancel)
        with self._lock:
            self._runs[run_id] = live
        return live

    def end(self, run_id: str) -> None:
        """Removes one, and tells those who follow it."""
        with self._lock:
            live = self._runs.pop(run_id, None)
        if live is not None:
            live.end()

    def get(self, run_id: str) -> LiveRun | None:
        """The run of an id, if it goes on here."""
        with self._lock:
            return self._runs.get(run_id)

    def __iter__(self) -> Iterator[LiveRun]:
        with self._lock:
            return iter(list(self._runs.values()))
