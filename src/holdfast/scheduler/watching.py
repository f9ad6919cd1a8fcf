"""Finding runs whose process has ended without a word."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from holdfast.model.run import Run, RunState, Trigger
from holdfast.runtime.clock import Clock

LOST_AFTER_S = 180.0
"""How long a run may show no sign of life. A process that works shows one every few seconds."""


class Watch:
    """Observes runs of other processes.

    Signs of life are moments of the wall clock of whoever wrote them, and that may jump. So it counts how long a sign
    has not changed, as the monotonic clock measures it, and not how old it is.

    Args:
        host: the name of this machine.
        alive: whether a process of this machine runs.
    """

    def __init__(self, host: str, alive: Callable[[int], bool], clock: Clock) -> None:
        self._host = host
        self._alive = alive
        self._clock = clock
        self._signs: dict[str, tuple[object, float]] = {}

    def lost(self, unfinished: Iterable[Run], ours: Collection[str]) -> list[Run]:
        """Runs that nobody works on any more.

        Args:
            unfinished: runs that are queued or running.
            ours: ids of those that this process works on.
        """
        runs = [run for run in unfinished if run.run_id not in ours and self._watched(run)]
        seen = {run.run_id: self._signs.get(run.run_id) for run in runs}
        now = self._clock.monotonic()
        self._signs = {}
        lost: list[Run] = []
        for run in runs:
            sign, before = (run.state, run.holder, run.heartbeat_at), seen[run.run_id]
            since = before[1] if before is not None and before[0] == sign else now
            self._signs[run.run_id] = (sign, since)
            if self._ended(run) or now - since > LOST_AFTER_S:
                lost.append(run)
        return lost

    def _watched(self, run: Run) -> bool:
        # A planned run waits for a scheduler and is no one's; any other is begun by who asked for it, at once.
        return run.state is RunState.RUNNING or run.trigger is not Trigger.SCHEDULE

    def _ended(self, run: Run) -> bool:
        host, _, rest = run.holder.partition(":")
        process = rest.partition(":")[0]
        return host == self._host and process.isascii() and process.isdigit() and not self._alive(int(process))
