"""Runs operations for whoever asks: the scheduler, the REST interface, a command."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from holdfast.app import App
from holdfast.catalog.catalog import Catalog
from holdfast.errors import AppBusy, CatalogUnavailable, HoldfastError, Interrupted, RunNotFound
from holdfast.model.run import Run, Trigger
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.unforeseen import named
from holdfast.service.heart import Heart, holder
from holdfast.service.live import LiveRun, LiveRuns
from holdfast.service.mirror import Mirror
from holdfast.service.operations import operation_of
from holdfast.service.outcome import Outcome
from holdfast.service.recording import failed, new_run, reported
from holdfast.service.schedule_settings import ScheduleSettings

LOGGER = logging.getLogger("holdfast")
OpenApp = Callable[[CancelToken], App]

_TURN_S = 0.5
_BUSY_S = 5.0
_KEPT_OUTCOMES = 64
_ENDING_S = 60.0
_WRITE_WAITS_S = (0.2, 2.0, 10.0, 30.0)


class Hears(Protocol):
    """Hears of runs."""

    def begun(self, run: Run) -> None:
        """A run begins."""
        ...

    def ended(self, app: App | None, run: Run) -> None:
        """A run has ended, and is written down; without an application where none could be opened."""
        ...


class Nobody:
    """Hears of runs and does nothing."""

    def begun(self, run: Run) -> None:
        """A run begins."""

    def ended(self, app: App | None, run: Run) -> None:
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
        self._keeping = threading.Lock()
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
        run: Run | None = None
        try:
            run = new_run(self.app_name, operation, request, self.now(), trigger=trigger, actor=actor)
            self.catalog.runs.add(run)
            live = self.live.begin(run.run_id, CancelToken())
            thread = threading.Thread(target=self._in_turn, args=(run, live), name=f"run-{run.run_id[:8]}")
            thread.start()
        except BaseException:
            if run is not None:
                self.live.end(run.run_id)
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
        """Waits for a run that was started here, and gives what it came to, with its report only once.

        Raises:
            RunNotFound: there is no such run.
        """
        live = self.live.get(run_id)
        while live is not None and not live.wait(3600):
            pass
        with self._keeping:
            known = self._outcomes.pop(run_id, None)
        if known is not None:
            return known
        run = self.catalog.runs.get(run_id)
        if run is None:
            raise RunNotFound(run=run_id)
        return Outcome(run, None, None)

    def execute(self, run: Run, cancel: CancelToken) -> Run:
        """Runs a run that was planned, when it is its turn; returns it as it is written down.

        Raises:
            Interrupted: it was cancelled before its turn came; it stays as it was.
        """
        while not self._turn.acquire(timeout=_TURN_S):
            cancel.raise_if_cancelled()
        live = self.live.begin(run.run_id, cancel)
        self._in_turn(run, live)
        return self.outcome(run.run_id).run

    def cancel(self, run_id: str) -> bool:
        """Asks a run of this process to stop; one that waits for its time will not begin. Returns whether it is so."""
        live = self.live.get(run_id)
        if live is not None:
            live.cancel.cancel()
            return True
        taken = self.catalog.runs.claim(run_id, holder(), self.now())
        if taken is None:
            return False
        self.catalog.runs.save(msgspec.structs.replace(failed(taken, Interrupted(), self.now()), started_at=None))
        return True

    def close(self, grace_s: float) -> None:
        """Waits for what goes on, then stops it, and waits until it has stopped."""
        for live in self.live:
            if not live.wait(grace_s):
                live.cancel.cancel()
                live.wait(_ENDING_S)

    # --- running -----------------------------------------------------------------------------------

    def _busy_with(self) -> str:
        going = [live.run_id for live in self.live]
        return f"run {going[0]} of this server" if going else "a run of this server"

    def _in_turn(self, run: Run, live: LiveRun) -> None:
        """Runs in the turn that the caller took, and gives it back."""
        try:
            self._remember(self._known_end(run, live))
        finally:
            self._turn.release()
            self.live.end(run.run_id)

    def _remember(self, outcome: Outcome) -> None:
        # Nobody may ask for what a run came to; only the newest few are kept for those who do.
        with self._keeping:
            while len(self._outcomes) > _KEPT_OUTCOMES:
                self._outcomes.pop(next(iter(self._outcomes)))
            self._outcomes[outcome.run.run_id] = outcome

    def _known_end(self, run: Run, live: LiveRun) -> Outcome:
        """What a run came to. INVARIANT: whatever happens, whoever waits for it hears of an end with a name."""
        try:
            return self._claimed(run, live)
        except Exception as problem:
            LOGGER.exception("what became of run %s is not written down", run.run_id)
            return self._failed(run, named(problem))

    def _claimed(self, run: Run, live: LiveRun) -> Outcome:
        claimed = self.catalog.runs.claim(run.run_id, holder(), self.now())
        if claimed is None:
            # Somebody has called it off while it waited, or another process has taken it.
            return Outcome(self.catalog.runs.get(run.run_id) or run, None, Interrupted())
        with Heart(self.catalog.runs, run.run_id, self.now):
            self._hears.begun(claimed)
            try:
                app = self._open_app(live.cancel)
            except HoldfastError as error:
                # The configuration was broken since the server began, for one.
                return self._ended(None, self._failed(claimed, error), live)
            with app:
                return self._ended(app, self._acted(app, claimed, live), live)

    def _failed(self, run: Run, error: HoldfastError) -> Outcome:
        return Outcome(failed(run, error, self.now()), None, error)

    def _ended(self, app: App | None, outcome: Outcome, live: LiveRun) -> Outcome:
        with contextlib.suppress(HoldfastError):
            self.mirror.take_in(self.app_name, outcome.report)
        try:
            self._write_down(outcome.run, live)
        except HoldfastError as error:
            # It is found without signs of life later, and counts as lost; what was made is there all the same.
            LOGGER.error("what became of run %s is not written down: %s", outcome.run.run_id, error)
            return Outcome(outcome.run, outcome.report, outcome.error or error)
        self._hears.ended(app, outcome.run)
        return outcome

    def _write_down(self, run: Run, live: LiveRun) -> None:
        """Writes how a run ended; a catalog that is away for a moment is tried again."""
        for wait_s in _WRITE_WAITS_S:
            try:
                self.catalog.runs.finish(run)
                return
            except CatalogUnavailable as error:
                LOGGER.warning("the end of run %s could not be written down yet: %s", run.run_id, error)
            live.cancel.wait(wait_s)
        self.catalog.runs.finish(run)

    def _acted(self, app: App, run: Run, live: LiveRun) -> Outcome:
        try:
            operation = operation_of(run.operation)
            request = msgspec.convert(run.request, operation.request_type)
            context = app.telling(live.listen)
            if self.schedule.keeps_state():
                context = msgspec.structs.replace(context, keep_state=True)
            report = _patient(run, live, lambda: operation.act(context, request))
        except HoldfastError as error:
            return self._failed(run, error)
        except Exception as problem:
            # The outermost edge of a run: whatever happened, it must end with a name.
            LOGGER.exception("run %s ended unexpectedly", run.run_id)
            return self._failed(run, named(problem))
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
