"""Plans retention, shows it, and applies what was shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from holdfast.errors import Phrase, RetentionRefused, TargetError
from holdfast.model.backup import BackupType, Outcome, StoredBackup
from holdfast.operations import log
from holdfast.operations.choice import chosen_targets, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.lock import run_lock
from holdfast.operations.reports import RetentionPlans, RetentionReport, RetentionResult
from holdfast.operations.requests import RetentionRequest
from holdfast.operations.scratch import clear_scratch
from holdfast.policy import backup_retention
from holdfast.policy.backup_retention import BackupFacts, BackupRetentionPlan, Decision, KeepRules
from holdfast.protocols.target import Target


def plan_retention(context: AppContext, request: RetentionRequest) -> RetentionPlans:
    """Decides for each target and changes nothing."""
    targets = chosen_targets(context, request.targets)
    found, unreachable = stored_backups(targets)
    rules = {name: _rules(context, request, name) for name in found}
    now = context.now()
    plans = {
        name: _limited(backup_retention.plan(facts_of(stored), rules[name], now), stored, request.type)
        for name, stored in found.items()
    }
    skipped = {name: plan.refused for name, plan in plans.items() if plan.refused}
    return RetentionPlans(plans=plans, rules=rules, type=request.type, skipped=skipped, unreachable=unreachable)


def _rules(context: AppContext, request: RetentionRequest, target: str) -> KeepRules:
    if request.rules is not None:
        return request.rules
    return context.keep_by_target.get(target, context.keep)


def apply_retention(context: AppContext, plans: RetentionPlans) -> RetentionReport:
    """Removes what a plan says.

    Raises:
        AppBusy: another run is at work.
    """
    context = log.logging_warnings(context)
    with log.logged(context, "Retention"), run_lock(context):
        clear_scratch(context)
        results: list[RetentionResult] = [
            RetentionResult(target=copy.target, error=copy.error) for copy in plans.unreachable
        ]
        for name, plan in plans.plans.items():
            context.cancel.raise_if_cancelled()
            result = _apply(context, context.targets[name], plan, plans)
            results.append(result)
            _log(context, result)
    return RetentionReport(
        results=tuple(results), failure=next((result.error for result in results if result.error is not None), None)
    )


def _apply(context: AppContext, target: Target, plan: BackupRetentionPlan, plans: RetentionPlans) -> RetentionResult:
    try:
        # What a run left that was killed in the middle of a removal goes first.
        target.prepare()
        stored = target.backups()
        again = backup_retention.plan(facts_of(stored), plans.rules[target.name], context.now())
        again = _limited(again, stored, plans.type)
        return remove_planned(target, stored, plan, again)
    except TargetError as error:
        return RetentionResult(target=target.name, plan=plan, error=error)


def retain(target: Target, rules: KeepRules, now: datetime, *, kind: BackupType) -> RetentionResult:
    """Plans and applies retention for one type of backup in one target, after a run that succeeded.

    The caller holds the application's lock. An error is in the result: the backup that was made is there all the same.
    """
    plan = None
    try:
        stored = target.backups()
        plan = _limited(backup_retention.plan(facts_of(stored), rules, now), stored, kind)
        if plan.refused:
            return RetentionResult(target=target.name, plan=plan, skipped=plan.refused)
        return remove_planned(target, stored, plan, plan)
    except TargetError as error:
        return RetentionResult(target=target.name, plan=plan, error=error)


def remove_planned(
    target: Target, stored: Sequence[StoredBackup], plan: BackupRetentionPlan, again: BackupRetentionPlan
) -> RetentionResult:
    """Removes what a plan says, the newest first, so that nothing is ever without what it is built on.

    SAFETY: only what the plan named is removed, and only if deciding again, from what is there now, comes to the same:
    a backup may have been held, verified or built on since the plan was shown.

    Args:
        stored: what is there now.
        plan: what was shown.
        again: decided from what is there now.

    Raises:
        RetentionRefused: a backup that was to go must stay now; nothing was removed.
        TargetError: the target failed.
    """
    there = {backup.backup_id: backup for backup in stored}
    still = {decision.backup_id for decision in again.remove}
    going = [decision.backup_id for decision in plan.remove if decision.backup_id in there]
    changed = [backup_id for backup_id in going if backup_id not in still]
    if changed:
        reason = Phrase(
            "{names} must stay now; the backups of {name} changed since the plan was made",
            {"names": ", ".join(changed), "name": target.name},
        )
        raise RetentionRefused(reason=reason)
    if going:
        target.remove([there[backup_id] for backup_id in going])
    freed_bytes = sum(there[backup_id].manifest.total_size for backup_id in going)
    return RetentionResult(target=target.name, plan=plan, removed=tuple(going), freed_bytes=freed_bytes)


def _limited(plan: BackupRetentionPlan, stored: Sequence[StoredBackup], kind: BackupType | None) -> BackupRetentionPlan:
    """The same plan, but for backups of other types, which stay."""
    if kind is None:
        return plan
    other = {backup.backup_id for backup in stored if backup.manifest.type is not kind}
    spared = tuple(
        Decision(backup_id=decision.backup_id, reasons=(Phrase("not of type {type}", {"type": kind.value}),))
        for decision in plan.remove
        if decision.backup_id in other
    )
    order = {decision.backup_id: number for number, decision in enumerate(_ordered(stored))}
    return msgspec.structs.replace(
        plan,
        keep=tuple(sorted((*plan.keep, *spared), key=lambda decision: order[decision.backup_id])),
        remove=tuple(decision for decision in plan.remove if decision.backup_id not in other),
    )


def _ordered(stored: Iterable[StoredBackup]) -> list[StoredBackup]:
    return sorted(stored, key=lambda backup: (backup.manifest.created_at, backup.backup_id), reverse=True)


def _log(context: AppContext, result: RetentionResult) -> None:
    if result.error is not None:
        log.write(context, log.ERROR, f"Retention in {result.target} failed: {result.error} ({result.error.code})")
    elif result.removed:
        log.write(context, log.INFO, f"Removed from {result.target}: {', '.join(result.removed)}")
    else:
        log.write(context, log.INFO, f"Nothing to remove from {result.target}")


def facts_of(backups: Iterable[StoredBackup]) -> list[BackupFacts]:
    """What retention needs to know about stored backups."""
    return [
        BackupFacts(
            backup_id=stored.backup_id,
            type=stored.manifest.type,
            created_at=stored.manifest.created_at,
            complete=stored.manifest.outcome is Outcome.COMPLETE,
            hold_reason=stored.marks.hold_reason,
            verified=stored.marks.verified_at is not None,
            damaged=stored.marks.damaged_at is not None,
            base_id=stored.manifest.base_id,
        )
        for stored in backups
    ]
