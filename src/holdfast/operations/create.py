"""Makes a backup: one reading of every source into all targets."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.errors import HookFailed, Phrase, RepositoryNotFound, TargetError
from holdfast.model.backup import Outcome, StoredBackup
from holdfast.model.component import Component, Form, Problem, Shape
from holdfast.operations import log, space
from holdfast.operations.choice import chosen_sources, chosen_targets
from holdfast.operations.context import AppContext
from holdfast.operations.create_run import CreateRun
from holdfast.operations.due_hooks import BACKUP, OwedHooks, warn_of_owed
from holdfast.operations.lock import run_lock
from holdfast.operations.reports import CopyReport, CreateReport
from holdfast.operations.requests import CreateRequest
from holdfast.operations.scratch import scratch_base
from holdfast.protocols.source import Source
from holdfast.protocols.target import MakesItself, Target


def create_backup(context: AppContext, request: CreateRequest) -> CreateReport:
    """Makes a backup of an application in all its targets.

    Returns:
        What was made. Its `failure` says so if some targets do not have it, or if something is missing in it.

    Raises:
        UsageError: nothing was attempted.
        AppBusy: another run is at work.
        SourceError: what should be backed up cannot be read; nothing was committed anywhere.
        TargetError: no target has it; the first one's error.
        HookFailed: a hook before the backup failed; nothing was committed.
        Interrupted: it was cancelled; a target that had committed already keeps the backup.
    """
    sources = chosen_sources(context, request.type, request.sources)
    targets = chosen_targets(context, request.targets)
    chosen_sources(context, request.type, request.accept_empty)
    context = log.logging_warnings(context)
    if request.dry_run:
        return _dry_run(context, request, sources, targets)
    with log.logged(context, "Backup" + (f" {request.label}" if request.label else "")), run_lock(context):
        warn_of_owed(context)
        report = _with_hooks(context, request, sources, targets)
        _log(context, report)
        return report


def _with_hooks(
    context: AppContext, request: CreateRequest, sources: Sequence[Source], targets: Sequence[Target]
) -> CreateReport:
    told = {"TYPE": request.type.value}
    hooks = OwedHooks(context, BACKUP, context.hooks.before_backup, context.hooks.after_backup, told)
    failed: list[HookFailed] | None = None

    def after() -> Sequence[HookFailed]:
        nonlocal failed
        if failed is None:
            failed = hooks.finish()
        return failed

    try:
        hooks.begin()
        return CreateRun(context, request, sources, targets, after).run()
    finally:
        # A hook that ran, or began to, may have stopped the application: whatever happened, it must come back.
        after()


def _dry_run(
    context: AppContext, request: CreateRequest, sources: Sequence[Source], targets: Sequence[Target]
) -> CreateReport:
    for source in sources:
        source.preflight()
    estimated = space.estimates(sources)
    space.check_scratch_space(scratch_base(context), sources)
    copies: list[CopyReport] = []
    problems: list[Problem] = []
    for target in targets:
        try:
            former = _former(target, problems)
            needed = space.needed_in_target(request.type, estimated, former, deduplicates=not target.keeps_changes)
            space.check_target_space(target.name, needed, target.free_bytes())
            copies.append(CopyReport(target=target.name))
        except TargetError as error:
            copies.append(CopyReport(target=target.name, error=error))
    return CreateReport(
        backup_id="",
        type=request.type,
        outcome=Outcome.COMPLETE,
        copies=tuple(copies),
        components=tuple(_unread(source) for source in sources),
        problems=tuple(problems),
        estimated_bytes=sum(estimated.values()),
        dry_run=True,
        failure=next((copy.error for copy in copies if copy.error is not None), None),
    )


def _former(target: Target, problems: list[Problem]) -> list[StoredBackup]:
    """What a target has; nothing, which is noted, if the first backup is what makes it."""
    try:
        return target.backups()
    except RepositoryNotFound:
        if not isinstance(target, MakesItself) or not target.is_to_be_made:
            raise
        detail = "there is no repository yet; the first backup makes it"
        problems.append(
            Problem(code="to-be-made", subject=Phrase("target {name}", {"name": target.name}), detail=detail)
        )
        return []


def _unread(source: Source) -> Component:
    return Component(
        name=source.name, kind=source.kind, role=source.role, form=Form.NATIVE, shape=Shape.FILE, file_name=""
    )


def _log(context: AppContext, report: CreateReport) -> None:
    log.write_problems(context, report.problems)
    if report.failure is None:
        where = ", ".join(copy.target for copy in report.copies)
        what = ", ".join(component.name for component in report.components)
        size = log.amount(report.stored_bytes)
        text = f"{log.COMPLETED}: {report.backup_id} ({report.type.value}: {what}; {size} in {where})"
        log.write(context, log.INFO, text)
        return
    log.write(context, log.ERROR, f"Backup {report.backup_id} incomplete: {report.failure} ({report.failure.code})")
    for copy in report.copies:
        if copy.error is not None:
            log.write(context, log.ERROR, f"Target {copy.target}: {copy.error} ({copy.error.code})")
