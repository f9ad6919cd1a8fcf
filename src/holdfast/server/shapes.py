"""Backups as the interface for admin panels describes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.app.building import local_root
from holdfast.config.model import Config
from holdfast.manager.records import BackupRecord, backup_record
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Component, Role, StoredFile
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
    components: dict[str, Any] = {}
    for component in manifest.components.values():
        components.update(_entries(component, stored, config))
    return {
        "backup_id": manifest.backup_id,
        "created_at": iso(manifest.created_at),
        "version": manifest.version,
        "components": components,
        "total_size": shown_size(stored),
    }


def _entries(component: Component, stored: StoredBackup, config: Config) -> dict[str, Any]:
    """One entry per component; one per table where a component is exports of tables."""
    content = [file for file in component.files if file.purpose == "content"]
    if component.role is Role.TABLES and component.rows:
        return {
            table: {"file": place, "count": component.rows[table], "size": size_bytes}
            for table, place, size_bytes in _table_files(component, content, stored, config)
        }
    size = sum(file.size_bytes for file in content) if content else component.content_bytes
    single = content[0].name if len(content) == 1 else ""
    return {component.name: {"file": _file_place(single, component.file_name, stored, config), "size": size}}


def _table_files(
    component: Component, content: Sequence[StoredFile], stored: StoredBackup, config: Config
) -> Iterator[tuple[str, str, int]]:
    """Each table, where its export is, and how large that is; 0 where it is one of many things in one file."""
    for table in component.rows:
        marks = (f"/{table}.", f"_{table}_backup_")
        file = next((one for one in content if any(mark in f"/{one.name.rpartition('!')[2]}" for mark in marks)), None)
        name = "" if file is None else file.name
        yield table, _file_place(name, f"{table}.json", stored, config), 0 if file is None else file.size_bytes


def _file_place(name: str, inner: str, stored: StoredBackup, config: Config) -> str:
    """Where a file of a copy is: beside the others, or, within one file that holds everything, once that is unpacked.

    Args:
        name: as the target names it; empty where it is not one file.
        inner: its name within the backup.
    """
    whole, _mark, member = name.rpartition("!")
    if name and not whole:
        target = config.targets.get(stored.target)
        root = None if target is None else local_root(config, target)
        return name if root is None else _relative(str(root / name), config)
    return f"{shown_path(stored, config).removesuffix(ZIP)}/{member or inner}"


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
