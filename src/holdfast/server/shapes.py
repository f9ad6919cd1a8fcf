"""Backups as the interface for admin panels describes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.app.building import local_root
from holdfast.config.model import Config
from holdfast.manager.records import BackupRecord, backup_record
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Component, Role
from holdfast.operations.reports import CreateReport, RestoreReport

ZIP = ".zip"
_WHOLE = (ZIP, ".zip.age", ".zip.gpg")


def iso(moment: datetime) -> str:
    """`2025-09-16T12:30:45Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def primary(copies: Sequence[StoredBackup], config: Config) -> StoredBackup:
    """The copy that is spoken of where only one can be: in the first archive, else in the first target."""
    order = list(config.targets)

    def place(stored: StoredBackup) -> tuple[bool, int]:
        target = config.targets.get(stored.target)
        position = order.index(stored.target) if target is not None else len(order)
        return target is None or target.kind != "archive", position

    return min(copies, key=place)


def shown_path(stored: StoredBackup, config: Config) -> str:
    """Where a copy is, relative to the application's folder where it lies in there."""
    return _relative(stored.location, config)


def shown_size(stored: StoredBackup) -> int:
    """Bytes of a copy that can be taken away: without what is kept beside it for incremental backups to come."""
    files = [file for component in stored.manifest.components.values() for file in component.files]
    return stored.manifest.total_size - sum(file.size_bytes for file in files if file.purpose == "state")


def _relative(location: str, config: Config) -> str:
    path = Path(location)
    if path.is_absolute() and path.is_relative_to(config.base_dir):
        return path.relative_to(config.base_dir).as_posix()
    return location


def file_of(stored: StoredBackup, config: Config) -> Path | None:
    """The one file on this machine that holds a whole copy, or None.

    SAFETY: the place comes from what the target said of itself, and counts only inside that target's folder.
    """
    target = config.targets.get(stored.target)
    root = None if target is None else local_root(config, target)
    path = Path(stored.location)
    if root is None or not stored.location.endswith(_WHOLE) or not path.is_absolute():
        return None
    return path if path.resolve().parent == root.resolve() and path.is_file() and not path.is_symlink() else None


def manifest_entry(stored: StoredBackup, config: Config) -> dict[str, Any]:
    """The manifest of a copy."""
    manifest = stored.manifest
    folder = shown_path(stored, config).removesuffix(ZIP)
    components: dict[str, Any] = {}
    for component in manifest.components.values():
        components.update(_entries(component, folder))
    return {
        "backup_id": manifest.backup_id,
        "created_at": iso(manifest.created_at),
        "version": manifest.version,
        "components": components,
        "total_size": shown_size(stored),
    }


def _entries(component: Component, folder: str) -> dict[str, Any]:
    """One entry per component; one per table where a component is exports of tables."""
    content = [file for file in component.files if file.purpose == "content"]
    if component.role is Role.TABLES and component.rows:
        entries: dict[str, Any] = {}
        sizes = {Path(file.name.rpartition("!")[2]).name.partition(".")[0]: file for file in content}
        for table, rows in component.rows.items():
            file = sizes.get(table)
            name = Path(file.name.rpartition("!")[2]).name if file is not None else f"{table}.json"
            entries[table] = {"file": f"{folder}/{name}", "count": rows, "size": file.size_bytes if file else 0}
        return entries
    name = component.file_name
    if len(content) == 1:
        name = content[0].name.rpartition("!")[2].partition("/")[2] or content[0].name.rpartition("!")[2]
    size = sum(file.size_bytes for file in content) if content else component.content_bytes
    return {component.name: {"file": f"{folder}/{name}", "size": size}}


def created_entry(report: CreateReport, config: Config) -> dict[str, Any]:
    """A backup that was made."""
    stored = primary([copy.stored for copy in report.copies if copy.stored is not None], config)
    return {
        "backup_id": report.backup_id,
        "backup_path": shown_path(stored, config),
        "size": shown_size(stored),
        "created_at": iso(stored.manifest.created_at),
        "manifest": manifest_entry(stored, config),
        "type": report.type.value,
        "warnings": [f"{problem.subject}: {problem.detail or problem.code}" for problem in report.problems],
    }


def listed_entry(copies: Sequence[StoredBackup], config: Config) -> tuple[dict[str, Any], int]:
    """One backup as a list shows it, out of all its copies, and its size."""
    stored = primary(copies, config)
    size_bytes = shown_size(stored)
    entry = {
        "file": shown_path(stored, config),
        "size": size_bytes,
        "created_at": int(stored.manifest.created_at.timestamp()),
        "backup_id": stored.backup_id,
        "type": stored.manifest.type.value,
        "targets": [one.target for one in copies],
        "verified": any(one.marks.verified_at is not None and one.marks.damaged_at is None for one in copies),
        "held": any(one.marks.held for one in copies),
    }
    return entry, size_bytes


def recorded(stored: StoredBackup, config: Config, role: str = "") -> tuple[BackupRecord | None, int]:
    """One copy as the library returns it, and its size; None if nothing in it is of a role.

    Args:
        role: only its components of this role; empty for all.
    """
    roles = {component.role.value for component in stored.manifest.components.values()}
    if role and role not in roles | {stored.manifest.type.value}:
        return None, 0
    target = config.targets.get(stored.target)
    record = backup_record(stored, None if target is None else local_root(config, target), role=role)
    return record, record.file_size


def restored_entry(report: RestoreReport) -> dict[str, Any]:
    """What a restore brought back."""
    loads = [(component.source, component.load) for component in report.components if component.load is not None]
    return {
        "backup_id": report.backup_id,
        "restored": [source for source, _load in loads],
        "rows": {table: rows for _source, load in loads for table, rows in load.rows.items()},
        "files": sum(load.file_count for _source, load in loads),
        "verified": report.verified,
        "safety_copies": [copy for _source, load in loads for copy in load.safety_copies],
        "undo": [str(load.undo) for _source, load in loads if load.undo],
        "duration_seconds": round(sum(report.seconds.values()), 3),
    }
