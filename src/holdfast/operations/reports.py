"""What each operation reports.

A report with a `failure` tells of something that went wrong after the point up to which an operation simply raises:
print the report, then raise the failure.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.errors import HoldfastError, english
from holdfast.model.backup import BackupType, Outcome, StoredBackup
from holdfast.model.component import Component, Problem, Role
from holdfast.operations.requests import RestoreRequest
from holdfast.policy.backup_retention import BackupRetentionPlan, KeepRules
from holdfast.protocols.source import LoadPlan, LoadReport


def plain(report: object) -> object:
    """A report as JSON documents, lists, texts and numbers; errors by code and English message."""
    return msgspec.to_builtins(report, enc_hook=_plain)


def _plain(value: object) -> object:
    if isinstance(value, HoldfastError):
        return {"code": value.code, "exit_code": value.exit_code, "message": str(value), "hint": value.hint}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape").encode("utf-8", "backslashreplace").decode()
    return english(value)


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a backup in one target: `stored`, or `error` if it is not there."""

    target: str
    stored: StoredBackup | None = None
    error: HoldfastError | None = None


class RetentionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What retention did in one target. `skipped` says why nothing was even planned."""

    target: str
    plan: BackupRetentionPlan | None = None
    removed: tuple[str, ...] = ()
    freed_bytes: int = 0
    skipped: str = ""
    error: HoldfastError | None = None


class CreateReport(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made, or with `dry_run` would have been.

    Attributes:
        backup_id: empty in a dry run.
        type: full where an incremental backup had nothing to build on.
        components: as they were read, one per source; what each target keeps is in `copies`.
        problems: what is missing, and what people should know: codes `shrunk`, `full-instead`, `hook-failed`, …
        seconds: by stage, in order: preflight, hooks, one per source, commit, verify, retention.
        content_bytes: read from the sources. `stored_bytes`: kept by the targets, added up.
        failure: `TargetsFailed` or `BackupPartial`; None for success everywhere.
    """

    backup_id: str
    type: BackupType
    outcome: Outcome
    copies: tuple[CopyReport, ...] = ()
    components: tuple[Component, ...] = ()
    problems: tuple[Problem, ...] = ()
    retention: tuple[RetentionResult, ...] = ()
    seconds: dict[str, float] = {}
    content_bytes: int = 0
    stored_bytes: int = 0
    estimated_bytes: int = 0
    dry_run: bool = False
    failure: HoldfastError | None = None


class PlannedComponent(msgspec.Struct, frozen=True, kw_only=True):
    """One component to load: from which backups, the base first, and what loading it would do."""

    source: str
    role: Role
    chain: tuple[str, ...]
    component: Component
    load: LoadPlan


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that was not begun.

    Attributes:
        request: with the backup's id in the place of `latest` or a path.
        backup: the copy to restore from.
        others: names of further targets that have the backup.
        components: in the order in which they will be loaded.
        before, after: hooks.
        needed_bytes: by directory.
        file: the file to restore from, where it is none of a target's.
    """

    request: RestoreRequest
    backup: StoredBackup
    others: tuple[str, ...]
    components: tuple[PlannedComponent, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    needed_bytes: dict[str, int] = {}
    problems: tuple[Problem, ...] = ()
    stamp: str = ""
    file: str = ""


class RestoredComponent(msgspec.Struct, frozen=True, kw_only=True):
    """One component that was loaded, or was being loaded when it failed (`load` None)."""

    source: str
    load: LoadReport | None = None
    error: HoldfastError | None = None


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that was begun; `failure` says why it did not go to its end.

    `components` tell what was replaced and how to undo that, also after a failure; `journal` is where this is kept.
    """

    backup_id: str
    target: str
    components: tuple[RestoredComponent, ...] = ()
    not_reached: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    seconds: dict[str, float] = {}
    journal: str = ""
    verified: bool = False
    failure: HoldfastError | None = None


class ListedBackup(msgspec.Struct, frozen=True, kw_only=True):
    """One backup and all its copies, in the order of the targets."""

    backup_id: str
    type: BackupType
    created_at: datetime
    outcome: Outcome
    copies: tuple[StoredBackup, ...]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Backups, newest first. `unreachable` names targets that could not be asked: the list may lack what they have.

    `problems` are files that look like backups and cannot be read.
    """

    backups: tuple[ListedBackup, ...]
    problems: tuple[Problem, ...] = ()
    unreachable: tuple[CopyReport, ...] = ()
    failure: HoldfastError | None = None


class StatsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over the copies in all targets that were asked; sizes are bytes that targets keep."""

    total_backups: int
    total_size: int
    total_size_mb: float
    average_size: int
    by_type: dict[str, int]
    size_by_type: dict[str, int]
    by_target: dict[str, int]
    oldest_backup: datetime | None = None
    newest_backup: datetime | None = None
    unreachable: tuple[CopyReport, ...] = ()
    failure: HoldfastError | None = None


class VerifiedCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a backup that was read again; whole if there are no problems and no error.

    `opened` is False where nothing but checksums was compared: what is in the files could not be looked at.
    """

    target: str
    backup_id: str
    problems: tuple[Problem, ...] = ()
    error: HoldfastError | None = None
    opened: bool = True


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Copies that were read again; `failure` if one is damaged or could not be read."""

    copies: tuple[VerifiedCopy, ...]
    failure: HoldfastError | None = None


class RetentionPlans(msgspec.Struct, frozen=True, kw_only=True):
    """What retention would do, by target, and the rules it was decided by."""

    plans: dict[str, BackupRetentionPlan]
    rules: dict[str, KeepRules] = {}
    type: BackupType | None = None
    skipped: dict[str, str] = {}
    unreachable: tuple[CopyReport, ...] = ()


class RetentionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What retention did, by target."""

    results: tuple[RetentionResult, ...]
    failure: HoldfastError | None = None


class DeletePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Backups to delete, by target."""

    backups: dict[str, tuple[StoredBackup, ...]]


class DeleteReport(msgspec.Struct, frozen=True, kw_only=True):
    """Backups that were deleted, by target."""

    removed: dict[str, tuple[str, ...]]
    freed_bytes: int = 0
    failure: HoldfastError | None = None


class HoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """A backup whose hold was changed, where it is kept."""

    backup_id: str
    copies: tuple[CopyReport, ...]
    failure: HoldfastError | None = None


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """A file that holds a whole backup. `sha256` is of the file."""

    backup_id: str
    path: Path
    size_bytes: int
    sha256: str
    members: tuple[str, ...] = ()


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh one source's backups are. `newest_at` None: there is no good one.

    `checked_only`: nothing but the checksums of that backup was ever compared; it is then not `verified`.
    """

    source: str
    backup_id: str = ""
    newest_at: datetime | None = None
    age_s: float | None = None
    max_age_s: float | None = None
    verified: bool = False
    checked_only: bool = False
    late: bool = False


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """One line per source; `failure` is `BackupTooOld` if any is late."""

    sources: tuple[SourceStatus, ...]
    unreachable: tuple[CopyReport, ...] = ()
    failure: HoldfastError | None = None


class FinishedHooks(msgspec.Struct, frozen=True, kw_only=True):
    """Hooks that a run that was killed still owed: the programs that ran, those not configured any more, errors."""

    ran: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    failed: tuple[HoldfastError, ...] = ()
