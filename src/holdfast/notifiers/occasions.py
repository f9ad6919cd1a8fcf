"""Which notices a run that has ended raises: pure, from the run, the runs before it and a few facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import cast

import msgspec

from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run, RunState, Trigger

DAMAGED_EXIT = 4
"""Exit status of everything that found stored bytes damaged."""

REFUSALS = frozenset({"backup-held", "last-good-backup", "retention-refused", "still-needed"})
# Nobody asked for anything to be removed; that is no refusal.
_NO_RULE = "no rule says what to keep"
_TELLING = frozenset({RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.LOST, RunState.MISSED})
_WITHOUT_ERROR = frozenset({Occasion.LOW_SPACE, Occasion.SHRUNK, Occasion.GROWN, Occasion.RECOVERED})
_LEAST_CHANGE_BYTES = 1 << 20
_LEAST_COMPARED = 3


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Retention removed nothing in a target, and why: an English sentence."""

    target: str
    reason: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after a run besides the run itself.

    Attributes:
        free_bytes: by target; None where nobody can tell.
        newest_bytes: by target, what the newest backup takes there.
        refusals: of retention.
    """

    free_bytes: dict[str, int | None] = {}
    newest_bytes: dict[str, int] = {}
    refusals: tuple[Refusal, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a change is worth telling.

    Attributes:
        low_space_bytes: less free than this is little.
        space_factor: so is less than so many times the newest backup.
        change_factor: a backup so many times smaller or larger than the usual one has shrunk or grown.
        compared: with how many backups before it; fewer than three say nothing about what is usual.
    """

    low_space_bytes: int = 0
    space_factor: float = 2.0
    change_factor: float = 2.0
    compared: int = 5


def started(run: Run) -> Notice | None:
    """What a run that begins raises; only backups tell of it."""
    real = run.operation == "create" and not run.request.get("dry_run")
    return _notice(run, Occasion.STARTED) if real else None


def downloaded(app: str, at: datetime, backup_id: str, *, actor: str = "", address: str = "") -> Notice:
    """What is raised when somebody takes a whole backup away.

    Args:
        app: the application.
        at: when.
        backup_id: of the backup.
        actor: who; a token's id or a user.
        address: where it went, as far as that is known.
    """
    values = {"kind": "download", "backup": backup_id, "actor": actor, "address": address}
    return Notice(occasion=Occasion.RESTORED, app=app, at=at, subject=backup_id, values=_known(values))


def notices_of(run: Run, previous: Sequence[Run], facts: Facts, limits: Limits | None = None) -> list[Notice]:
    """The notices, the most important first.

    Args:
        run: has ended.
        previous: runs of the same application that ended before, newest first.
        facts: about targets and retention.
        limits: when a change is worth telling.
    """
    if run.request.get("dry_run"):
        return []
    limits = limits or Limits()
    found = _outcome(run)
    if not any(notice.occasion is Occasion.REFUSED for notice in found):
        found += _refused(run, facts)
    if run.operation == "create" and run.state in (RunState.SUCCEEDED, RunState.PARTIAL):
        before = [each for each in previous if each.operation == "create" and each.run_id != run.run_id]
        found += [*_recovered(run, before), *_changed(run, before, limits), *_low_space(run, facts, limits)]
    return found


def facts_of(report: Mapping[str, object], free_bytes: Mapping[str, int | None]) -> Facts:
    """The facts in the plain document of a report on a backup or on retention.

    Args:
        report: as it is kept with a run; what has another form is passed over.
        free_bytes: how much more fits, by target.
    """
    newest: dict[str, int] = {}
    for copy in _tables(report.get("copies")):
        size = _table(_table(copy.get("stored")).get("manifest")).get("total_size")
        if isinstance(size, int):
            newest[str(copy.get("target", ""))] = size
    refusals: list[Refusal] = []
    for result in [*_tables(report.get("retention")), *_tables(report.get("results"))]:
        error = _table(result.get("error"))
        reason = str(_table(result.get("plan")).get("refused", ""))
        reason = "" if reason == _NO_RULE else reason
        if error.get("code") in REFUSALS:
            reason = str(error.get("message", ""))
        if reason:
            refusals.append(Refusal(target=str(result.get("target", "")), reason=reason))
    return Facts(free_bytes=dict(free_bytes), newest_bytes=newest, refusals=tuple(refusals))


