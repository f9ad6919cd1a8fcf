"""Repeating what failed for a passing reason: the one place in the program that does."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from holdfast.backends.wrappers.passing import PassingBackend
from holdfast.errors import BackendError, ObjectExists, ObjectNotFound, ShortRead
from holdfast.model.event import Listener, Warned, ignore
from holdfast.protocols import Backend, FileKind, Handle, Payload, StoredObject
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock

T = TypeVar("T")


class RetryPolicy(NamedTuple):
    """When to repeat and when to give up.

    Attributes:
        deadline_s: time after the first attempt at which no further one is started; one repetition is always made.
        first_delay_s: pause before the first repetition.
        factor: by how much the pause grows each time.
        jitter: share of the pause that chance adds or takes.
        longest_delay_s: where the pause stops growing.
        broken_for_s: how long an object that could not be loaded fails at once.
    """

    deadline_s: float = 900.0
    first_delay_s: float = 1.0
    factor: float = 2.0
    jitter: float = 0.5
    longest_delay_s: float = 60.0
    broken_for_s: float = 3600.0


class _Series:
    """The attempts at one operation: what is left of the time, and the next pause."""

    def __init__(self, policy: RetryPolicy, clock: Clock, chance: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self.restart()

    def restart(self) -> None:
        """Forgets earlier failures, because there was progress."""
        self._started = self._clock.monotonic()
        self._delay_s = self._policy.first_delay_s
        self.failures = 0

    def pause_after(self, error: BackendError) -> float | None:
        """How long to wait before the next attempt; None when it is time to give up."""
        policy = self._policy
        elapsed = self._clock.monotonic() - self._started
        self.failures += 1
        if self.failures > 1 and elapsed >= policy.deadline_s:
            return None
        spread = 1 + policy.jitter * (2 * self._chance() - 1)
        delay_s = self._delay_s * spread
        self._delay_s = min(self._delay_s * policy.factor, policy.longest_delay_s)
        asked = error.context.get("retry_after_s")
        if isinstance(asked, (int, float)):
            delay_s = max(delay_s, min(float(asked), policy.longest_delay_s))
        # The last pause is cut so that the deadline is kept, but one repetition is made in any case.
        return delay_s if self.failures == 1 else min(delay_s, max(0.0, policy.deadline_s - elapsed))


class RetryBackend(PassingBackend):
    """Repeats requests that failed with a transient error, more and more slowly, until a deadline.

    Args:
        inner: the storage.
        policy: when to repeat.
        atomic: whether a failed save leaves nothing behind; if not, the remnant is removed before the next attempt.
        clock: tells and passes the time; waiting goes through `cancel` unless a clock is given.
        chance: a number from 0 to 1 for the jitter.
        cancel: ends waiting and repeating, and nothing more is sent but what tidies up: the index file that lists
            what was stored already, and the removal of the own lock, are tried once.
        listener: hears of every repetition.
    """

    def __init__(
        self,
        inner: Backend,
        *,
        policy: RetryPolicy | None = None,
        atomic: bool = True,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        cancel: CancelToken | None = None,
        listener: Listener = ignore,
    ) -> None:
        super().__init__(inner)
        self._policy = policy if policy is not None else RetryPolicy()
        self._atomic = atomic
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._chance = chance
        self._cancel = cancel
        self._wait: Callable[[float], object] = (
            cancel.wait if cancel is not None and clock is None else self._clock.sleep
        )
        self._listener = listener
        self._broken: dict[Handle, float] = {}
        self._guard = threading.Lock()

    def create(self) -> None:
        """Prepares an empty location."""
        self._repeat(self._inner.create)

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object. An attempt whose answer was lost counts when the object turns out to be there."""
        failed = False

        def attempt() -> None:
            nonlocal failed
            if failed and not self._atomic:
                self._remove_remnant(handle, data)
            try:
                self._inner.save(handle, data)
            except ObjectExists:
                if not (failed and self._is_ours(handle, data)):
                    raise
            except BackendError:
                failed = True
                raise

        self._repeat(attempt, tidies=handle.kind is FileKind.INDEX)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it; an object that used up all its attempts fails at once for an hour."""
        if self._broken:
            self._refuse_broken(handle)

        beyond_end = False

        def is_final(error: BackendError) -> bool:
            nonlocal beyond_end
            beyond_end = isinstance(error, ShortRead) and self._ends_before(handle, offset + (length or 0))
            return beyond_end

        try:
            return self._repeat(lambda: self._inner.load(handle, offset, length), is_final)
        except BackendError as error:
            if error.transient and not beyond_end:
                with self._guard:
                    self._broken[handle] = self._clock.monotonic()
            raise

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object."""
        return self._repeat(lambda: self._inner.size(handle), tidies=handle.kind is FileKind.LOCK)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind, each once, however often the listing broke off and began again."""
        seen: set[str] = set()
        series = self._series()
        while True:
            self._raise_if_cancelled()
            try:
                for entry in self._inner.list(kind):
                    if entry.name not in seen:
                        seen.add(entry.name)
                        if series.failures:
                            series.restart()
                        yield entry
            except BackendError as error:
                self._pause(series, error)
            else:
                return

    def remove(self, handle: Handle) -> None:
        """Deletes an object. One that an attempt whose answer was lost has deleted already is deleted."""
        failed = False

        def attempt() -> None:
            nonlocal failed
            try:
                self._inner.remove(handle)
            except ObjectNotFound:
                if not failed:
                    raise
            except BackendError:
                failed = True
                raise

        self._repeat(attempt, tidies=handle.kind is FileKind.LOCK)

    def _repeat(
        self, attempt: Callable[[], T], is_final: Callable[[BackendError], bool] | None = None, *, tidies: bool = False
    ) -> T:
        series: _Series | None = None
        while True:
            if series is not None or not tidies:
                self._raise_if_cancelled()
            try:
                return attempt()
            except BackendError as error:
                if not error.transient or (is_final is not None and is_final(error)):
                    raise
                series = self._series() if series is None else series
                self._pause(series, error)

    def _series(self) -> _Series:
        return _Series(self._policy, self._clock, self._chance)

    def _pause(self, series: _Series, error: BackendError) -> None:
        """Waits before the next attempt, or raises the error if there is to be none."""
        delay_s = series.pause_after(error) if error.transient else None
        if delay_s is None:
            raise error
        self._listener(Warned(code="retrying", subject=str(error.context.get("object", "")), detail=error.phrase))
        self._wait(delay_s)

    def _raise_if_cancelled(self) -> None:
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()

    def _remove_remnant(self, handle: Handle, data: Payload) -> None:
        """Removes what a failed attempt may have left, but nothing that has its full length."""
        # SAFETY: the config may be somebody else's by now, and a whole object may already be in use.
        if handle.kind is FileKind.CONFIG:
            return
        with contextlib.suppress(BackendError):
            if self._inner.size(handle) != sum(memoryview(buffer).nbytes for buffer in data):
                self._inner.remove(handle)

    def _ends_before(self, handle: Handle, end: int) -> bool:
        """Whether an object is known to be too short for a range, so that repetition cannot help."""
        try:
            return self._inner.size(handle) < end
        except BackendError:
            return False

    def _is_ours(self, handle: Handle, data: Payload) -> bool:
        try:
            return self._inner.load(handle) == b"".join(data)
        except ObjectNotFound:
            return False

    def _refuse_broken(self, handle: Handle) -> None:
        with self._guard:
            since = self._broken.get(handle)
            if since is None:
                return
            if self._clock.monotonic() - since >= self._policy.broken_for_s:
                del self._broken[handle]
                return
        reason = "it could not be read before, however often it was tried"
        raise BackendError(url=self.url, object=str(handle), reason=reason)
