"""The library on real databases, folders, archives and repositories."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import holdfast
from holdfast import BackupManager, create_backup_manager
from holdfast.errors import (
    ChecksumMismatch,
    ComponentNotFound,
    ConfigNotFound,
    ContradictoryOptions,
    HoldfastError,
    SourceError,
    TargetsFailed,
)
from holdfast.model.event import Event, Progress

CONFIGURATION = """
[app]
name = "shop"
language = "fa"
[sources.database]
kind = "sqlite"
path = "shop.db"
[sources.storage]
kind = "files"
paths = ["storage"]
[targets.repo]
kind = "repository"
url = "repo"
password_command = "echo geheim"
[targets.local]
kind = "archive"
url = "backups"
[policies.nightly]
keep = { last = 2 }
"""


def put(folder: Path, name: str) -> None:
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute("INSERT INTO clients (name) VALUES (?)", (name,))
    connection.close()


def names(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "shop.db") as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM clients ORDER BY id")]
    connection.close()
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with an application in it."""
    folder = tmp_path / "shop"
    (folder / "storage").mkdir(parents=True)
    (folder / "storage/one.jpg").write_bytes(b"one" * 1000)
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    put(folder, "Анна")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def manager(shop: Path) -> BackupManager:
    """A manager by parameters alone."""
    return create_backup_manager(db_path="shop.db", storage_path="storage", backup_dir="backups")


@pytest.fixture
def configured(shop: Path) -> BackupManager:
    """A manager by a configuration with two targets."""
    (shop / "holdfast.toml").write_text(CONFIGURATION)
    return create_backup_manager()


def test_a_full_backup_by_parameters(shop: Path, manager: BackupManager) -> None:
    result = manager.create_full_backup()
    assert result["type"] == "full"
    database = Path(result.components["database"].backup_path)
    assert database.parent == shop / "backups/database"
    assert hashlib.sha256(database.read_bytes()).hexdigest() == result["components"]["database"]["checksum"]
    assert json.loads(Path(result["backup_path"]).read_text())["timestamp"] == result["timestamp"]
    assert [path for path in result.files if not Path(path).is_file()] == []
    assert len(result.files) == 5
    assert not (shop / ".holdfast").exists(), "without a configuration, state lives with the backups"


def test_results_agree_with_the_files_beside_the_backups(manager: BackupManager) -> None:
    for result in (manager.backup_database(), manager.backup_storage()):
        path = Path(result["backup_path"])
        sidecar = json.loads(next(path.parent.glob("*.json")).read_text())
        keys = ("timestamp", "type", "original_path", "backup_path", "file_size", "checksum", "file_count")
        assert {key: result[key] for key in keys} == {key: sidecar[key] for key in keys}
        assert result["created_at"] == sidecar["created_at"] + "Z"


def test_lists_and_statistics(manager: BackupManager) -> None:
    full, database = manager.create_full_backup(), manager.backup_database()
    assert [one.backup_id for one in manager.list_backups()] == [database.backup_id, full.backup_id]
    assert [one.backup_id for one in manager.list_backups("full")] == [full.backup_id]
    assert [one.backup_id for one in manager.list_backups("database")] == [database.backup_id, full.backup_id]
    assert [one["type"] for one in manager.list_backups("storage")] == ["storage"]
    assert manager.list_backups("config") == manager.list_backups("incremental") == []
    with pytest.raises(ValueError, match="tables"):
        manager.list_backups("tables")
    stats = manager.get_backup_stats()
    assert stats["total_backups"] == 2
    assert stats["total_size"] == full.file_size + database.file_size
    assert stats["total_size_mb"] == pytest.approx(stats["total_size"] / 1_048_576, abs=0.01)
    assert stats["newest_backup"] == database.created_at


def test_restores(shop: Path, manager: BackupManager) -> None:
    full = manager.create_full_backup()
    put(shop, "Пётр")
    (shop / "storage/one.jpg").unlink()
    done = manager.restore_database(Path(full.components["database"].backup_path))
    assert names(shop) == ["Анна"]
    assert done.rows == {"clients": 1}
    assert done.verified is True
    assert not (shop / "storage/one.jpg").exists()
    [copy] = done.safety_copies
    assert Path(copy).name.startswith("shop.db.before-restore-")
    manager.restore_storage(Path(full.components["storage"].backup_path))
    assert (shop / "storage/one.jpg").read_bytes() == b"one" * 1000


def test_restores_a_part_by_what_names_the_whole(shop: Path, manager: BackupManager) -> None:
    full = manager.create_full_backup()
    put(shop, "Пётр")
    (shop / "storage/two.jpg").write_bytes(b"two")
    for whole in (Path(full.backup_path), full.backup_id, "latest"):
        assert manager.restore_database(whole).restored == ["database"]
    assert (shop / "storage/two.jpg").exists()
    assert manager.restore_backup(full.backup_id).restored == ["database", "storage"]
    assert not (shop / "storage/two.jpg").exists()