def _outcome(run: Run) -> list[Notice]:
    """What the end of a run means by itself. Who cancelled a run knows of it; a missed one is told of as overdue."""
    code = run.error.code if run.error is not None else ""
    if run.state is RunState.LOST:
        return [_notice(run, Occasion.FAILURE, kind="lost" if run.operation == "create" else run.operation)]
    if run.state in (RunState.FAILED, RunState.PARTIAL):
        if run.error is not None and run.error.exit_code == DAMAGED_EXIT:
            return [_notice(run, Occasion.DAMAGE)]
        if run.operation == "drill":
            return [_notice(run, Occasion.DRILL_FAILED)]
        if code in REFUSALS:
            return [_notice(run, Occasion.REFUSED)]
        if run.operation != "create":
            return [_notice(run, Occasion.FAILURE)]
        if run.state is RunState.PARTIAL:
            return [_notice(run, Occasion.WARNING)]
        return [_notice(run, Occasion.FAILURE, kind="after" if run.backup_id else "create")]
    if run.state is RunState.SUCCEEDED and run.operation == "create":
        return [_notice(run, Occasion.SUCCESS)]
    if run.state is RunState.SUCCEEDED and run.operation == "restore":
        return [_notice(run, Occasion.RESTORED, destination=str(run.request.get("to") or ""))]
    if run.state is RunState.SUCCEEDED and run.operation == "export":
        return [_notice(run, Occasion.RESTORED, kind="download")]
    return []


def _refused(run: Run, facts: Facts) -> list[Notice]:
    return [_notice(run, Occasion.REFUSED, target=each.target, reason=each.reason) for each in facts.refusals]


def _recovered(run: Run, before: Sequence[Run]) -> list[Notice]:
    """The first whole backup of a policy after one that was none; the scheduler itself tells of those it planned."""
    if run.trigger is Trigger.SCHEDULE:
        return []
    last = next((each for each in before if each.policy == run.policy and each.state in _TELLING), None)
    if run.state is not RunState.SUCCEEDED or last is None or last.state is RunState.SUCCEEDED:
        return []
    good = next((each for each in before if each.policy == run.policy and each.state is RunState.SUCCEEDED), None)
    since = good.finished_at.isoformat() if good is not None and good.finished_at is not None else ""
    return [_notice(run, Occasion.RECOVERED, last_success_at=since)]


def _changed(run: Run, before: Sequence[Run], limits: Limits) -> list[Notice]:
    """Against the usual size of the same type and policy; changes since a base have no usual size."""
    alike = [
        each.content_bytes
        for each in before
        if each.state is RunState.SUCCEEDED and each.type == run.type and each.policy == run.policy
    ][: limits.compared]
    if run.type == "incremental" or len(alike) < _LEAST_COMPARED:
        return []
    usual, found = median(alike), run.content_bytes
    if abs(usual - found) < _LEAST_CHANGE_BYTES:
        return []
    told = {"usual_bytes": str(round(usual)), "size_bytes": str(found)}
    if found * limits.change_factor < usual:
        return [_notice(run, Occasion.SHRUNK, **told)]
    return [_notice(run, Occasion.GROWN, **told)] if found > usual * limits.change_factor else []


def _low_space(run: Run, facts: Facts, limits: Limits) -> list[Notice]:
    notices: list[Notice] = []
    for target, free in facts.free_bytes.items():
        newest = facts.newest_bytes.get(target, 0)
        if free is not None and free < max(limits.low_space_bytes, limits.space_factor * newest):
            told = {"target": target, "free_bytes": str(free), "size_bytes": str(newest)}
            notices.append(_notice(run, Occasion.LOW_SPACE, **told))
    return notices


def _notice(run: Run, occasion: Occasion, **more: str) -> Notice:
    error = run.error
    # What a notice is about besides the outcome has nothing to do with the error of the run.
    if error is None or occasion in _WITHOUT_ERROR or more.get("reason"):
        error = None
    values = {
        "operation": run.operation,
        "backup": run.backup_id,
        "type": run.type,
        "policy": run.policy,
        "actor": run.actor,
        "attempt": str(run.attempt) if run.attempt > 1 else "",
        "duration_s": f"{run.duration_s:.1f}" if run.duration_s is not None else "",
        "size_bytes": str(run.content_bytes) if run.content_bytes else "",
        **more,
    }
    return Notice(
        occasion=occasion,
        app=run.app,
        at=run.finished_at or run.started_at or run.created_at,
        subject=more.get("target") or run.backup_id,
        run_id=run.run_id,
        values=_known(values),
        code=error.code if error else "",
        message=error.message if error else "",
        hint=error.hint if error else "",
        context=error.context if error else {},
    )


def _known(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _table(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _tables(value: object) -> list[Mapping[str, object]]:
    return [_table(each) for each in cast("Sequence[object]", value)] if isinstance(value, list | tuple) else []
