"""Brings a backup back."""

from __future__ import annotations

import msgspec

from holdfast.errors import BackupNotFound, DamageError, NoBackupYet, Phrase, TargetError, UnknownName, UsageError
from holdfast.model.backup import Outcome, StoredBackup
from holdfast.model.component import Problem
from holdfast.operations import log
from holdfast.operations.choice import LATEST, chosen_targets, copies_of, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.due_hooks import warn_of_owed
from holdfast.operations.lock import run_lock
from holdfast.operations.opening import Named, named_backup, nearest_first, unreachable_error
from holdfast.operations.reports import CopyReport, RestorePlan, RestoreReport
from holdfast.operations.requests import RestoreRequest
from holdfast.operations.restore_file import from_file, is_file
from holdfast.operations.restore_plan import Copy, check_space, needed_space, plain_tables, plan_components
from holdfast.operations.restore_run import RestoreRun


def plan_restore(context: AppContext, request: RestoreRequest) -> RestorePlan:
    """Finds the backup and the nearest copy that can be restored from, and says what would be done. Changes nothing.

    Raises:
        UsageError: the request contradicts itself.
        UnknownName: it names what is not there.
        BackupNotFound: there is no such backup.
        RestoreError: it would not work: no room, a destination that is in use or must not be replaced.
        TargetError: no copy can be read; the nearest one's error.
    """
    if request.at is not None and request.what != LATEST:
        raise UsageError(detail="a moment goes with the latest backup, not with one that is named")
    targets = chosen_targets(context, (request.from_target,) if request.from_target else ())
    found, unreachable = stored_backups(targets)
    if request.what == LATEST:
        for name in request.only:
            if name not in context.sources:
                raise UnknownName(what="source", name=name, known=", ".join(context.sources) or "none")
        named, problems = _latest(request, found, unreachable)
    else:
        try:
            named, problems = named_backup(request.what, targets, found, unreachable), []
        except BackupNotFound:
            if not is_file(request.what):
                raise
            return _plan_from_file(context, request)
    if not (request.only or named.components or request.tables or request.paths):
        problems = [*problems, *_left_out(context, named.backup_id, found)]
    only = request.only or named.components
    request = msgspec.structs.replace(request, what=named.backup_id, only=only)
    copies = nearest_first(copies_of(found, named.backup_id), context.targets)
    copies.sort(key=lambda stored: bool(named.target) and stored.target != named.target)
    problems += [_unasked(copy) for copy in unreachable]
    return _plan_from(context, request, copies, found, problems)


def _plan_from_file(context: AppContext, request: RestoreRequest) -> RestorePlan:
    context, stored, problems = from_file(context, request)
    plan = _plan_from(context, request, [stored], {stored.target: [stored]}, problems)
    return msgspec.structs.replace(plan, file=stored.target)


def _latest(
    request: RestoreRequest, found: dict[str, list[StoredBackup]], unreachable: tuple[CopyReport, ...]
) -> tuple[Named, list[Problem]]:
    """The newest backup that holds everything that was asked for, undamaged if there is one."""
    everything = sorted(
        (stored for backups in found.values() for stored in backups),
        key=lambda stored: (stored.manifest.created_at, stored.backup_id),
        reverse=True,
    )
    problems: list[Problem] = []
    damaged: list[StoredBackup] = []
    for stored in everything:
        if request.at is not None and stored.manifest.created_at > request.at:
            continue
        if not set(request.only) <= stored.manifest.components.keys():
            continue
        if all(copy.marks.damaged_at is not None for copy in copies_of(found, stored.backup_id)):
            problem = Problem(code="damaged", subject=stored.backup_id, detail="passed over: every copy is damaged")
            problems += [problem] if problem not in problems else []
            damaged.append(stored)
            continue
        return Named(stored.backup_id), problems
    if damaged:
        # There is nothing better, and what is asked for may be among what is whole in it: reading it will tell.
        return Named(damaged[0].backup_id), []
    error = unreachable_error(unreachable)
    if error is not None:
        raise error
    if not everything:
        raise NoBackupYet(backup=LATEST, target=", ".join(found) or "any target")
    raise BackupNotFound(backup=LATEST, target=", ".join(found) or "any target")


