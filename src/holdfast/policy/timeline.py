"""What a set of policies does over a time in which nothing fails: the runs, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from holdfast.policy.planned import PlannedPolicy

_MONTH = timedelta(days=30)


class TimedRun(NamedTuple):
    """One run. What it keeps is the state of the application when it began."""

    policy: str
    due_at: datetime
    began_at: datetime
    ended_at: datetime


class Timing(NamedTuple):
    """How the runs of a policy go.

    Attributes:
        spread_s: by how much later than due they begin.
        duration_s: how long one takes.
    """

    spread_s: float
    duration_s: float


def timeline(
    policies: Sequence[PlannedPolicy], timings: Mapping[str, Timing], since: datetime, until: datetime
) -> list[TimedRun]:
    """All runs that begin in a time, in order: one at a time, the one that was due first first.

    A run that could not begin before the next of its policy was due is left out, as the scheduler does.
    """
    waiting = {policy.name: _Waiting(policy, timings[policy.name], since) for policy in policies if policy.enabled}
    runs: list[TimedRun] = []
    now = since
    while waiting and now <= until:
        for one in waiting.values():
            one.move_to(now)
        ready = [one for one in waiting.values() if one.due is not None and one.starts_at <= now]
        if not ready:
            now = min(one.changes_at for one in waiting.values())
            continue
        first = min(ready, key=lambda one: (one.due, one.policy.name))
        ended = now + timedelta(seconds=first.timing.duration_s)
        assert first.due is not None
        runs.append(TimedRun(first.policy.name, first.due, now, ended))
        first.due = None
        now = ended
    return runs


class _Waiting:
    """The run of a policy that waits, if one does, and when the next is due."""

    def __init__(self, policy: PlannedPolicy, timing: Timing, since: datetime) -> None:
        self.policy = policy
        self.timing = timing
        self.due: datetime | None = None
        self.starts_at = since
        self._coming = _all_due(policy, since)
        self._next = next(self._coming)

    def move_to(self, now: datetime) -> None:
        """Takes in what has become due."""
        while self._next <= now:
            self.due = self._next
            self.starts_at = self.policy.due.start_of(self.due, self.timing.spread_s)
            self._next = next(self._coming)

    @property
    def changes_at(self) -> datetime:
        """When there is something new to see."""
        return self._next if self.due is None else min(self.starts_at, self._next)


def _all_due(policy: PlannedPolicy, since: datetime) -> Iterator[datetime]:
    """Everything that is due from now on; by the month, which is quicker than one by one."""
    while True:
        until = max(since + _MONTH, policy.due.next_after(since))
        yield from policy.due.between(since, until)
        since = until
