"""Runs and backups that reports are made from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.model.backup import BackupType, Manifest, StoredBackup, backup_id
from holdfast.model.run import Run, RunError, RunState, Trigger
from holdfast.reports import Material

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
MIB = 1 << 20
EVIL = "<script>alert('x')</script>\u202e\x1b[31m\r\n\"&"


def run(at: datetime, state: RunState = RunState.SUCCEEDED, **fields: object) -> Run:
    """A backup of two minutes that waited ten seconds."""
    made = Run(
        run_id=f"{int(at.timestamp()):032x}",
        app="shop",
        operation="create",
        trigger=Trigger.SCHEDULE,
        state=state,
        created_at=at - timedelta(seconds=10),
        not_before=at - timedelta(seconds=10),
        started_at=at,
        finished_at=at + timedelta(seconds=120),
        type="full",
        policy="nightly",
        backup_id=backup_id(at),
        content_bytes=120 * MIB,
        stored_bytes=60 * MIB,
        seconds={"preflight": 1.0, "files": 90.0, "commit": 9.0},
        report={"copies": [{"target": "local", "stored": {"manifest": {"total_size": 60 * MIB}}}]},
    )
    return msgspec.structs.replace(made, **fields)


def failed(at: datetime, message: str = "the dump of source db failed: gone") -> Run:
    """A backup that failed."""
    error = RunError(code="dump-failed", message=message, context={"source": "db", "reason": "gone"})
    return run(at, RunState.FAILED, error=error, backup_id="", content_bytes=0, stored_bytes=0, report={}, seconds={})


def copy(at: datetime, target: str = "local", size: int = 60 * MIB) -> StoredBackup:
    """A backup in a target."""
    manifest = Manifest(
        backup_id=backup_id(at), app="shop", type=BackupType.FULL, created_at=at, finished_at=at, components={},
        total_size=size,
    )  # fmt: skip
    return StoredBackup(target=target, manifest=manifest, location="x")


def material(*runs: Run, **fields: object) -> Material:
    """What a report looks at."""
    return msgspec.structs.replace(Material(app="shop", runs=runs, copies=(), now=NOW), **fields)
