"""Operations over real sources and targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import BackupDamaged, BackupNotFound
from holdfast.model.backup import BackupType
from holdfast.operations.doctor import examine
from holdfast.operations.export import export_backup
from holdfast.operations.list_backups import list_backups
from holdfast.operations.requests import ExportRequest, ListRequest, RestoreRequest, RetentionRequest, VerifyRequest
from holdfast.operations.restore import plan_restore
from holdfast.operations.retention import apply_retention, plan_retention
from holdfast.operations.verify import verify_backups
from holdfast.policy.backup_retention import KeepRules
from unit.operations.real_app import RealApp

LAYOUTS = ("typed", "flat", "bundle", "directory")


@pytest.fixture
def real(tmp_path: Path) -> RealApp:
    return RealApp(tmp_path / "app")


@pytest.mark.parametrize("target", [*LAYOUTS, "repository"])
def test_everything_comes_back_from_each_kind_of_target(tmp_path: Path, target: str) -> None:
    app = RealApp(tmp_path / "app", targets=(target,))
    report = app.create()
    assert report.failure is None, report.failure
    before = app.seen()
    app.ruin()
    restored = app.restore()
    assert restored.failure is None, restored.failure
    assert app.seen() == before
    assert len([done for done in restored.components if done.load and done.load.safety_copies]) >= 3
    assert verify_backups(app.context, VerifyRequest()).failure is None


def test_incremental_backups_come_back_exactly(tmp_path: Path) -> None:
    app = RealApp(tmp_path / "app", targets=(*LAYOUTS, "repository"))
    assert app.create().failure is None
    states = []
    for number in range(2):
        app.add_users(5)
        app.sql(f"delete from users where id = {number + 1}")
        (app.folder / "storage" / f"new{number}").write_text("new")
        (app.folder / "storage" / "a.jpg").write_text(f"changed {number}")
        if number:
            (app.folder / "storage" / "sub" / "ä b.bin").unlink()
        report = app.create(type=BackupType.INCREMENTAL)
        assert report.failure is None, report.failure
        assert report.type is BackupType.INCREMENTAL
        states.append((report.backup_id, app.seen()))
    for target in (*LAYOUTS, "repository"):
        for backup_id, seen in states:
            app.ruin()
            assert app.restore(what=backup_id, from_target=target).failure is None
            assert app.seen() == seen, (target, backup_id)


def test_a_schema_that_changed_makes_it_full(real: RealApp) -> None:
    real.create()
    real.sql("alter table users add column mail text")
    report = real.create(type=BackupType.INCREMENTAL)
    assert report.failure is None
    assert report.type is BackupType.FULL
    assert [problem.code for problem in report.problems if problem.code == "full-instead"]


def test_damage_on_disk_falls_back_to_the_other_target(real: RealApp) -> None:
    report = real.create()
    before = real.seen()
    archive = next((real.folder / "backups-typed" / "storage").glob("*.tar.gz"))
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.chmod(0o600)
    archive.write_bytes(data)
    real.ruin()
    restored = real.restore()
    assert restored.failure is None
    assert restored.target == "repository"
    assert restored.backup_id == report.backup_id
    assert real.seen() == before


def test_tables_come_with_their_database_unless_they_are_named(real: RealApp) -> None:
    real.create()
    for only in ((), ("tables",), ("database", "tables")):
        planned = plan_restore(real.context, RestoreRequest(only=only)).components
        assert [each.source for each in planned] == list(only or ("database", "storage", "config"))


def test_one_table_and_one_path(real: RealApp) -> None:
    real.create()
    before = real.seen()
    real.ruin()
    report = real.restore(tables=("users",))
    assert report.failure is None
    assert [done.source for done in report.components] == ["tables"]
    assert real.seen()["rows"] == before["rows"]
    report = real.restore(paths=("storage/a.jpg",))
    assert report.failure is None
    assert (real.folder / "storage" / "a.jpg").read_bytes() == b"a" * 5000
    assert (real.folder / "storage" / "extra").exists()


def test_retention_on_disk(real: RealApp) -> None:
    for _ in range(3):
        assert real.create().failure is None
    report = apply_retention(real.context, plan_retention(real.context, RetentionRequest(rules=KeepRules(last=1))))
    assert report.failure is None
    assert len(list((real.folder / "backups-typed" / "full").glob("*.json"))) == 1
    assert verify_backups(real.context, VerifyRequest()).failure is None
    real.ruin()
    assert real.restore(from_target="repository").failure is None


def test_a_missing_configuration_file_is_warned_of_and_the_backup_is_whole(real: RealApp) -> None:
    report = real.create()
    assert report.failure is None
    assert "missing-accepted" in {problem.code for problem in report.problems}
    assert "WARNING" in (real.folder / "backup.log").read_text()


def test_a_restore_by_the_path_of_a_file(real: RealApp, monkeypatch: pytest.MonkeyPatch) -> None:
    real.create()
    before = real.seen()
    real.ruin()
    archive = next((real.folder / "backups-typed" / "storage").glob("*.tar.gz"))
    monkeypatch.chdir(real.folder)
    report = real.restore(what=str(archive.relative_to(real.folder)))
    assert report.failure is None
    assert [done.source for done in report.components] == ["storage"]
    assert real.seen()["files"] == before["files"]
    assert real.seen()["rows"] != before["rows"]


@pytest.mark.parametrize(
    ("layout", "pattern", "components"),
    [
        ("typed", "database/*.db", ["database"]),
        ("typed", "database/*.json", ["database"]),
        ("typed", "full/*.json", ["database", "storage", "config"]),
        ("flat", "app_db_*.db.gz", ["database"]),
        ("flat", "manifest_*.json", ["database", "storage", "config"]),
        ("bundle", "*.zip", ["database", "storage", "config"]),
        ("directory", "backup_*", ["database", "storage", "config"]),
        ("directory", "backup_*/users.json", ["tables"]),
    ],
)
def test_each_file_of_an_archive_means_something(
    tmp_path: Path, layout: str, pattern: str, components: list[str]
) -> None:
    app = RealApp(tmp_path / "app", targets=(layout,))
    app.create()
    path = next((app.folder / f"backups-{layout}").glob(pattern))
    plan = plan_restore(app.context, RestoreRequest(what=str(path)))
    assert [planned.source for planned in plan.components] == components


def test_a_file_that_is_no_backup_means_nothing(real: RealApp) -> None:
    real.create()
    stray = real.folder / "backups-typed" / "database" / "db_backup_20200101_000000.db"
    stray.write_text("stray")
    with pytest.raises(BackupDamaged, match="neither a database"):
        plan_restore(real.context, RestoreRequest(what=str(stray)))
    for path in (real.folder / "backups-typed", real.folder / "nowhere"):
        with pytest.raises(BackupNotFound):
            plan_restore(real.context, RestoreRequest(what=str(path)))


def test_export_and_doctor(real: RealApp) -> None:
    report = real.create()
    exported = export_backup(real.context, ExportRequest(output=real.folder / "out.zip"))
    assert exported.backup_id == report.backup_id
    assert examine(real.context).healthy


def test_a_record_that_cannot_be_read_is_named_and_not_passed_over(real: RealApp) -> None:
    first = real.create()
    second = real.create()
    record = real.folder / "backups-typed" / "full" / "full_backup_20240101_140000.json"
    record.chmod(0o600)
    record.write_text("{")
    listing = list_backups(real.context, ListRequest(targets=("typed",)))
    assert [backup.backup_id for backup in listing.backups] == [first.backup_id]
    assert "full_backup_20240101_140000" in listing.problems[0].subject
    assert second.backup_id != first.backup_id
    assert [finding for finding in examine(real.context).findings if "full_backup_20240101_140000" in finding.detail]
