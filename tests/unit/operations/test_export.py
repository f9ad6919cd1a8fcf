"""An export: one file that needs nothing of ours to be used."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import DamageError, Interrupted, ObjectExists, UsageError
from holdfast.model.backup import BackupType
from holdfast.model.component import Form, Role, Shape
from holdfast.operations.export import export_backup
from holdfast.operations.recovery_sheet import Member, sheet
from holdfast.operations.reports import ExportReport, plain
from holdfast.operations.requests import ExportRequest
from holdfast.testing.fake_source import FakeSource
from holdfast.testing.fake_target import FakeTarget
from unit.operations.app import App, database, failing, storage, tables


def export(app: App, path: Path, **request: object) -> ExportReport:
    return export_backup(app.context, ExportRequest(output=path, **request))  # type: ignore[arg-type]


def test_standard_tools_prove_and_unpack_it(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(sources=[database(), storage(), tables()])
    app.create()
    report = export(app, tmp_path / "out.zip")
    assert report.path.stat().st_mode & 0o777 == 0o600
    plain(report)
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", report.path, out], check=True)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=out, check=True)
    whole = subprocess.run(["sha256sum", report.path], capture_output=True, text=True, check=True)
    assert whole.stdout.split()[0] == report.sha256
    assert (out / "database" / "database.native").read_bytes() == app.sources["database"].files["app.db"]
    assert (out / "tables" / "c.json").read_bytes() == app.sources["tables"].files["c.json"]
    (tmp_path / "tree").mkdir()
    subprocess.run(["tar", "-xpf", out / "storage" / "storage.tar", "-C", tmp_path / "tree"], check=True)
    assert (tmp_path / "tree" / "film.mp4").read_bytes() == app.sources["storage"].files["film.mp4"]
    assert json.loads((out / "manifest.json").read_text())["backup_id"] == report.backup_id
    sheet_text = (out / "RECOVERY.txt").read_text()
    assert "sha256sum -c SHA256SUMS" in sheet_text
    assert "tar -xpf storage/storage.tar" in sheet_text
    assert set(report.members) == {info.filename for info in zipfile.ZipFile(report.path).infolist()}


def test_changes_that_only_holdfast_can_apply_are_no_export(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(targets=[FakeTarget("local")])
    app.create()
    app.sources["storage"].files["new"] = b"new"
    app.create(type=BackupType.INCREMENTAL)
    with pytest.raises(UsageError, match="holds changes only"):
        export(app, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_nothing_is_replaced(app: App, tmp_path: Path) -> None:
    app.create()
    (tmp_path / "out.zip").write_text("precious")
    with pytest.raises(ObjectExists):
        export(app, tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_text() == "precious"


@pytest.mark.parametrize("bad", [("local",), ("local", "offsite")])
def test_damage_goes_into_no_export(app: App, tmp_path: Path, bad: tuple[str, ...]) -> None:
    created = app.create()
    for name in bad:
        app.targets[name].damage(created.backup_id, "storage")
    if len(bad) == 1:
        assert export(app, tmp_path / "out.zip").backup_id == created.backup_id
    else:
        with pytest.raises(DamageError):
            export(app, tmp_path / "out.zip")
        assert not (tmp_path / "out.zip").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


def test_a_cancelled_export_leaves_nothing(app: App, tmp_path: Path) -> None:
    app.create()
    app.targets["local"].step = failing("content-entries", Interrupted, after=1)
    with pytest.raises(Interrupted):
        export(app, tmp_path / "out.zip")
    assert not [path for path in tmp_path.iterdir() if "out.zip" in path.name]


def test_names_from_content_lead_nowhere_and_give_no_orders(make_app: Callable[..., App], tmp_path: Path) -> None:
    files = {"../../etc/passwd.json": b"1", "-rf": b"2", "a\nSHA256SUMS": b"3"}
    app = make_app(sources=[FakeSource("t", files, role=Role.TABLES, shape=Shape.FILES, rows={"a\n\x1b[2Jb": 1})])
    app.create()
    report = export(app, tmp_path / "out.zip")
    assert all(".." not in name.split("/") and "\n" not in name for name in report.members)
    assert "\x1b" not in zipfile.ZipFile(report.path).read("RECOVERY.txt").decode()


@pytest.mark.parametrize(
    ("kind", "form", "command"),
    [
        ("sqlite", "native", "sqlite3 db/app.db 'PRAGMA integrity_check'"),
        ("sqlite", "sql", "sqlite3 NEW.db < db/app.db"),
        ("postgresql", "native", "pg_restore --clean --if-exists --single-transaction -d DATABASE db/app.db"),
        ("postgresql", "sql", "psql -X -v ON_ERROR_STOP=1 --single-transaction -d DATABASE -f db/app.db"),
        ("mysql", "sql", "mysql DATABASE < db/app.db"),
        ("command", "native", "ls -l db/app.db"),
    ],
)
def test_the_sheet_names_the_tool_for_each_kind(app: App, kind: str, form: str, command: str) -> None:
    app.create()
    manifest = app.targets["local"].backups()[0].manifest
    component = msgspec.structs.replace(manifest.components["database"], kind=kind, form=Form(form))
    text = sheet(manifest, [Member("db/app.db", component)], "en")
    assert f"\n    {command}\n" in text
    assert "users 40" in text


def test_the_sheet_is_in_english_and_in_the_language_of_the_application(app: App) -> None:
    app.create()
    manifest = app.targets["local"].backups()[0].manifest
    assert sheet(manifest, [], "ru").count("sha256sum -c") == 2
    assert sheet(manifest, [], "en").count("sha256sum -c") == 1


def test_a_repository_that_has_all_of_it_is_preferred_to_changes(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(targets=[FakeTarget("local"), FakeTarget("offsite", kind="repository", url="s3:far/away")])
    app.create()
    app.sources["storage"].files["new"] = b"new"
    app.create(type=BackupType.INCREMENTAL)
    export(app, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        members = file.namelist()
        tar = file.read("storage/storage.tar")
    assert not any("changes" in name for name in members)
    assert b"film.mp4" in tar
    assert b"new" in tar
