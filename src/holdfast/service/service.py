"""Runs operations for whoever asks: the scheduler, the REST interface, a command."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from holdfast.app import App
from holdfast.catalog.catalog import Catalog
from holdfast.errors import AppBusy, HoldfastError, InternalError, Interrupted
from holdfast.model.run import Run, RunState, Trigger
from holdfast.runtime import host
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.service.live import LiveRun, LiveRuns
from holdfast.service.mirror import Mirror
from holdfast.service.operations import operation_of
from holdfast.service.outcome import Outcome
from holdfast.service.recording import failed, reported
from holdfast.service.schedule_settings import ScheduleSettings

LOGGER = logging.getLogger("holdfast")
OpenApp = Callable[[CancelToken], App]

_BEAT_S = 15.0
_TURN_S = 0.5
_BUSY_S = 5.0


class Hears(Protocol):
    """Hears of runs."""

    def begun(self, run: Run) -> None:
        """A run begins."""
        ...

    def ended(self, app: App, run: Run) -> None:
        """A run has ended, and is written down."""
        ...


class Nobody:
    """Hears of runs and does nothing."""

    def begun(self, run: Run) -> None:
        """A run begins."""

    def ended(self, app: App, run: Run) -> None:
        """A run has ended."""


class Service:
    """One application, run for whoever asks: one run at a time, each written down from its beginning to its end.

    Args:
        open_app: opens the application for one run, so that runs and listings never share a connection.
        catalog: where runs and the mirror of the targets are kept.
        hears: of every run that begins or has ended, in the thread that runs it; must not raise.
    """

    def __init__(self, open_app: OpenApp, catalog: Catalog, *, hears: Hears | None = None, clock: Clock | None = None):
        self._open_app = open_app
        self._hears = hears or Nobody()
        self._clock = clock or SystemClock()
        self._turn = threading.Lock()
        self._outcomes: dict[str, Outcome] = {}
        self.catalog = catalog
        self.live = LiveRuns()
        self.mirror = Mirror(catalog.copies, lambda: open_app(CancelToken()), self._clock)
        with self.open() as app:
            self.app_name = app.name
            self.config = app.config
        self.schedule = ScheduleSettings(catalog.settings, self.config, self._clock)

    def open(self) -> App:
        """The application, for looking only."""
        return self._open_app(CancelToken())

    def now(self) -> datetime:
        """The present in UTC."""
        return self._clock.now().at()

    # --- starting ----------------------------------------------------------------------------------

    def start(self, operation: str, request: msgspec.Struct, *, actor: str, trigger: Trigger = Trigger.REQUEST) -> Run:
        """Begins a run and returns at once.

        Raises:
            AppBusy: another run of this process is at work; nothing was begun.
        """
        if not self._turn.acquire(blocking=False):
            raise AppBusy(app=self.app_name, holder=self._busy_with())
        try:
            run = self._new(operation, request, actor, trigger)
            self.catalog.runs.add(run)
            live = self.live.begin(run.run_id, CancelToken())
            thread = threading.Thread(target=self._in_turn, args=(run, live), name=f"run-{run.run_id[:8]}")
            thread.start()
        except BaseException:
            self._turn.release()
            raise
        return run

    def run(self, operation: str, request: msgspec.Struct, *, actor: str) -> Outcome:
        """Runs something and waits for its end.

        Raises:
            AppBusy: another run of this process is at work; nothing was begun.
        """
        run = self.start(operation, request, actor=actor)
        return self.outcome(run.run_id)

    def outcome(self, run_id: str) -> Outcome:
        """Waits for a run that was started here, and gives what it came to, once."""
        live = self.live.get(run_id)
        while live is not None and not live.wait(3600):
            pass
        return self._outcomes.pop(run_id)

    def execute(self, run: Run, cancel: CancelToken) -> Run:
        """Runs a run that was planned, when it is its turn; returns it as it is written down.

        Raises:
            Interrupted: it was cancelled before its turn came; it stays as it was.
        """
        while not self._turn.acquire(timeout=_TURN_S):
            cancel.raise_if_cancelled()
        live = self.live.begin(run.run_id, cancel)
        self._in_turn(run, live)
        return self._outcomes.pop(run.run_id).run

    def cancel(self, run_id: str) -> bool:
        """Asks a run of this process to stop. Returns whether it goes on here."""
        live = self.live.get(run_id)
        if live is None:
            return False
        live.cancel.cancel()
        return True

    def close(self, grace_s: float) -> None:
        """Waits for what goes on, then stops it, and waits until it has stopped."""
        for live in self.live:
            if not live.wait(grace_s):
                live.cancel.cancel()
                live.wait(grace_s)

    # --- running -----------------------------------------------------------------------------------

    def _new(self, operation: str, request: msgspec.Struct, actor: str, trigger: Trigger) -> Run:
        document: dict[str, Any] = msgspec.to_builtins(request)
        return Run(
            run_id=secrets.token_hex(16),
            app=self.app_name,
            operation=operation,
            trigger=trigger,
            state=RunState.QUEUED,
            created_at=self.now(),
            type=str(document.get("type") or "") if operation == "create" else "",
            actor=actor,
            request=document,
        )

    def _busy_with(self) -> str:
        going = [live.run_id for live in self.live]
        return f"run {going[0]} of this server" if going else "a run of this server"

    def _in_turn(self, run: Run, live: LiveRun) -> None:
        """Runs in the turn that the caller took, and gives it back."""
        try:
            self._remember(self._claimed(run, live))
        finally:
            self._turn.release()
            self.live.end(run.run_id)

    def _remember(self, outcome: Outcome) -> None:
        # Nobody may ask for what a run came to; only the newest few are kept for those who do.
        while len(self._outcomes) > 64:
            self._outcomes.pop(next(iter(self._outcomes)))
        self._outcomes[outcome.run.run_id] = outcome

    def _claimed(self, run: Run, live: LiveRun) -> Outcome:
        holder = f"{host.hostname()}:{host.process_id()}"
        claimed = self.catalog.runs.claim(run.run_id, holder, self.now())
        if claimed is None:
            return Outcome(self.catalog.runs.get(run.run_id) or run, None, None)
        with _Heart(lambda: self.catalog.runs.heartbeat(run.run_id, holder, self.now())):
            self._hears.begun(claimed)
            try:
                with self._open_app(live.cancel) as app:
                    return self._ended(app, self._acted(app, claimed, live))
            except HoldfastError as error:
                # The configuration was broken since the server began, for one.
                outcome = Outcome(failed(claimed, error, self.now()), None, error)
                self.catalog.runs.finish(outcome.run)
                return outcome

    def _ended(self, app: App, outcome: Outcome) -> Outcome:
        with contextlib.suppress(HoldfastError):
            self.mirror.take_in(app, outcome.report)
        # A run whose end cannot be written down is found without a heartbeat later, and counts as lost.
        self.catalog.runs.finish(outcome.run)
        self._hears.ended(app, outcome.run)
        return outcome

    def _acted(self, app: App, run: Run, live: LiveRun) -> Outcome:
        operation = operation_of(run.operation)
        try:
            request = msgspec.convert(run.request, operation.request_type)
            report = _patient(run, live, lambda: operation.act(app.telling(live.listen), request))
        except HoldfastError as error:
            return Outcome(failed(run, error, self.now()), None, error)
        except Exception as problem:
            # The outermost edge of a run: whatever happened, it must end with a name.
            LOGGER.exception("run %s ended unexpectedly", run.run_id)
            unexpected = InternalError(kind=type(problem).__name__, reason=str(problem))
            return Outcome(failed(run, unexpected, self.now()), None, unexpected)
        return Outcome(reported(run, report, self.now()), report, getattr(report, "failure", None))


def _patient(run: Run, live: LiveRun, act: Callable[[], msgspec.Struct]) -> msgspec.Struct:
    """Acts. A run that was planned waits until what somebody runs by hand has ended; other runs do not."""
    while True:
        try:
            return act()
        except AppBusy:
            if run.trigger is not Trigger.SCHEDULE:
                raise
        if live.cancel.wait(_BUSY_S):
            raise Interrupted


class _Heart:
    """Says every few seconds that a run is alive, for as long as it is used as a context manager."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="heartbeat")

    def _work(self) -> None:
        while not self._stopped.wait(_BEAT_S):
            # A catalog that is away for a moment must not end the run it keeps the record of.
            with contextlib.suppress(HoldfastError):
                self._beat()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()