def _left_out(context: AppContext, backup_id: str, found: dict[str, list[StoredBackup]]) -> list[Problem]:
    """Who asks for everything should know that the backup is one of the database alone, and where the rest is."""
    everything = [stored for backups in found.values() for stored in backups]
    held = {name for stored in everything if stored.backup_id == backup_id for name in stored.manifest.components}
    problems: list[Problem] = []
    for name in context.sources:
        others = [stored for stored in everything if name in stored.manifest.components]
        if name not in held and others:
            newest = max(others, key=lambda stored: (stored.manifest.created_at, stored.backup_id)).backup_id
            detail = Phrase("it is not in this backup; the newest that holds it is {newest}", {"newest": newest})
            problems.append(Problem(code="not-in-backup", subject=name, detail=detail))
    return problems


def _unasked(copy: CopyReport) -> Problem:
    return Problem(
        code="target-unreachable", subject=copy.target, detail="" if copy.error is None else copy.error.phrase
    )


def _plan_from(
    context: AppContext,
    request: RestoreRequest,
    copies: list[StoredBackup],
    found: dict[str, list[StoredBackup]],
    problems: list[Problem],
) -> RestorePlan:
    stamp = context.now().strftime("%Y%m%d_%H%M%S")
    for position, stored in enumerate(copies):
        copy = Copy(stored=stored, backups=tuple(found[stored.target]))
        request = plain_tables(request, stored.manifest.components.values())
        try:
            components = plan_components(context, request, copy, stamp)
        except TargetError as error:
            if position == len(copies) - 1:
                raise
            problems.append(_skipped(stored, error))
            continue
        check_space(needed_space(components))
        if stored.manifest.outcome is Outcome.PARTIAL:
            missing = "something was missing when it was made; see `holdfast show`"
            problems.append(Problem(code="partial", subject=stored.backup_id, detail=missing))
        hooks = request.hooks and request.to is None
        return RestorePlan(
            request=request,
            backup=stored,
            others=tuple(other.target for other in copies[position + 1 :]),
            components=components,
            before=context.hooks.before_restore if hooks else (),
            after=context.hooks.after_restore if hooks else (),
            needed_bytes=needed_space(components),
            problems=tuple(problems),
            stamp=stamp,
        )
    raise BackupNotFound(backup=request.what, target=", ".join(found) or "any target")


def _skipped(stored: StoredBackup, error: TargetError) -> Problem:
    code = "damaged" if isinstance(error, DamageError) else "target-unreachable"
    return Problem(code=code, subject=stored.target, detail=error.phrase)


def run_restore(context: AppContext, plan: RestorePlan) -> RestoreReport:
    """Does what was planned. Falls back to another copy as long as nothing was changed.

    Returns:
        What was done. Its `failure` says why it stopped; what was done until then, and how to undo it, is in it too.

    Raises:
        AppBusy: another run is at work.
        DamageError: every copy is damaged; nothing was changed.
        RestoreError, HookFailed: nothing was changed.
        Interrupted: nothing was changed.
    """
    context = log.logging_warnings(context)
    if plan.file:
        context = from_file(context, plan.request).context
    with log.logged(context, f"Restore of {plan.backup.backup_id}"), run_lock(context):
        warn_of_owed(context)
        report = RestoreRun(context, plan).run()
        log.write_problems(context, report.problems)
        for done in report.components:
            log.write_problems(context, done.load.problems if done.load is not None else ())
        names = ", ".join(done.source for done in report.components)
        if report.failure is None:
            text = f"Restore completed successfully: {report.backup_id} from {report.target} ({names})"
            log.write(context, log.INFO, text)
        else:
            text = f"Restore of {report.backup_id} failed: {report.failure} ({report.failure.code})"
            log.write(context, log.ERROR, text)
        return report
