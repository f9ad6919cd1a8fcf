"""Whether the policies can keep what was promised, and the smallest change that makes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from holdfast.policy.planned import PlannedPolicy
from holdfast.policy.timeline import TimedRun, Timing, timeline

LOOKED_AHEAD = timedelta(days=366)
"""Long enough for every change of the clock."""

_LONGEST_DELAY_S = 6 * 3600.0
_HOUR_S = 3600
_TRIED = {
    "0 4 1 * *": 28 * 24 * _HOUR_S,
    "0 3 * * 0": 7 * 24 * _HOUR_S,
    "0 2 * * *": 24 * _HOUR_S,
    **{f"0 */{hours} * * *": hours * _HOUR_S for hours in (12, 8, 6, 4, 3, 2)},
    "0 * * * *": _HOUR_S,
    **{f"*/{minutes} * * * *": minutes * 60 for minutes in (30, 20, 15, 10, 5)},
}
"""Schedules that are proposed, those with the fewest runs first, and the shortest time between two of their runs."""


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, in seconds.

    Attributes:
        rpo_s: how much work may be lost, of any source.
        rto_s: how long a restore may take.
        max_age_s: how old the newest good backup of a source may be, by its name; `""` is for all others.
    """

    rpo_s: float | None = None
    rto_s: float | None = None
    max_age_s: Mapping[str, float] = {}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known from former runs.

    Attributes:
        duration_s: the longest of the last runs, by policy; a policy that has not run is missing.
        restore_s: the longest of the last restores; None if there was none.
        spread_s: by how much runs begin later on this host, by policy.
    """

    duration_s: Mapping[str, float] = {}
    restore_s: float | None = None
    spread_s: Mapping[str, float] = {}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one promise.

    Attributes:
        promise: `rpo`, `rto` or `max_age`.
        source: the source it is about; empty for `rto`.
        allowed_s: what was promised.
        worst_s: the worst case; None if there is no backup at all, or nothing is known.
        measured: whether it rests on measured durations; otherwise they count as nothing.
        kept: whether the promise is kept; None if that is not known.
        worst_at: when the worst case is over.
    """

    promise: str
    source: str
    allowed_s: float
    worst_s: float | None
    measured: bool
    kept: bool | None
    worst_at: datetime | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one key of the configuration."""

    key: str
    former: str
    proposed: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, promise by promise; and the change after which all of them are kept, where there is one."""

    findings: tuple[Finding, ...]
    change: tuple[Change, ...] = ()

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Promises that are not kept."""
        return tuple(finding for finding in self.findings if finding.kept is False)


def prove(
    policies: Sequence[PlannedPolicy],
    covers: Mapping[str, Iterable[str]],
    measured: Measured,
    promises: Promises,
    now: datetime,
) -> Proof:
    """Works out the worst case of every promise over a year, and what to change if one is broken.

    The work that can be lost is what was done since the newest backup began that has ended: it is most at the moment
    before the next one ends. The next one is assumed to need all its repetitions, unless a newer run comes before.

    Args:
        policies: those with a schedule.
        covers: the sources in the backups of each policy, by its name; `""` names all sources there are.
        measured: from former runs.
        promises: what was promised.
        now: the year begins here.
    """
    findings = _findings(policies, covers, measured, promises, now)
    proof = Proof(findings=findings)
    if not proof.broken:
        return proof
    return Proof(findings=findings, change=_change(policies, covers, measured, promises, now, proof))


def worst_loss(
    runs: Sequence[TimedRun], policies: Mapping[str, PlannedPolicy], measured: Measured
) -> tuple[float, datetime] | None:
    """The most work that can be lost between runs, in seconds, and when; None for fewer than two runs."""
    worst: tuple[float, datetime] | None = None
    for number, (before, after) in enumerate(pairwise(runs)):
        policy = policies[after.policy]
        ended = after.ended_at + timedelta(seconds=_repetitions_s(policy, measured.duration_s.get(policy.name, 0)))
        if len(runs) > 2:
            # What comes after the last run is not known; another pair is like it.
            ended = min(ended, runs[number + 2].ended_at) if number + 2 < len(runs) else after.ended_at
        lost = (ended - before.began_at).total_seconds()
        if worst is None or lost > worst[0]:
            worst = lost, ended
    return worst


def _repetitions_s(policy: PlannedPolicy, duration_s: float) -> float:
    longest = max(_LONGEST_DELAY_S, policy.retry_delay_s)
    waits = (min(policy.retry_delay_s * float(2 ** min(time, 32)), longest) for time in range(policy.retries))
    return sum(wait + duration_s for wait in waits)


def _findings(
    policies: Sequence[PlannedPolicy],
    covers: Mapping[str, Iterable[str]],
    measured: Measured,
    promises: Promises,
    now: datetime,
) -> tuple[Finding, ...]:
    timings = {
        policy.name: Timing(measured.spread_s.get(policy.name, 0), measured.duration_s.get(policy.name, 0))
        for policy in policies
    }
    runs = timeline(policies, timings, now, now + LOOKED_AHEAD)
    by_name = {policy.name: policy for policy in policies}
    findings: list[Finding] = []
    for source in sorted(covers.get("", ())):
        mine = [run for run in runs if source in set(covers.get(run.policy, ()))]
        worst = worst_loss(mine, by_name, measured)
        known = bool(mine) and all(run.policy in measured.duration_s for run in mine)
        for promise, allowed in _promised(source, promises):
            findings.append(_judged(promise, source, allowed, worst, known))
    if promises.rto_s is not None:
        took = measured.restore_s
        kept = None if took is None else took <= promises.rto_s
        findings.append(
            Finding(
                promise="rto", source="", allowed_s=promises.rto_s, worst_s=took, measured=took is not None, kept=kept
            )
        )
    return tuple(findings)


def _promised(source: str, promises: Promises) -> list[tuple[str, float]]:
    age = promises.max_age_s.get(source, promises.max_age_s.get(""))
    pairs = [("rpo", promises.rpo_s), ("max_age", None if age == promises.rpo_s else age)]
    return [(promise, allowed) for promise, allowed in pairs if allowed is not None]


def _judged(promise: str, source: str, allowed_s: float, worst: tuple[float, datetime] | None, known: bool) -> Finding:
    if worst is None:
        return Finding(promise=promise, source=source, allowed_s=allowed_s, worst_s=None, measured=False, kept=False)
    kept = worst[0] <= allowed_s
    return Finding(
        promise=promise,
        source=source,
        allowed_s=allowed_s,
        worst_s=worst[0],
        measured=known,
        # Without durations the worst case is too good: it can break a promise, but not keep one.
        kept=kept if known or not kept else None,
        worst_at=worst[1],
    )


# --- what to change --------------------------------------------------------------------------------


def _change(
    policies: Sequence[PlannedPolicy],
    covers: Mapping[str, Iterable[str]],
    measured: Measured,
    promises: Promises,
    now: datetime,
    proof: Proof,
) -> tuple[Change, ...]:
    """The change of one schedule with the fewest runs after which nothing is broken; else the promises to make."""
    lost = {finding.source for finding in proof.broken if finding.promise != "rto"}
    scheduled = [policy for policy in policies if lost <= set(covers.get(policy.name, ()))]
    # The dearest is tried last: an incremental backup costs less than any other.
    scheduled.sort(key=lambda policy: (policy.type.value != "incremental", policy.name))
    others = Promises(rpo_s=promises.rpo_s, max_age_s=promises.max_age_s)
    shortest_s = min((finding.allowed_s for finding in proof.broken if finding.promise != "rto"), default=0.0)
    for line, period_s in _TRIED.items() if lost else ():
        for policy in scheduled:
            # Two schedules can share the work; one alone cannot leave less time than lies between its runs.
            if period_s > 2 * shortest_s or measured.duration_s.get(policy.name, 0) >= shortest_s:
                continue
            changed = [
                msgspec.structs.replace(one, schedule=line, enabled=True) if one is policy else one for one in policies
            ]
            if not any(one.kept is False for one in _findings(changed, covers, measured, others, now)):
                change = Change(key=f"policies.{policy.name}.schedule", former=policy.schedule, proposed=line)
                return (change, *_honest(one for one in proof.broken if one.promise == "rto"))
    return _honest(proof.broken)


def _honest(broken: Iterable[Finding]) -> tuple[Change, ...]:
    """The promises that can be kept, in the place of those that cannot."""
    worst: dict[str, tuple[float, float]] = {}
    for finding in broken:
        if finding.worst_s is not None:
            key = _key(finding)
            worst[key] = max(worst.get(key, (0.0, finding.allowed_s)), (finding.worst_s, finding.allowed_s))
    return tuple(
        Change(key=key, former=span(allowed), proposed=span(math.ceil(needed / 60) * 60))
        for key, (needed, allowed) in worst.items()
    )


def _key(finding: Finding) -> str:
    return f"objectives.sources.{finding.source}" if finding.promise == "max_age" else f"objectives.{finding.promise}"


def span(seconds: float) -> str:
    """A length of time as a configuration writes it, such as `1d6h`."""
    left, parts = max(0, int(seconds)), list[str]()
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, left = divmod(left, length)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"
