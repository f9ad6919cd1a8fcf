"""Reads backups again and notes how they are."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.errors import BackupDamaged, HoldfastError, TargetError
from holdfast.model.backup import StoredBackup
from holdfast.operations import log
from holdfast.operations.checking import damage_of, looks_inside, noted
from holdfast.operations.choice import chosen_targets, copies_of, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.list_backups import first_error
from holdfast.operations.lock import run_lock
from holdfast.operations.opening import named_backup
from holdfast.operations.reports import VerifiedCopy, VerifyReport
from holdfast.operations.requests import VerifyRequest

ALL = "all"


def verify_backups(context: AppContext, request: VerifyRequest) -> VerifyReport:
    """Reads every copy of a backup, or of all, and compares checksums; every one is read whatever the others are like.

    Raises:
        AppBusy: another run is at work.
        BackupNotFound: there is no such backup.
    """
    context = log.logging_warnings(context)
    targets = chosen_targets(context, request.targets)
    with log.logged(context, "Verification"), run_lock(context):
        found, unreachable = stored_backups(targets)
        if request.what == ALL:
            copies = [stored for backups in found.values() for stored in backups]
        else:
            named = named_backup(request.what, targets, found, unreachable)
            copies = copies_of(found, named.backup_id)
        verified = [VerifiedCopy(target=copy.target, backup_id="", error=copy.error) for copy in unreachable]
        for stored in copies:
            context.cancel.raise_if_cancelled()
            verified.append(_verified(context, stored))
    return VerifyReport(copies=tuple(verified), failure=_failure(verified) or first_error(unreachable))


def _verified(context: AppContext, stored: StoredBackup) -> VerifiedCopy:
    target = context.targets[stored.target]
    try:
        opened = looks_inside(target, stored)
        problems = tuple(target.verify(stored, context.listener))
        target.mark(stored, noted(stored.marks, problems, context.now(), opened=opened))
    except TargetError as error:
        log.write(context, log.ERROR, f"Verification of {stored.backup_id} in {stored.target} failed: {error}")
        return VerifiedCopy(target=stored.target, backup_id=stored.backup_id, error=error)
    if problems:
        damage = damage_of(problems)
        log.write(context, log.ERROR, f"Backup {stored.backup_id} in {stored.target} is damaged: {damage}")
    elif opened:
        log.write(context, log.INFO, f"Backup {stored.backup_id} in {stored.target} is whole")
    else:
        text = f"Backup {stored.backup_id} in {stored.target} has its checksums; it was not opened"
        log.write(context, log.INFO, text)
    return VerifiedCopy(target=stored.target, backup_id=stored.backup_id, problems=problems, opened=opened)


def _failure(copies: Iterable[VerifiedCopy]) -> HoldfastError | None:
    """Damage is worse than not having been able to look."""
    copies = list(copies)
    for copy in copies:
        if copy.problems:
            return BackupDamaged(backup=copy.backup_id, target=copy.target, reason=damage_of(copy.problems))
    return next((copy.error for copy in copies if copy.error is not None), None)
