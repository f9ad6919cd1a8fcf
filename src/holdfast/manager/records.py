"""What the library returns: objects with attributes that are dictionaries too, ready for `json.dumps`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.model.backup import StoredBackup, stamp
from holdfast.model.component import Component, Role
from holdfast.operations.reports import RestoreReport, StatsReport


class Record(dict[str, Any]):
    """A dictionary whose keys are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class BackupRecord(Record):
    """A backup, or the part of one that is of a single type.

    Attributes:
        backup_id: the backup's id.
        timestamp: as in the names of its files, `20240101_120000`.
        type: `full`, `database`, `storage`, `config` or `incremental`.
        original_path: what was backed up; of several things, one after the other with a comma between them.
        backup_path: the file to restore from; for a full backup the file that describes it. In a repository, the id.
        file_size: bytes that are kept.
        checksum: SHA-256 of the file at `backup_path` where one file holds everything, as `sha256sum` prints it; else
            the digest of the contents, or empty if there is none.
        created_at: ISO 8601 in UTC.
        file_count: files in the content; of a database, its tables.
        target: the target this copy is in.
        location: where that keeps it.
        outcome: `complete` or `partial`.
        held, verified: what is noted about it.
        problems: what is missing in it.
        files: all files that hold its content and describe it.
        components: its parts, by the name of the source.
    """

    backup_id: str
    timestamp: str
    type: str
    original_path: str
    backup_path: str
    file_size: int
    checksum: str
    created_at: str
    file_count: int
    target: str
    location: str
    outcome: str
    held: bool
    verified: bool
    problems: list[ProblemRecord]
    files: list[str]
    components: dict[str, ComponentRecord]


class ProblemRecord(Record):
    """One thing that is missing from a backup. `code` is stable and English."""

    code: str
    subject: str
    detail: str


class ComponentRecord(Record):
    """One source's part of a backup: the same keys as in `BackupRecord`, and `rows` by table."""

    name: str
    type: str
    original_path: str
    backup_path: str
    file_size: int
    checksum: str
    file_count: int
    rows: dict[str, int]


class BackupStats(Record):
    """Totals over all targets. Sizes are bytes, `total_size_mb` is in units of 1,048,576 bytes."""

    total_backups: int
    total_size: int
    total_size_mb: float
    average_size: int
    oldest_backup: str | None
    newest_backup: str | None
    by_type: dict[str, int]
    by_target: dict[str, int]


class RestoreResult(Record):
    """What a restore did.

    Attributes:
        backup_id, target: where it came from.
        restored: names of the sources.
        rows: by table, counted afterwards.
        file_count: files, counted afterwards.
        safety_copies: what was there before, by where it is now.
        undo: what to do to get that back.
        verified: whether everything was read and compared first.
    """

    backup_id: str
    target: str
    restored: list[str]
    rows: dict[str, int]
    file_count: int
    safety_copies: list[str]
    undo: list[str]
    verified: bool


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the second, with a `Z`."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def component_record(component: Component, root: Path | None) -> ComponentRecord:
    """One part of a backup. `root` is the folder of the target on this machine; None for one elsewhere."""
    content = [file for file in component.files if file.purpose == "content"]
    single = content[0] if len(content) == 1 else None
    return ComponentRecord(
        name=component.name,
        type=component.role.value,
        original_path=component.original,
        backup_path=_place(root, content[0].name) if content else "",
        file_size=sum(file.size_bytes for file in content) if content else component.content_bytes,
        checksum=single.sha256 if single is not None else component.content_sha256,
        # As in the sidecars: of a database, its tables are counted.
        file_count=len(component.rows) if component.role is Role.DATABASE and component.rows else component.file_count,
        rows=dict(component.rows),
    )


def backup_record(backup: StoredBackup, root: Path | None, *, role: str = "") -> BackupRecord:
    """A backup as a dictionary.

    Args:
        backup: one copy of it.
        root: the folder of its target on this machine; None for one elsewhere.
        role: only its components of this role, as a record of that type.
    """
    manifest, marks = backup.manifest, backup.marks
    chosen = [one for one in manifest.components.values() if not role or one.role.value == role]
    parts = [component_record(component, root) for component in chosen]
    single = parts[0] if len(parts) == 1 and (role or manifest.type.value != "full") else None
    return BackupRecord(
        backup_id=backup.backup_id,
        timestamp=stamp(backup.backup_id),
        type=role or manifest.type.value,
        original_path=", ".join(part.original_path for part in parts),
        backup_path=(single.backup_path if single else "") or backup.location,
        file_size=sum(part.file_size for part in parts) if role else manifest.total_size,
        checksum=single.checksum if single else "",
        created_at=iso(manifest.created_at),
        file_count=sum(part.file_count for part in parts),
        target=backup.target,
        location=backup.location,
        outcome=manifest.outcome.value,
        held=marks.held,
        verified=marks.verified_at is not None and marks.damaged_at is None,
        problems=[
            ProblemRecord(code=one.code, subject=one.subject, detail=one.detail)
            for part in chosen
            for one in part.problems
        ],
        files=_files(chosen, root, backup.location),
        components={part.name: part for part in parts},
    )


def _files(components: Iterable[Component], root: Path | None, location: str) -> list[str]:
    """Files with content and files that describe it, the backup's own description last."""
    files = [_place(root, file.name) for one in components for file in one.files if file.purpose != "state"]
    if root is not None and location not in files and Path(location).is_relative_to(root):
        files.append(location)
    return files


def _place(root: Path | None, name: str) -> str:
    return name if root is None else str(root / name)


def stats_record(report: StatsReport) -> BackupStats:
    """Totals as a dictionary."""
    return BackupStats(
        total_backups=report.total_backups,
        total_size=report.total_size,
        total_size_mb=report.total_size_mb,
        average_size=report.average_size,
        oldest_backup=iso(report.oldest_backup),
        newest_backup=iso(report.newest_backup),
        by_type=dict(report.by_type),
        by_target=dict(report.by_target),
    )


def restore_result(report: RestoreReport) -> RestoreResult:
    """A restore as a dictionary."""
    loads = [(component.source, component.load) for component in report.components if component.load is not None]
    return RestoreResult(
        backup_id=report.backup_id,
        target=report.target,
        restored=[source for source, _load in loads],
        rows={table: rows for _source, load in loads for table, rows in load.rows.items()},
        file_count=sum(load.file_count for _source, load in loads),
        safety_copies=[copy for _source, load in loads for copy in load.safety_copies],
        undo=[load.undo for _source, load in loads if load.undo],
        verified=report.verified,
    )
