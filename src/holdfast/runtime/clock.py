"""Time behind an object that tests replace."""

from __future__ import annotations

import time
from typing import Protocol

from holdfast.model.instant import Instant


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> Instant:
        """The present, with the offset of the local zone."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> Instant:
        """The present, with the offset the local zone has at this moment."""
        ns = time.time_ns()
        return Instant(ns=ns, offset_s=time.localtime(ns // 1_000_000_000).tm_gmtoff)

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits; a negative duration is none."""
        time.sleep(max(0.0, seconds))
