"""Backing up and restoring one application from Python."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from holdfast.app import App
from holdfast.app.building import local_root
from holdfast.errors import ComponentNotFound
from holdfast.manager.records import (
    BackupRecord,
    BackupStats,
    RestoreResult,
    backup_record,
    restore_result,
    stats_record,
)
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.model.component import Role
from holdfast.model.event import Listener, ignore
from holdfast.operations.context import AppContext
from holdfast.operations.create import create_backup
from holdfast.operations.list_backups import list_backups
from holdfast.operations.reports import ListedBackup, RestorePlan
from holdfast.operations.requests import CreateRequest, ListRequest, RestoreRequest, RetentionRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.operations.retention import apply_retention, plan_retention
from holdfast.operations.stats import backup_stats
from holdfast.policy.backup_retention import KeepRules


class BackupManager:
    """Backs up one application, and brings it back. Make one with `create_backup_manager`.

    Every method that does something raises a `HoldfastError` if it was not done completely.

    Args:
        app: the application; `close` closes it.
        listener: told about progress and warnings.
        keep: what `rotate_backups` keeps; None for the rules of the configuration.
    """

    def __init__(self, app: App, listener: Listener = ignore, keep: KeepRules | None = None) -> None:
        self._app = app
        self._listener = listener
        self._keep = keep

    @property
    def app(self) -> App:
        """The application."""
        return self._app

    @property
    def language(self) -> str:
        """The language of the application's messages: `en`, `fa`, `ru` or `tr`."""
        return self._app.language

    # --- making ------------------------------------------------------------------------------------

    def create_full_backup(self) -> BackupRecord:
        """Backs up everything."""
        return self.create_backup("full")

    def backup_database(self) -> BackupRecord:
        """Backs up the databases only."""
        return self.create_backup("database")

    def backup_storage(self) -> BackupRecord:
        """Backs up the files only."""
        return self.create_backup("storage")

    def backup_config(self) -> BackupRecord:
        """Backs up the configuration files only."""
        return self.create_backup("config")

    def create_backup(self, kind: str = "full", *, since: datetime | None = None) -> BackupRecord:
        """Makes a backup of a type. Nothing is rotated: that is what `rotate_backups` is for.

        Args:
            kind: `full`, `database`, `storage`, `config` or `incremental`.
            since: for an incremental backup, the moment from which changes are wanted; aware.

        Raises:
            BackupPartial: it was made, but something is missing in it.
            TargetsFailed: it was made, but is not in every target.
        """
        request = CreateRequest(type=BackupType(kind), since=since, retention=False)
        report = create_backup(self._context(), request)
        if report.failure is not None:
            raise report.failure
        copies = [copy.stored for copy in report.copies if copy.stored is not None]
        return self._record(copies)

    # --- looking -----------------------------------------------------------------------------------

    def list_backups(self, backup_type: str = "all") -> list[BackupRecord]:
        """Backups, the newest first.

        Args:
            backup_type: `all` for each backup once; `full`, `incremental`; or `database`, `storage` or `config` for
                everything of that type, the parts of full backups included.

        Raises:
            ValueError: there is no such type.
        """
        role = backup_type if backup_type in ("database", "storage", "config") else ""
        kind = None if role or backup_type == "all" else BackupType(backup_type)
        listing = list_backups(self._context(), ListRequest(type=kind))
        if listing.failure is not None:
            raise listing.failure
        found = [one for one in listing.backups if not role or _has(one, role)]
        return [self._record(one.copies, role=role) for one in found]

    def get_backup_stats(self) -> BackupStats:
        """How many backups there are, and how large they are."""
        report = backup_stats(self._context(), ListRequest())
        if report.failure is not None:
            raise report.failure
        return stats_record(report)

    # --- deleting ----------------------------------------------------------------------------------

    def rotate_backups(self, max_backups: int | None = None) -> list[BackupRecord]:
        """Deletes what is not to be kept, of each type by itself. Returns what was deleted.

        Args:
            max_backups: keep the newest so many, this time.
        """
        return self._retain(self._keep if max_backups is None else KeepRules(last=max_backups))

    def cleanup_backups(self, days: int) -> list[BackupRecord]:
        """Deletes backups older than so many days, but never the newest of a type. Returns what was deleted."""
        return self._retain(KeepRules(days=days))

    def _retain(self, rules: KeepRules | None) -> list[BackupRecord]:
        context = self._context()
        before = {
            (copy.target, copy.backup_id): copy
            for backup in list_backups(context, ListRequest()).backups
            for copy in backup.copies
        }
        report = apply_retention(context, plan_retention(context, RetentionRequest(rules=rules)))
        if report.failure is not None:
            raise report.failure
        removed = [before.get((result.target, one)) for result in report.results for one in result.removed]
        return [self._record([copy]) for copy in removed if copy is not None]

    # --- bringing back -----------------------------------------------------------------------------

    def restore_database(self, backup_path: Path | str, verify_checksum: bool = True) -> RestoreResult:
        """Brings the databases of a backup back, in place; what they replace is kept beside them.

        Args:
            backup_path: a file of the backup, or its id, or `latest`.
            verify_checksum: read and compare everything before anything is changed.
        """
        return self._restore(backup_path, verify_checksum, Role.DATABASE)

    def restore_storage(self, backup_path: Path | str, verify_checksum: bool = True) -> RestoreResult:
        """Brings the files of a backup back, in place; what they replace is kept beside them.

        Args:
            backup_path: a file of the backup, or its id, or `latest`.
            verify_checksum: read and compare everything before anything is changed.
        """
        return self._restore(backup_path, verify_checksum, Role.STORAGE)

    def restore_backup(self, backup_path: Path | str = "latest", verify_checksum: bool = True) -> RestoreResult:
        """Brings back whatever a backup, or the named file of one, holds; see `restore_database`."""
        return self._restore(backup_path, verify_checksum, None)

    def _restore(self, what: Path | str, verify: bool, role: Role | None) -> RestoreResult:
        context = self._context()
        request = RestoreRequest(what=str(what), verify=verify)
        plan = plan_restore(context, request)
        if role is not None:
            plan = _narrowed(context, request, plan, role)
        report = run_restore(context, plan)
        if report.failure is not None:
            raise report.failure
        return restore_result(report)

    # --- ending ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Gives back connections."""
        self._app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _context(self) -> AppContext:
        return self._app.telling(self._listener)

    def _record(self, copies: Sequence[StoredBackup], *, role: str = "") -> BackupRecord:
        """The copy that a person can open: one in an archive rather than one in a repository."""
        kinds = {name: target.kind for name, target in self._app.config.targets.items()}
        copy = min(copies, key=lambda one: kinds.get(one.target) != "archive")
        target = self._app.config.targets.get(copy.target)
        return backup_record(copy, local_root(self._app.config, target) if target else None, role=role)


def _has(backup: ListedBackup, role: str) -> bool:
    return any(one.role.value == role for one in backup.copies[0].manifest.components.values())


def _narrowed(context: AppContext, request: RestoreRequest, plan: RestorePlan, role: Role) -> RestorePlan:
    """The plan without components of another role.

    Raises:
        ComponentNotFound: nothing is left.
    """
    names = tuple(component.source for component in plan.components if component.role is role)
    if not names:
        known = ", ".join(component.source for component in plan.components)
        raise ComponentNotFound(backup=plan.backup.backup_id, component=role.value, known=known)
    if len(names) == len(plan.components):
        return plan
    return plan_restore(context, msgspec.structs.replace(request, only=names))
