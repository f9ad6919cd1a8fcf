"""Which snapshots stay and which go: a pure function, by restic's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from holdfast.errors import Phrase, RetentionRefused
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy.calendar import LocalTime, iso_week, local_time
from holdfast.policy.durations import CalendarDuration
from holdfast.policy.selection import has_tags, newest_first

UNLIMITED = -1


class KeepPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What to keep; the rules add up.

    Attributes:
        last, hourly, daily, weekly, monthly, yearly: how many; `UNLIMITED` for all of them.
        within: everything younger than this, measured from the newest snapshot.
        within_hourly … within_yearly: one per hour … year, among those younger than this.
        tags: tag sets; a snapshot that has every tag of one of them stays.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: CalendarDuration = CalendarDuration()
    within_hourly: CalendarDuration = CalendarDuration()
    within_daily: CalendarDuration = CalendarDuration()
    within_weekly: CalendarDuration = CalendarDuration()
    within_monthly: CalendarDuration = CalendarDuration()
    within_yearly: CalendarDuration = CalendarDuration()
    tags: tuple[tuple[str, ...], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no rule keeps anything."""
        return self == _EMPTY


class Kept(msgspec.Struct, frozen=True):
    """A snapshot that stays, and every rule that keeps it, in restic's words."""

    snapshot: Snapshot
    reasons: tuple[str, ...]


class RetentionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with one group of snapshots, newest first."""

    keep: tuple[Kept, ...]
    remove: tuple[Snapshot, ...]


def apply(
    snapshots: Iterable[Snapshot], policy: KeepPolicy, *, now: Instant, allow_remove_all: bool = False
) -> RetentionPlan:
    """Decides for the snapshots of one group.

    Buckets (hours, days, ISO weeks, months, years) are those of each snapshot's own zone. A snapshot is kept when
    its bucket differs from that of the one kept last and the count is not used up; the oldest snapshot is kept too
    while the count lasts. Durations are measured back from the newest snapshot that is not later than `now`.

    Args:
        snapshots: one group, in any order.
        policy: the rules.
        now: the present; snapshots from the future do not stretch the durations.
        allow_remove_all: lets an empty policy, or one that keeps nothing, remove everything.

    Raises:
        RetentionRefused: the policy is empty or would remove every snapshot, and that was not allowed.
    """
    ordered = newest_first(snapshots)
    if policy.empty and not allow_remove_all:
        raise RetentionRefused(reason="the policy keeps nothing")
    rules = _rules(policy, _newest_not_after(ordered, now))
    keep: list[Kept] = []
    remove: list[Snapshot] = []
    for position, snapshot in enumerate(ordered):
        calendar = local_time(snapshot.time)
        is_oldest = position == len(ordered) - 1
        reasons = [reason for rule in rules for reason in rule(snapshot, calendar, position, is_oldest)]
        if reasons:
            keep.append(Kept(snapshot, tuple(reasons)))
        else:
            remove.append(snapshot)
    if remove and not keep and not allow_remove_all:
        raise RetentionRefused(reason="the policy would remove every snapshot of the group")
    return RetentionPlan(keep=tuple(keep), remove=tuple(remove))


_Bucket = Callable[[LocalTime, int], object]
_Rule = Callable[[Snapshot, LocalTime, int, bool], Iterable[str]]

_BUCKETS: dict[str, _Bucket] = {
    "last": lambda _, position: position,
    "hourly": lambda time, _: time[:4],
    "daily": lambda time, _: time[:3],
    "weekly": lambda time, _: iso_week(time.day_number),
    "monthly": lambda time, _: time[:2],
    "yearly": lambda time, _: time.year,
}


def _rules(policy: KeepPolicy, newest: Instant | None) -> Sequence[_Rule]:
    """The rules of a policy in the order in which restic names their reasons."""
    rules: list[_Rule] = [_tag_rule(tags) for tags in policy.tags]
    if policy.within:
        rules.append(_within_rule(policy.within, newest))
    for name, bucket in _BUCKETS.items():
        count = getattr(policy, name)
        if count:
            rules.append(_counting_rule(f"{name} snapshot", bucket, count))
    for name, bucket in _BUCKETS.items():
        duration = getattr(policy, f"within_{name}", None)
        if duration:
            rules.append(_bucket_within_rule(name, bucket, duration, newest))
    return rules


def _tag_rule(tags: tuple[str, ...]) -> _Rule:
    reason = Phrase("has tags [{names}]", {"names": ", ".join(tags)})
    return lambda snapshot, _calendar, _position, _oldest: (reason,) if has_tags(snapshot, tags) else ()


def _within_rule(duration: CalendarDuration, newest: Instant | None) -> _Rule:
    reason, is_younger = Phrase("within {duration}", {"duration": duration}), _younger_than(duration, newest)
    return lambda snapshot, _calendar, _position, _oldest: (reason,) if is_younger(snapshot) else ()


def _counting_rule(reason: str, bucket: _Bucket, count: int) -> _Rule:
    left = count
    kept_last: object = None

    def rule(_snapshot: Snapshot, calendar: LocalTime, position: int, oldest: bool) -> Iterable[str]:
        nonlocal left, kept_last
        if left == 0:
            return ()
        value = bucket(calendar, position)
        if value == kept_last:
            return (f"oldest {reason}",) if oldest else ()
        kept_last = value
        left -= left > 0
        return (reason,)

    return rule


def _bucket_within_rule(name: str, bucket: _Bucket, duration: CalendarDuration, newest: Instant | None) -> _Rule:
    reason, is_younger = (
        Phrase("{name} within {duration}", {"name": name, "duration": duration}),
        _younger_than(duration, newest),
    )
    kept_last: object = None

    def rule(snapshot: Snapshot, calendar: LocalTime, position: int, oldest: bool) -> Iterable[str]:
        nonlocal kept_last
        if not is_younger(snapshot):
            return ()
        value = bucket(calendar, position)
        if value == kept_last:
            return (f"oldest {reason}",) if oldest else ()
        kept_last = value
        return (reason,)

    return rule


def _younger_than(duration: CalendarDuration, newest: Instant | None) -> Callable[[Snapshot], bool]:
    if newest is None:
        # SAFETY: every snapshot lies in the future, so the clock is wrong; a wrong clock must not remove anything.
        return lambda _: True
    # COMPAT(restic): restic counts days in the machine's zone when the newest snapshot was written there, so around
    # a change to or from summer time its bound may lie one hour from ours, which depends on the repository alone.
    bound_ns = duration.before(newest).ns
    return lambda snapshot: snapshot.time.ns > bound_ns


def _newest_not_after(ordered: Sequence[Snapshot], now: Instant) -> Instant | None:
    return next((snapshot.time for snapshot in ordered if snapshot.time.ns <= now.ns), None)


_EMPTY = KeepPolicy()
