"""What is to be done about a policy now: pure decisions from what is known.

Everything that is due leads to a run or to a record that says it was missed, and is decided about in the order of due
times. What was decided is written in that order too, so that a crash in between leaves only what is later undone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from holdfast.model.run import Run, RunState, Trigger
from holdfast.policy.planned import PlannedPolicy
from holdfast.scheduler.memory import PolicyMemory

GRACE_S = 900.0
"""How much later than planned a run may begin before it counts as overdue."""

LONGEST_DELAY_S = 6 * 3600.0
"""The longest wait before a repetition that doubling leads to."""

MOST_LOST = 3
"""How often a run whose process ended is repeated, whatever the policy says about failures."""

MOST_MISSED = 1000
"""How many missed runs are recorded at once; older ones are not."""

SHUTDOWN = "shutdown"
"""In a run's report, under `ended_by`: it was stopped because the program ended, and is repeated."""


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """Record that nothing ran at a due time."""

    due_at: datetime


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Queue a run."""

    due_at: datetime
    attempt: int
    not_before: datetime


class Revive(msgspec.Struct, frozen=True, kw_only=True):
    """Queue a run that a clock which was ahead had recorded as missed, and whose time has come now."""

    run: Run
    not_before: datetime


class Supersede(msgspec.Struct, frozen=True, kw_only=True):
    """Take a queued run away: a newer one is due, or its policy is gone (`state` says which)."""

    run: Run
    state: RunState


Action = Miss | Plan | Revive | Supersede


class PolicyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a policy.

    Attributes:
        spread_s: by how much its runs start later on this host.
        last_due: the newest due time that any run is recorded for.
        newest: the newest due time that has come.
        at_newest: runs for `newest`.
        queued: its runs that wait.
    """

    policy: PlannedPolicy
    memory: PolicyMemory
    spread_s: float
    last_due: datetime | None
    newest: datetime
    at_newest: Sequence[Run]
    queued: Sequence[Run]


def plan(facts: PolicyFacts, now: datetime) -> list[Action]:
    """What to do about what is due, in the order in which it must be written."""
    if facts.newest <= facts.memory.since:
        return []
    older = [run for run in facts.queued if run.due_at is not None and run.due_at < facts.newest]
    actions: list[Action] = [Supersede(run=run, state=RunState.MISSED) for run in older]
    if not facts.at_newest:
        done = max(facts.last_due or facts.memory.since, facts.memory.since)
        actions += [Miss(due_at=due) for due in _missed(facts, done)]
        actions.append(Plan(due_at=facts.newest, attempt=1, not_before=_start(facts)))
        return actions
    last = max(facts.at_newest, key=lambda run: run.attempt)
    if last.state is RunState.MISSED and (last.finished_at or last.created_at) > now:
        actions.append(Revive(run=last, not_before=_start(facts)))
    elif (wait_s := repetition_s(facts.policy, facts.at_newest)) is not None:
        ended = min(last.finished_at or now, now)
        actions.append(
            Plan(due_at=facts.newest, attempt=last.attempt + 1, not_before=ended + timedelta(seconds=wait_s))
        )
    return actions


def repetition_s(policy: PlannedPolicy, attempts: Iterable[Run]) -> float | None:
    """How long after its end a run is repeated; None if it is not.

    Args:
        policy: says how often and when.
        attempts: all runs for one due time.
    """
    ordered = sorted(attempts, key=lambda run: run.attempt)
    last = ordered[-1]
    failures = sum(run.state is RunState.FAILED for run in ordered)
    losses = sum(run.state is RunState.LOST for run in ordered)
    if last.state is RunState.CANCELLED:
        return 0.0 if last.report.get("ended_by") == SHUTDOWN else None
    if last.state is RunState.FAILED and failures <= policy.retries:
        return delay_s(policy, failures)
    if last.state is RunState.LOST and losses <= MOST_LOST:
        return delay_s(policy, losses)
    return None


def delay_s(policy: PlannedPolicy, times: int) -> float:
    """How long to wait before the repetition that follows the so-manieth failure, counted from 1."""
    longest = max(LONGEST_DELAY_S, policy.retry_delay_s)
    return float(min(policy.retry_delay_s * 2 ** min(times - 1, 32), longest))


def _start(facts: PolicyFacts) -> datetime:
    return facts.policy.due.start_of(facts.newest, facts.spread_s)


def _missed(facts: PolicyFacts, done: datetime) -> list[datetime]:
    """Due times after `done` and before the newest, oldest first."""
    due, found = facts.newest, list[datetime]()
    while len(found) < MOST_MISSED:
        due = facts.policy.due.previous_at_or_before(due - timedelta(microseconds=1))
        if due <= done:
            break
        found.append(due)
    return found[::-1]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Which due times passed without a run that began in time.

    Attributes:
        judged: up to where it is decided now.
        late: those due times, oldest first.
    """

    judged: datetime
    late: tuple[datetime, ...]


def judge(memory: PolicyMemory, runs: Iterable[Run], spread_s: float, now: datetime) -> Verdict:
    """Decides about due times that have not been decided about, as far as that can be known already.

    Args:
        memory: says up to where it is decided.
        runs: all runs of the policy that are due later than that.
        spread_s: by how much its runs start later.
        now: the present.
    """
    allowed = timedelta(seconds=spread_s + GRACE_S)
    late, judged = list[datetime](), memory.judged
    first_attempts = {run.due_at: run for run in runs if run.due_at is not None and run.attempt == 1}
    for due, run in sorted(first_attempts.items()):
        if due <= memory.judged or due > now:
            continue
        began = run.started_at or (now if run.state is RunState.QUEUED else due)
        if run.state is RunState.MISSED or began > due + allowed:
            late.append(due)
        elif run.state is RunState.QUEUED:
            break
        judged = due
    return Verdict(judged=judged, late=tuple(late))


def next_to_start(queued: Iterable[Run], known: Collection[str], now: datetime) -> Run | None:
    """The run that should begin now, if one should.

    Args:
        queued: runs that wait.
        known: names of policies that are enabled.
        now: the present.
    """
    ready = [run for run in queued if run.policy in known and is_ready(run, now)]
    return min(ready, key=lambda run: (run.due_at, run.policy, run.attempt), default=None)


def is_ready(run: Run, now: datetime) -> bool:
    """Whether a planned run may begin. One that was put off by a clock which was ahead waits for its due time only."""
    if run.trigger is not Trigger.SCHEDULE or run.state is not RunState.QUEUED or run.due_at is None:
        return False
    return run.due_at <= now and (run.not_before is None or run.not_before <= now or run.created_at > now)
