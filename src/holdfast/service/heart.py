"""Signs of life of a run, and by whom they are."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import datetime

from holdfast.catalog.runs import Runs
from holdfast.errors import HoldfastError
from holdfast.runtime import host

BEAT_S = 15.0
"""How often a run shows that it is alive; see `holdfast.scheduler.watching.LOST_AFTER_S`."""


def holder() -> str:
    """This process, as runs name whoever works on them."""
    return f"{host.hostname()}:{host.process_id()}"


class Heart:
    """Says every few seconds that a run of this process is alive, until it is stopped, or as a context manager.

    Args:
        runs: where the run is kept.
        run_id: of the run, which this process holds.
        now: the present in UTC.
        beat_s: how often.
    """

    def __init__(self, runs: Runs, run_id: str, now: Callable[[], datetime], *, beat_s: float = BEAT_S) -> None:
        self._runs = runs
        self._run_id = run_id
        self._now = now
        self._beat_s = beat_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="heartbeat")

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; afterwards nothing is written any more. Does nothing the second time."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(self._beat_s):
            # A catalog that is away for a moment must not end the run it keeps the record of.
            with contextlib.suppress(HoldfastError):
                self._runs.heartbeat(self._run_id, holder(), self._now())

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()
