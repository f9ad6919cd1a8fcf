"""One thread per target, so that no target waits for another one and none can hold up the rest."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, NamedTuple, ParamSpec, TypeVar, TypeVarTuple

from holdfast.errors import BackendUnavailable, HoldfastError, InternalError, Phrase
from holdfast.model.event import Event, Listener
from holdfast.protocols.target import Target
from holdfast.runtime.unforeseen import named

P = ParamSpec("P")
T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

QUEUE_BYTES = 8 << 20
_BATCH_BYTES = 256 << 10
_BATCH_ITEMS = 256
_ITEM_BYTES = 512
_SLICE_S = 0.1


class _Item(NamedTuple):
    function: Callable[..., object]
    arguments: tuple[Any, ...]
    answer: Future[Any] | None = None
    always: bool = False


class Lane:
    """What is done with one target, in order, in a thread of its own.

    After the first error everything that is still to be done is dropped, but for what is asked for with `always`.
    `feed`, `ask` and `give_up` are called from one thread, that of the run.

    Args:
        target: what this is about.
        stall_s: how long one thing may take before the lane is given up. Its thread cannot be stopped: it is left
            behind, and does nothing more than what was asked for with `always` once it comes back.
        cancelled: raises when the run is to stop; asked while waiting.

    Attributes:
        given_up: whether its thread is stuck in the target, as far as anybody knows.
    """

    def __init__(self, target: Target, stall_s: float, cancelled: Callable[[], None]) -> None:
        self.target = target
        self._stall_s = stall_s
        self._cancelled = cancelled
        self._failure: Future[None] = Future()
        self._gate = threading.Condition()
        self._queue: deque[tuple[list[_Item], int]] = deque()
        self._queued_bytes = 0
        self._pending: list[_Item] = []
        self._pending_bytes = 0
        self._busy_since: float | None = None
        self._closed = False
        self.given_up = False
        self._thread = threading.Thread(target=self._work, name=f"target {target.name}", daemon=True)
        self._thread.start()

    @property
    def error(self) -> HoldfastError | None:
        """What went wrong first; None while all is well."""
        if not self._failure.done():
            return None
        error = self._failure.exception()
        assert isinstance(error, HoldfastError)
        return error

    def feed(self, weight_bytes: int, function: Callable[[*Arguments], object], *arguments: *Arguments) -> None:
        """Has something done, later; waits while more than the queue's bytes wait already. Nothing after an error."""
        if self._failure.done():
            return
        self._pending.append(_Item(function, arguments))
        self._pending_bytes += weight_bytes + _ITEM_BYTES
        if self._pending_bytes >= _BATCH_BYTES or len(self._pending) >= _BATCH_ITEMS:
            self._flush()

    def send(self) -> None:
        """Has what was fed begun at once, not only when there is more of it."""
        self._flush()

    def ask(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Has something done after everything that was fed; the future carries the lane's error if there is one."""
        return self._ask(False, lambda: function(*args, **kwargs))

    def always(self, function: Callable[[], T]) -> Future[T]:
        """Has something done even after an error."""
        return self._ask(True, function)

    def _ask(self, always: bool, function: Callable[[], T]) -> Future[T]:
        answer: Future[T] = Future()
        self._pending.append(_Item(function, (), answer, always))
        self._flush(waits=not always)
        return answer

    def wait(self, answer: Future[T], *, cancellable: bool = True) -> T:
        """What an answer holds; raises the lane's error, or `Interrupted`."""
        while True:
            if cancellable:
                self._cancelled()
            try:
                return answer.result(timeout=_SLICE_S)
            except NotYet:
                if not answer.done() and self._stalled():
                    self.give_up()
                    error = self.error
                    assert error is not None
                    raise error from None

    def fail(self, error: HoldfastError) -> None:
        """Notes an error that somebody else met on behalf of the target; the first one counts."""
        with self._gate:
            if not self._failure.done():
                self._failure.set_exception(error)
            self._gate.notify_all()

    def give_up(self) -> None:
        """Fails the lane because its target does nothing."""
        self.given_up = True
        reason = Phrase("it did nothing for {stall_s} s", {"stall_s": f"{self._stall_s:.0f}"})
        self.fail(BackendUnavailable(url=self.target.url, object=self.target.name, reason=reason))

    def touch(self) -> None:
        """Says that the target is alive, from within a long call."""
        self._busy_since = time.monotonic()

    def heard(self, listener: Listener) -> Listener:
        """A listener that counts events as signs of life."""

        def listen(event: Event) -> None:
            self.touch()
            listener(event)

        return listen

    def close(self, grace_s: float = 10.0) -> bool:
        """Ends the thread after what is queued; False if it did not end in time and was left behind."""
        self._flush(waits=False)
        with self._gate:
            self._closed = True
            self._gate.notify_all()
        self._thread.join(grace_s)
        return not self._thread.is_alive()

    def _flush(self, *, waits: bool = True) -> None:
        if not self._pending:
            return
        batch, weight = self._pending, self._pending_bytes
        self._pending, self._pending_bytes = [], 0
        while True:
            with self._gate:
                free = self._queued_bytes == 0 or self._queued_bytes + weight <= QUEUE_BYTES
                if free or not waits or self._failure.done():
                    self._queue.append((batch, weight))
                    self._queued_bytes += weight
                    self._gate.notify_all()
                    return
                self._gate.wait(_SLICE_S)
            self._cancelled()
            if self._stalled():
                self.give_up()

    def _stalled(self) -> bool:
        since = self._busy_since
        return since is not None and time.monotonic() - since > self._stall_s

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            items, weight = batch
            for item in items:
                self._do(item)
            del items, batch
            with self._gate:
                self._queued_bytes -= weight
                self._gate.notify_all()

    def _next(self) -> tuple[list[_Item], int] | None:
        with self._gate:
            while not self._queue:
                if self._closed:
                    return None
                self._gate.wait()
            return self._queue.popleft()

    def _do(self, item: _Item) -> None:
        if self._failure.done() and not item.always:
            if item.answer is not None:
                item.answer.set_exception(self._failure.exception() or InternalError(kind="Lane", reason="failed"))
            return
        self._busy_since = time.monotonic()
        try:
            result = item.function(*item.arguments)
            if item.answer is not None:
                item.answer.set_result(result)
        except BaseException as error:  # noqa: BLE001 - whatever a target raises must end this target and no other
            # What a library written in Rust calls a panic is no `Exception`; a thread that ends with it answers nobody.
            # INVARIANT: the lane's error is known before anybody who waits for the answer goes on.
            first = named(error)
            self.fail(first)
            if item.answer is not None:
                item.answer.set_exception(first)
        finally:
            self._busy_since = None


def gather(answers: Mapping[Lane, Future[T]], *, cancellable: bool = True) -> dict[Lane, T]:
    """Waits for all; lanes that failed are missing. Raises `Interrupted`."""
    results: dict[Lane, T] = {}
    for lane, answer in answers.items():
        try:
            results[lane] = lane.wait(answer, cancellable=cancellable)
        except HoldfastError as error:
            if error is not lane.error:
                raise
    return results


def alive(lanes: Iterable[Lane]) -> list[Lane]:
    """Those that have not failed."""
    return [lane for lane in lanes if lane.error is None]
