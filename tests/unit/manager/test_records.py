"""What the library returns reads as objects and as dictionaries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.manager.records import backup_record, restore_result, stats_record
from holdfast.model.backup import BackupType, Manifest, Marks, StoredBackup
from holdfast.model.component import Component, Form, Role, Shape, StoredFile
from holdfast.operations.reports import RestoredComponent, RestoreReport, StatsReport
from holdfast.protocols.source import LoadReport

STAMP = "20240101_120000"
AT = datetime(2024, 1, 1, 12, 0, tzinfo=UTC)
S1_KEYS = {
    "timestamp", "type", "original_path", "backup_path", "file_size", "checksum", "created_at", "file_count",
}  # fmt: skip


def made(kind: BackupType = BackupType.FULL) -> StoredBackup:
    database = Component(
        name="database", kind="sqlite", role=Role.DATABASE, form=Form.NATIVE, shape=Shape.FILE, file_name="app.db",
        original="/app/app.db", file_count=1, content_bytes=2048, content_sha256="d" * 64, rows={"users": 5},
        files=(
            StoredFile(name=f"database/db_backup_{STAMP}.db", size_bytes=2048, sha256="a" * 64),
            StoredFile(name=f"database/db_backup_{STAMP}.json", size_bytes=9, sha256="b" * 64, purpose="sidecar"),
        ),
    )  # fmt: skip
    storage = Component(
        name="storage", kind="files", role=Role.STORAGE, form=Form.NATIVE, shape=Shape.TREE, file_name="storage",
        original="/app/storage", file_count=150, content_bytes=9000, content_sha256="e" * 64,
        files=(StoredFile(name="storage/storage_backup_20240101_120000.tar.gz", size_bytes=700, sha256="c" * 64),),
    )  # fmt: skip
    components = {"database": database, "storage": storage}
    if kind is BackupType.DATABASE:
        del components["storage"]
    manifest = Manifest(
        backup_id="backup_2024_01_01_12_00_00", app="shop", type=kind, created_at=AT, finished_at=AT,
        components=components, total_size=2757,
    )  # fmt: skip
    return StoredBackup(
        target="local", manifest=manifest, location="/app/backups/full/full_backup_20240101_120000.json",
        marks=Marks(verified_at=AT),
    )  # fmt: skip


def test_a_database_backup_has_the_keys_of_its_sidecar() -> None:
    record = backup_record(made(BackupType.DATABASE), Path("/app/backups"))
    assert set(record) >= S1_KEYS
    assert record["timestamp"] == record.timestamp == "20240101_120000"
    assert record["type"] == "database"
    assert record["original_path"] == "/app/app.db"
    assert record["backup_path"] == "/app/backups/database/db_backup_20240101_120000.db"
    assert (record["file_size"], record["checksum"], record["file_count"]) == (2757, "a" * 64, 1)
    assert record["created_at"] == "2024-01-01T12:00:00Z"
    assert record.components["database"].rows == {"users": 5}
    assert record.verified is True


def test_a_full_backup_names_the_file_that_describes_it_and_all_parts() -> None:
    record = backup_record(made(), Path("/app/backups"))
    assert record.backup_path == "/app/backups/full/full_backup_20240101_120000.json"
    assert record.checksum == ""
    assert record.file_count == 151
    assert record.files == [
        "/app/backups/database/db_backup_20240101_120000.db",
        "/app/backups/database/db_backup_20240101_120000.json",
        "/app/backups/storage/storage_backup_20240101_120000.tar.gz",
        "/app/backups/full/full_backup_20240101_120000.json",
    ]


def test_one_part_of_a_full_backup() -> None:
    record = backup_record(made(), Path("/app/backups"), role="storage")
    assert (record.type, record.file_size, record.checksum) == ("storage", 700, "c" * 64)
    assert record.backup_path == "/app/backups/storage/storage_backup_20240101_120000.tar.gz"
    assert list(record.components) == ["storage"]


def test_a_backup_elsewhere_has_names_instead_of_paths() -> None:
    assert backup_record(made(BackupType.DATABASE), None).backup_path == "database/db_backup_20240101_120000.db"


def test_everything_can_be_written_as_json() -> None:
    record = backup_record(made(), Path("/app/backups"))
    assert json.loads(json.dumps(record)) == record
    load = LoadReport(destination="a", safety_copies=("b",), undo="mv b a", rows={"users": 5}, file_count=1)
    report = RestoreReport(
        backup_id="x", target="local", components=(RestoredComponent(source="database", load=load),), verified=True
    )
    result = restore_result(report)
    assert json.loads(json.dumps(result)) == result
    assert result.safety_copies == ["b"]
    stats = stats_record(
        StatsReport(
            total_backups=2,
            total_size=10,
            total_size_mb=0.1,
            average_size=5,
            by_type={"full": 2},
            size_by_type={},
            by_target={"local": 10},
            oldest_backup=AT,
        )
    )
    assert json.loads(json.dumps(stats)) == stats
    assert (stats["total_backups"], stats.oldest_backup, stats.newest_backup) == (2, "2024-01-01T12:00:00Z", None)


def test_what_is_no_key_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="sise"):
        backup_record(made(), None).sise  # noqa: B018 - reading is what is tested
