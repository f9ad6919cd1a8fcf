"""Which backups stay and which go: a pure function with a reason for every single one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.errors import Phrase
from holdfast.model.backup import BackupType
from holdfast.model.instant import Instant
from holdfast.policy.calendar import LocalTime, iso_week, local_time
from holdfast.policy.durations import CalendarDuration


class KeepRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to keep of each type of backup; the rules add up. No rule at all removes nothing.

    Attributes:
        last, max_backups: the newest so many; two spellings of one rule.
        hourly, daily, weekly, monthly, yearly: the newest of each of so many hours … years, as UTC counts them.
        days: everything younger than so many days, measured from now.
        within: everything younger than this, measured from the newest backup of the type.
    """

    last: int = 0
    max_backups: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    days: int = 0
    within: CalendarDuration = CalendarDuration()

    @property
    def empty(self) -> bool:
        """Whether there is no rule."""
        return not self.within and not any(getattr(self, name) > 0 for name in ("days", *_COUNTED))


class BackupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What retention needs to know about one backup in one target."""

    backup_id: str
    type: BackupType
    created_at: datetime
    complete: bool = True
    hold_reason: str = ""
    verified: bool = False
    damaged: bool = False
    base_id: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one backup, and why: never empty."""

    backup_id: str
    reasons: tuple[str, ...]


class BackupRetentionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions for one target, newest backup first. `refused` says why nothing at all is removed; else empty."""

    keep: tuple[Decision, ...]
    remove: tuple[Decision, ...]
    refused: str = ""


_Bucket = Callable[[LocalTime, int], object]

_BUCKETS: dict[str, _Bucket] = {
    "last": lambda _, position: position,
    "max_backups": lambda _, position: position,
    "hourly": lambda time, _: time[:4],
    "daily": lambda time, _: time[:3],
    "weekly": lambda time, _: iso_week(time.day_number),
    "monthly": lambda time, _: time[:2],
    "yearly": lambda time, _: time.year,
}
_COUNTED = tuple(_BUCKETS)
_WORDS = {
    "last": Phrase("last", {}),
    "max_backups": Phrase("last", {}),
    "hourly": Phrase("hourly", {}),
    "daily": Phrase("daily", {}),
    "weekly": Phrase("weekly", {}),
    "monthly": Phrase("monthly", {}),
    "yearly": Phrase("yearly", {}),
}
_DAMAGED, _PARTIAL = Phrase("damaged", {}), Phrase("partial", {})


def plan(facts: Iterable[BackupFacts], rules: KeepRules, now: datetime) -> BackupRetentionPlan:
    """Decides for the backups of one target; each type by itself.

    Only whole, undamaged backups use up a count: others stay as long as they are newer than the oldest that stays.

    INVARIANT: whatever the rules say, these stay: what is held, per type the newest complete and the newest verified
    backup, and everything that a backup which stays is built on.

    Args:
        facts: all backups of the target, also of types that are not in question: they may be built on.
        rules: what to keep.
        now: aware.
    """
    ordered = sorted(facts, key=lambda fact: (fact.created_at, fact.backup_id), reverse=True)
    refused = _refusal(ordered, rules, now)
    if refused:
        kept = tuple(Decision(backup_id=fact.backup_id, reasons=(refused,)) for fact in ordered)
        return BackupRetentionPlan(keep=kept, remove=(), refused=refused)
    reasons: dict[str, list[str]] = {fact.backup_id: [] for fact in ordered}
    for kind in BackupType:
        _decide([fact for fact in ordered if fact.type is kind], rules, now, reasons)
    _keep_bases(ordered, reasons)
    return BackupRetentionPlan(
        keep=tuple(
            Decision(backup_id=fact.backup_id, reasons=tuple(reasons[fact.backup_id]))
            for fact in ordered
            if reasons[fact.backup_id]
        ),
        remove=tuple(
            Decision(backup_id=fact.backup_id, reasons=(_why_removed(fact, now),))
            for fact in ordered
            if not reasons[fact.backup_id]
        ),
    )


def _refusal(ordered: Sequence[BackupFacts], rules: KeepRules, now: datetime) -> str:
    if rules.empty:
        return Phrase("no rule says what to keep", {})
    # SAFETY: with a clock that went back, or a backup dated by a clock that ran ahead, ages mean nothing.
    if ordered and ordered[0].created_at > now:
        return Phrase(
            "the newest backup, {backup_id}, lies in the future: the clock is or was wrong",
            {"backup_id": ordered[0].backup_id},
        )
    return ""


def _decide(group: Sequence[BackupFacts], rules: KeepRules, now: datetime, reasons: dict[str, list[str]]) -> None:
    good = [fact for fact in group if fact.complete and not fact.damaged]
    for fact in group:
        if fact.hold_reason:
            reasons[fact.backup_id].append(Phrase("held: {reason}", {"reason": fact.hold_reason}))
    verified = next((fact for fact in good if fact.verified), None)
    if verified is not None:
        reason = Phrase("newest verified {type} backup", {"type": verified.type.value})
        reasons[verified.backup_id].append(reason)
    if good:
        reason = Phrase("newest complete {type} backup", {"type": good[0].type.value})
        reasons[good[0].backup_id].append(reason)
    for name, bucket in _BUCKETS.items():
        _count(good, name, bucket, getattr(rules, name), reasons)
    _keep_young(good, rules, now, reasons)
    _keep_lesser(group, good, reasons)


def _count(good: Sequence[BackupFacts], name: str, bucket: _Bucket, count: int, reasons: dict[str, list[str]]) -> None:
    """The newest of each of the `count` newest buckets."""
    kept_last: object = None
    used = 0
    for position, fact in enumerate(good):
        value = bucket(local_time(Instant.of(fact.created_at.astimezone(UTC))), position)
        if used >= count:
            return
        if value != kept_last:
            kept_last, used = value, used + 1
            reasons[fact.backup_id].append(_counted(name, used, count))


def _counted(name: str, used: int, count: int) -> Phrase:
    return Phrase("{rule} {used} of {count}", {"rule": _WORDS[name], "used": used, "count": count})


def _keep_young(good: Sequence[BackupFacts], rules: KeepRules, now: datetime, reasons: dict[str, list[str]]) -> None:
    bound_ns = rules.within.before(Instant.of(good[0].created_at)).ns if good and rules.within else None
    for fact in good:
        if rules.days > 0 and now - fact.created_at < timedelta(days=rules.days):
            reasons[fact.backup_id].append(Phrase("younger than {days} days", {"days": rules.days}))
        if bound_ns is not None and Instant.of(fact.created_at).ns > bound_ns:
            reasons[fact.backup_id].append(Phrase("within {within} of the newest", {"within": rules.within}))


def _keep_lesser(group: Sequence[BackupFacts], good: Sequence[BackupFacts], reasons: dict[str, list[str]]) -> None:
    """Partial and damaged backups: they may hold the only copy of something, but must not push out a good one."""
    # Holds are left out: a backup that is held for years must not keep every partial one since.
    ruled = [fact for fact in good if any(not reason.startswith("held: ") for reason in reasons[fact.backup_id])]
    for fact in group:
        if fact in good:
            continue
        what = _DAMAGED if fact.damaged else _PARTIAL
        if not good:
            reasons[fact.backup_id].append(
                Phrase("{what}, and there is no complete {type} backup", {"what": what, "type": fact.type.value})
            )
        elif fact.created_at >= ruled[-1].created_at:
            reasons[fact.backup_id].append(Phrase("{what}, newer than the oldest one that is kept", {"what": what}))


def _keep_bases(ordered: Sequence[BackupFacts], reasons: dict[str, list[str]]) -> None:
    """A base is older than what is built on it, so one pass from the newest to the oldest sees whole chains."""
    by_id = {fact.backup_id: fact for fact in ordered}
    for fact in ordered:
        dependent = fact
        while reasons[dependent.backup_id] and dependent.base_id in by_id:
            base = by_id[dependent.base_id]
            reason = Phrase("base of {backup_id}", {"backup_id": dependent.backup_id})
            if reason in reasons[base.backup_id]:
                break
            reasons[base.backup_id].append(reason)
            dependent = base


def _why_removed(fact: BackupFacts, now: datetime) -> str:
    values = {"what": _DAMAGED if fact.damaged else _PARTIAL, "days": (now - fact.created_at).days}
    if fact.complete and not fact.damaged:
        return Phrase("no rule keeps it (age: {days} days)", values)
    return Phrase("{what}, no rule keeps it (age: {days} days)", values)
