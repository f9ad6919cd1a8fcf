"""The run that this scheduler has begun: one at a time, in a thread of its own, with a time limit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import msgspec

from holdfast.errors import HoldfastError, Interrupted, RunTimedOut
from holdfast.model.run import Run, RunState, run_error
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock
from holdfast.scheduler.ledger import RunLedger
from holdfast.scheduler.planning import SHUTDOWN

LOGGER = logging.getLogger("holdfast")

Execute = Callable[[Run, CancelToken], Run]
"""Claims a queued run, works on it with signs of life, writes down what came of it and returns it so. A run that
somebody else has claimed is returned as it is. Raises `Interrupted` if it was cancelled before it began."""

Begin = Callable[[Callable[[], None]], None]
"""Runs something in a thread."""


def in_thread(work: Callable[[], None]) -> None:
    """Runs something in a thread of its own, which does not keep the process alive."""
    threading.Thread(target=work, name="scheduled-run", daemon=True).start()


class ActiveRun:
    """One run from its beginning to its end."""

    def __init__(self, run: Run, timeout_s: float, clock: Clock) -> None:
        self.run = run
        self._timeout_s = timeout_s
        self._clock = clock
        self._began = clock.monotonic()
        self._cancel = CancelToken()
        self._over = threading.Event()
        self._reason: HoldfastError | None = None
        self._shutdown = False

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits for its end, at most so long. Returns whether it has ended."""
        return self._over.wait(seconds)

    def stop(self) -> None:
        """Asks it to end because the program ends; it is repeated later."""
        self._shutdown = True
        self._cancel.cancel()

    def cancel(self) -> None:
        """Asks it to end for good."""
        self._cancel.cancel()

    def check_time(self) -> None:
        """Ends it if it has taken too long."""
        if self._clock.monotonic() - self._began > self._timeout_s and self._reason is None:
            self._reason = RunTimedOut(policy=self.run.policy, seconds=int(self._timeout_s))
            self._cancel.cancel()

    def work(self, execute: Execute, runs: RunLedger, failed: Callable[[Run], None]) -> None:
        """Executes it and sees to it that its end is written down.

        Args:
            execute: does it.
            runs: where it is written.
            failed: hears of a failure that `execute` does not know about.
        """
        try:
            ended = execute(self.run, self._cancel)
            final = self._judged(ended)
            if final is not ended:
                runs.save(final)
                if final.state is RunState.FAILED:
                    failed(final)
        except Interrupted:
            LOGGER.info("run %s was stopped before it began", self.run.run_id)
        except HoldfastError as error:
            # The run is found without signs of life later, or still waits and becomes overdue: either is told. Any
            # other error ends the thread, which Python reports, with the same consequences.
            LOGGER.error("what became of run %s is not written down: %s", self.run.run_id, error)
        finally:
            self._over.set()

    def _judged(self, ended: Run) -> Run:
        """The run as it counts: only we know whether it was stopped for its time, or to be repeated."""
        if ended.state not in (RunState.CANCELLED, RunState.FAILED) or not self._cancel.cancelled:
            return ended
        if self._reason is not None:
            return msgspec.structs.replace(ended, state=RunState.FAILED, error=run_error(self._reason))
        if self._shutdown:
            return msgspec.structs.replace(
                ended, state=RunState.CANCELLED, report={**ended.report, "ended_by": SHUTDOWN}
            )
        return ended
