"""Shows one backup and its copies."""

from __future__ import annotations

from holdfast.operations.choice import chosen_targets, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.list_backups import merged
from holdfast.operations.opening import named_backup
from holdfast.operations.reports import ListedBackup
from holdfast.operations.requests import ShowRequest


def show_backup(context: AppContext, request: ShowRequest) -> ListedBackup:
    """One backup with all copies that can be reached.

    Raises:
        BackupNotFound: there is none.
        TargetError: it may be in a target that cannot be reached.
    """
    targets = chosen_targets(context, request.targets)
    found, unreachable = stored_backups(targets)
    named = named_backup(request.what, targets, found, unreachable)
    return next(backup for backup in merged(found) if backup.backup_id == named.backup_id)
