"""Holds backups, so that nothing removes them, and releases them."""

from __future__ import annotations

import msgspec

from holdfast.errors import TargetError, UsageError
from holdfast.model.backup import StoredBackup
from holdfast.operations import log
from holdfast.operations.choice import chosen_targets, copies_of, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.list_backups import first_error
from holdfast.operations.lock import run_lock
from holdfast.operations.opening import named_backup
from holdfast.operations.reports import CopyReport, HoldReport
from holdfast.operations.requests import HoldRequest


def hold_backup(context: AppContext, request: HoldRequest) -> HoldReport:
    """Holds a backup wherever it is.

    Returns:
        Its copies. Its `failure` says so when one could not be held, or a target could not be asked.

    Raises:
        UsageError: no reason was given.
        AppBusy: another run is at work.
        BackupNotFound: there is no such backup.
    """
    if not request.reason.strip():
        raise UsageError(detail="a backup is held for a reason: give one")
    return _change(context, request, "Hold")


def release_backup(context: AppContext, request: HoldRequest) -> HoldReport:
    """Releases a backup wherever it is; see `hold_backup`."""
    return _change(context, msgspec.structs.replace(request, reason=""), "Release")


def _change(context: AppContext, request: HoldRequest, what: str) -> HoldReport:
    context = log.logging_warnings(context)
    targets = chosen_targets(context, request.targets)
    with log.logged(context, what), run_lock(context):
        found, unreachable = stored_backups(targets)
        named = named_backup(request.what, targets, found, unreachable)
        copies = [_marked(context, stored, request.reason) for stored in copies_of(found, named.backup_id)]
        copies += unreachable
        done = ", ".join(copy.target for copy in copies if copy.error is None)
        reason = f": {request.reason}" if request.reason else ""
        log.write(context, log.INFO, f"{what} of {named.backup_id} in {done or 'no target'}{reason}")
    return HoldReport(backup_id=named.backup_id, copies=tuple(copies), failure=first_error(copies))


def _marked(context: AppContext, stored: StoredBackup, reason: str) -> CopyReport:
    held_at = context.now() if reason else None
    marks = msgspec.structs.replace(stored.marks, hold_reason=reason, held_at=held_at)
    try:
        context.targets[stored.target].mark(stored, marks)
    except TargetError as error:
        log.write(context, log.ERROR, f"{stored.backup_id} in {stored.target} could not be marked: {error}")
        return CopyReport(target=stored.target, stored=stored, error=error)
    return CopyReport(target=stored.target, stored=msgspec.structs.replace(stored, marks=marks))
