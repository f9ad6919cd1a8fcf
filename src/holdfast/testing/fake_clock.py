"""A clock that stands still until it is told otherwise."""

from __future__ import annotations

from holdfast.model.instant import Instant

_SECOND_NS = 1_000_000_000


class FakeClock:
    """Satisfies `holdfast.runtime.clock.Clock`; `sleep` passes at once and moves the time.

    Attributes:
        slept: the durations that were slept, in order.
    """

    def __init__(self, *, ns: int = 1_700_000_000 * _SECOND_NS, offset_s: int = 0) -> None:
        self._ns = ns
        self._offset_s = offset_s
        self._monotonic_ns = 0
        self.slept: list[float] = []

    def now(self) -> Instant:
        """The fake present."""
        return Instant(ns=self._ns, offset_s=self._offset_s)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic_ns / _SECOND_NS

    def sleep(self, seconds: float) -> None:
        """Moves the time instead of waiting."""
        self.slept.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Moves both clocks forward."""
        ns = round(seconds * _SECOND_NS)
        self._ns += ns
        self._monotonic_ns += ns

    def set_wall(self, ns: int, offset_s: int | None = None) -> None:
        """Sets the wall clock, as an administrator or a time server does; `monotonic` does not move."""
        self._ns = ns
        if offset_s is not None:
            self._offset_s = offset_s
