"""Deletes backups that were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.errors import BackupHeld, HoldfastError, LastGoodBackup, StillNeeded, TargetError
from holdfast.model.backup import StoredBackup
from holdfast.operations import log
from holdfast.operations.choice import chosen_targets, resolve_id, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.lock import run_lock
from holdfast.operations.reports import DeletePlan, DeleteReport
from holdfast.operations.requests import DeleteRequest


def plan_delete(context: AppContext, request: DeleteRequest) -> DeletePlan:
    """Finds the copies and refuses what must stay. Changes nothing.

    Raises:
        BackupNotFound: one of the backups is nowhere.
        BackupHeld, LastGoodBackup, StillNeeded: one of them must stay.
        TargetError: a target cannot be asked: what it has could not be deleted with the rest.
    """
    found, unreachable = stored_backups(chosen_targets(context, request.targets))
    for copy in unreachable:
        if copy.error is not None:
            raise copy.error
    ids = [resolve_id(what, found, ()) for what in request.what]
    for name, backups in found.items():
        refuse_needed(name, backups, ids)
    return DeletePlan(
        backups={
            name: tuple(stored for stored in backups if stored.backup_id in ids)
            for name, backups in found.items()
            if any(stored.backup_id in ids for stored in backups)
        }
    )


def apply_delete(context: AppContext, plan: DeletePlan) -> DeleteReport:
    """Deletes what a plan names.

    SAFETY: what must stay is looked for again, from what is there now: a backup may have been held or built on since.

    Raises:
        AppBusy: another run is at work.
        BackupHeld, LastGoodBackup, StillNeeded: a backup must stay now; nothing was deleted.
    """
    context = log.logging_warnings(context)
    with log.logged(context, "Deletion"), run_lock(context):
        there: dict[str, list[StoredBackup]] = {}
        for name, backups in plan.backups.items():
            now = context.targets[name].backups()
            ids = [stored.backup_id for stored in backups]
            refuse_needed(name, now, ids)
            there[name] = [stored for stored in now if stored.backup_id in ids]
        return _remove(context, there)


def _remove(context: AppContext, there: Mapping[str, Sequence[StoredBackup]]) -> DeleteReport:
    removed: dict[str, tuple[str, ...]] = {}
    freed_bytes = 0
    failure: HoldfastError | None = None
    for name, backups in there.items():
        # The newest first, so that nothing is ever without what it is built on.
        ordered = sorted(backups, key=lambda stored: stored.manifest.created_at, reverse=True)
        ids = tuple(stored.backup_id for stored in ordered)
        try:
            if ordered:
                context.targets[name].remove(ordered)
        except TargetError as error:
            failure = failure or error
            log.write(context, log.ERROR, f"Deletion in {name} failed: {error} ({error.code})")
            continue
        removed[name] = ids
        freed_bytes += sum(stored.manifest.total_size for stored in ordered)
        log.write(context, log.INFO, f"Deleted from {name}: {', '.join(ids) or 'nothing'}")
    return DeleteReport(removed=removed, freed_bytes=freed_bytes, failure=failure)


def refuse_needed(target: str, backups: Sequence[StoredBackup], ids: Sequence[str]) -> None:
    """Raises if one of the backups must stay in a target.

    Raises:
        BackupHeld: somebody holds it.
        StillNeeded: one that stays is built on it.
        LastGoodBackup: it is the newest verified one, and no newer verified one stays.
    """
    ordered = sorted(backups, key=lambda stored: stored.manifest.created_at, reverse=True)
    for stored in ordered:
        if stored.backup_id in ids and stored.marks.held:
            raise BackupHeld(backup=stored.backup_id, reason=stored.marks.hold_reason)
        if stored.backup_id not in ids and stored.manifest.base_id in ids:
            raise StillNeeded(backup=stored.manifest.base_id, dependent=stored.backup_id)
    good = [stored for stored in ordered if stored.marks.verified_at and not stored.marks.damaged_at]
    if good and good[0].backup_id in ids:
        raise LastGoodBackup(backup=good[0].backup_id, target=target)
