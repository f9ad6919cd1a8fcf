"""`holdfast restore PATH` with files that no target keeps."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from e2e.app_home import CONFIGURATION, AppHome, make_app
from e2e.deployments import rows

ARCHIVE = CONFIGURATION[: CONFIGURATION.index("[targets.local]")]
TARGET = """
[targets.local]
kind = "archive"
url = "backups"
layout = "{layout}"
"""


def home_with(folder: Path, layout: str) -> tuple[AppHome, Path]:
    """An application whose backups somebody carried away; also the folder to carry them to."""
    home = make_app(folder / "app", ARCHIVE + TARGET.format(layout=layout))
    home.create()
    away = folder / "usb"
    away.mkdir()
    return home, away


def carried(home: AppHome, away: Path, pattern: str, *, beside: bool) -> Path:
    """A file of the archive, copied elsewhere with or without what lies beside it; the archive is lost."""
    (file,) = (home.folder / "backups").rglob(pattern)
    wanted = [one for one in file.parent.iterdir() if one.is_file()] if beside else [file]
    for one in wanted:
        shutil.copy(one, away)
    shutil.rmtree(home.folder / "backups")
    return away / file.name


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize(("layout", "pattern"), [("typed", "db_backup_*.db"), ("flat", "shop_db_*.db.gz")])
def test_a_database_that_was_copied_elsewhere(tmp_path: Path, layout: str, pattern: str, beside: bool) -> None:
    home, away = home_with(tmp_path, layout)
    orders = rows(home.folder / "data/shop.db", "orders")
    file = carried(home, away, pattern, beside=beside)
    home.damage()
    done = home.run("restore", file, "--yes")
    assert rows(home.folder / "data/shop.db", "orders") == orders
    assert ("no checksum of it is known" in done.err) is not beside
    assert (home.folder / "storage/readme.txt").read_text() == "overwritten", "only what the file holds"


def test_a_bundle_that_was_copied_elsewhere_brings_everything_back(tmp_path: Path) -> None:
    home, away = home_with(tmp_path, "bundle")
    before = home.state()
    file = carried(home, away, "backup_*.zip", beside=False)
    home.damage()
    home.run("restore", file, "--yes")
    assert home.state() == before


def test_a_folder_that_was_copied_elsewhere(tmp_path: Path) -> None:
    home, away = home_with(tmp_path, "typed")
    before = home.state()
    file = carried(home, away, "storage_backup_*.tar.gz", beside=False)
    (home.folder / "storage/readme.txt").write_text("overwritten")
    home.run("restore", file, "--yes")
    assert home.state() == before


def test_a_changed_copy_is_refused_by_its_sidecar(tmp_path: Path) -> None:
    home, away = home_with(tmp_path, "typed")
    file = carried(home, away, "db_backup_*.db", beside=True)
    before = home.state()
    with file.open("r+b") as opened:
        opened.seek(5000)
        opened.write(b"changed")
    home.run("restore", file, "--yes", status=4)
    assert home.state() == before


def test_a_plan_and_a_restore_elsewhere(tmp_path: Path) -> None:
    home, away = home_with(tmp_path, "typed")
    file = carried(home, away, "db_backup_*.db", beside=True)
    done = home.run("restore", file, "--dry-run")
    assert str(file) in done.out
    home.run("restore", file, "--to", tmp_path / "look", "--yes")
    assert len(rows(tmp_path / "look/shop.db", "orders")) == 40


def test_what_another_program_wrote(tmp_path: Path) -> None:
    home, away = home_with(tmp_path, "typed")
    orders = rows(home.folder / "data/shop.db", "orders")
    dump = subprocess.run(["sqlite3", home.folder / "data/shop.db", ".dump"], capture_output=True, check=True).stdout
    (away / "by-hand.sql").write_bytes(dump)
    home.sql("DELETE FROM orders")
    home.run("restore", "../usb/by-hand.sql", "--yes")
    assert rows(home.folder / "data/shop.db", "orders") == orders


def test_what_it_is_for_must_be_clear(tmp_path: Path) -> None:
    second = '[sources.second]\nkind = "sqlite"\npath = "data/second.db"\n'
    home = make_app(tmp_path / "app", second + ARCHIVE + TARGET.format(layout="typed"))
    shutil.copy(home.folder / "data/shop.db", tmp_path / "some.db")
    done = home.run("restore", tmp_path / "some.db", "--yes", status=1)
    assert "database" in done.err
    assert "second" in done.err
    assert "--only" in done.err
    home.run("restore", tmp_path / "some.db", "--only", "second", "--yes")
    assert len(rows(home.folder / "data/second.db", "orders")) == 40
    (tmp_path / "odd").write_bytes(b"nothing that anybody knows")
    assert "neither a database" in home.run("restore", tmp_path / "odd", "--yes", status=4).err