def test_a_database_is_not_restored_from_a_file_of_pictures(shop: Path, manager: BackupManager) -> None:
    full = manager.create_full_backup()
    with pytest.raises(ComponentNotFound):
        manager.restore_database(full.components["storage"].backup_path)
    with pytest.raises(ComponentNotFound):
        manager.restore_storage(full.components["database"].backup_path)
    with pytest.raises(HoldfastError):
        manager.restore_database(shop / "backups/database/db_backup_20240101_120000.db")


def test_a_changed_file_is_refused(shop: Path, manager: BackupManager) -> None:
    path = Path(manager.backup_database().backup_path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE clients SET name = 'nobody'")
    connection.close()
    with pytest.raises(ChecksumMismatch):
        manager.restore_database(path)
    assert names(shop) == ["Анна"]
    assert manager.restore_database(path, verify_checksum=False).verified is False
    assert names(shop) == ["nobody"]


def test_rotation_counts_each_type_by_itself(shop: Path) -> None:
    with create_backup_manager(db_path="shop.db", storage_path="storage", max_backups=1) as manager:
        oldest, newest = manager.create_full_backup(), manager.create_full_backup()
        single = manager.backup_database()
        removed = manager.rotate_backups()
        assert [one.backup_id for one in removed] == [oldest.backup_id]
        assert [one.backup_id for one in manager.list_backups()] == [single.backup_id, newest.backup_id]
        assert not Path(oldest.components["database"].backup_path).exists()
        assert manager.rotate_backups(5) == []
        assert manager.cleanup_backups(30) == []


def test_the_default_keeps_seven(shop: Path) -> None:
    manager = create_backup_manager(db_path="shop.db")
    made = [manager.backup_database() for _ in range(9)]
    assert {one.backup_id for one in manager.rotate_backups()} == {one.backup_id for one in made[:2]}


def test_a_configuration_is_found_and_parameters_win(shop: Path, configured: BackupManager) -> None:
    assert configured.language == "fa"
    result = configured.create_full_backup()
    assert result.target == "local", "the copy that a person can open"
    assert len(configured.list_backups()) == 1
    elsewhere = create_backup_manager(backup_dir="elsewhere", compression="", max_backups=1)
    plain = elsewhere.backup_storage()
    assert plain.backup_path == str(shop / "elsewhere/storage" / f"storage_backup_{plain.timestamp}.tar")
    for manager in (configured, elsewhere):
        manager.close()


def test_rules_of_the_configuration(configured: BackupManager) -> None:
    made = [configured.backup_database() for _ in range(3)]
    removed = configured.rotate_backups()
    assert [(one.target, one.backup_id) for one in removed] == [
        ("repo", made[0].backup_id),
        ("local", made[0].backup_id),
    ]


def test_a_target_that_fails_is_no_success(shop: Path, configured: BackupManager) -> None:
    (shop / "repo").write_text("no folder")
    with pytest.raises(TargetsFailed, match="repo"):
        configured.create_full_backup()
    assert configured.app.context.targets["local"].backups() != []


def test_a_backup_never_contains_backups(shop: Path) -> None:
    manager = create_backup_manager(storage_path="storage", backup_dir="storage/backups")
    first, second = manager.backup_storage(), manager.backup_storage()
    assert (first.file_count, second.file_count) == (1, 1)
    with tarfile.open(second.backup_path) as archive:
        assert [member.name for member in archive] == ["storage", "storage/one.jpg"]


def test_what_cannot_be_read_is_raised(shop: Path, manager: BackupManager) -> None:
    (shop / "shop.db").unlink()
    with pytest.raises(SourceError):
        manager.backup_database()
    assert manager.list_backups() == []


def test_nothing_to_go_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigNotFound):
        create_backup_manager()
    with pytest.raises(ContradictoryOptions):
        create_backup_manager(config="holdfast.toml", db_path="shop.db")


def test_progress_is_told(shop: Path) -> None:
    heard: list[Event] = []
    create_backup_manager(db_path="shop.db", listener=heard.append).backup_database()
    assert any(isinstance(event, Progress) for event in heard)


def test_the_library_is_imported_when_it_is_asked_for() -> None:
    program = "import sys, holdfast; print('holdfast.manager' in sys.modules, holdfast.create_backup_manager.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False create_backup_manager\n"
    with pytest.raises(AttributeError, match="nothing"):
        holdfast.nothing  # noqa: B018 - reading is what is tested
