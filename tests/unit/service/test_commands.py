"""What commands do is written down like what the server does, once there is a catalog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.app import load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.catalog.queries import RunFilter
from holdfast.model.run import Run, RunState, Trigger

CONFIGURATION = """
[app]
name = "small"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.local]
kind = "archive"
url = "backups"
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def application(folder: Path) -> Path:
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "one.txt").write_text("one")
    (folder / "holdfast.toml").write_text(CONFIGURATION)
    return folder


def runs(folder: Path) -> list[Run]:
    with load_app(folder / "holdfast.toml", None, {}, folder) as app, open_app_catalog(app) as catalog:
        assert catalog.audit.verify().whole
        return catalog.runs.find(RunFilter(app="small"))


def test_commands_are_written_down_once_there_is_a_catalog(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    assert run(folder, "create").returncode == 0
    assert not (folder / ".holdfast" / "catalog.db").exists(), "a catalog nobody asked for"
    assert runs(folder) == []

    made = run(folder, "create")
    (folder / "storage" / "one.txt").unlink()
    (folder / "storage").rmdir()
    failed = run(folder, "create")
    back = run(folder, "restore", "latest", "--yes")

    assert (made.returncode, failed.returncode, back.returncode) == (0, 1, 0), back.stderr
    newest_first = runs(folder)
    assert [(one.operation, one.state) for one in newest_first] == [
        ("restore", RunState.SUCCEEDED),
        ("create", RunState.FAILED),
        ("create", RunState.SUCCEEDED),
    ]
    assert {one.trigger for one in newest_first} == {Trigger.COMMAND}
    assert newest_first[1].error is not None
    assert newest_first[1].error.code == "source-missing"
    assert newest_first[2].backup_id in made.stdout


def test_a_catalog_that_is_damaged_keeps_no_backup_from_being_made(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    runs(folder)
    (folder / ".holdfast" / "catalog.db").write_bytes(b"no database" * 1000)

    made = run(folder, "create")

    assert made.returncode == 0
    assert "not written down" in made.stderr
