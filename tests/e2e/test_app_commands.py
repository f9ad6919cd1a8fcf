"""Every documented command of an application, as real processes, over a database, tables, files and configuration."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from e2e.app_home import CONFIGURATION, FILES, TABLES, AppHome, make_app
from e2e.deployments import modes, rows, tree


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> AppHome:
    """An application with one full backup in an archive and a repository; nothing changes it."""
    home = make_app(tmp_path_factory.mktemp("original") / "shop")
    home.create()
    return home


@pytest.fixture
def home(original: AppHome, tmp_path: Path) -> AppHome:
    """A copy of that application, to do anything with."""
    shutil.copytree(original.folder, tmp_path / "shop", symlinks=True)
    return AppHome(tmp_path / "shop")


@pytest.fixture
def fresh(tmp_path: Path) -> AppHome:
    """An application without backups."""
    return make_app(tmp_path / "shop")


# --- making and looking ----------------------------------------------------------------------------


def test_create_says_what_it_made_and_where(fresh: AppHome) -> None:
    said = fresh.run("create")
    assert "database: 1 file, " in said.out
    assert "storage: 3 files, " in said.out
    assert "Backup backup_" in said.out
    assert said.err == ""
    [backup_id] = fresh.ids()
    assert backup_id in said.out
    # A line a night from cron is a mail a night that nobody reads.
    assert fresh.run("create", "--quiet").out == ""
    assert len(fresh.ids()) == 2


def test_create_as_json(fresh: AppHome) -> None:
    summary = fresh.run("create", "--json").summary()
    assert summary["type"] == "full"
    assert summary["outcome"] == "complete"
    assert [copy["target"] for copy in summary["copies"]] == ["local", "offsite"]
    assert {component["name"]: component["role"] for component in summary["components"]} == {
        "database": "database", "storage": "storage", "config": "config", "comments": "tables",
    }  # fmt: skip
    counted = {component["name"]: component["rows"] for component in summary["components"]}
    assert counted["database"] == {"customers": 40, "comments": 30, "orders": 40}
    assert counted["comments"] == {"customers": 40, "comments": 30}


@pytest.mark.parametrize(
    ("arguments", "components"),
    [
        (["--type", "database"], ["database"]),
        (["--type", "storage"], ["storage"]),
        (["--type", "config"], ["config"]),
        (["--source", "config", "--source", "storage"], ["storage", "config"]),
    ],
)
def test_create_a_part(fresh: AppHome, arguments: list[str], components: list[str]) -> None:
    summary = fresh.run("create", "--json", *arguments).summary()
    assert sorted(component["name"] for component in summary["components"]) == sorted(components)


def test_create_in_one_target(fresh: AppHome) -> None:
    backup_id = fresh.create("--target", "offsite")
    assert fresh.ids("--target", "offsite") == [backup_id]
    assert fresh.ids("--target", "local") == []


def test_a_dry_run_writes_nothing(fresh: AppHome) -> None:
    said = fresh.run("create", "--dry-run", "--target", "local")
    assert said.out.startswith("Would back up ")
    assert not (fresh.folder / "backups/full").exists()
    fresh.create()
    before = tree(fresh.folder / "offsite")
    fresh.run("create", "--dry-run")
    assert tree(fresh.folder / "offsite") == before


def test_without_compression(fresh: AppHome) -> None:
    fresh.create("--no-compress", "--target", "local")
    assert [path.suffix for path in (fresh.folder / "backups/storage").iterdir() if path.suffix != ".json"] == [".tar"]


def test_list_show_stats(home: AppHome) -> None:
    first = home.ids()[0]
    second = home.create("--type", "database")
    listed = home.run("list")
    lines = [line.split() for line in listed.out.splitlines() if line.startswith("backup_")]
    assert [line[0] for line in lines] == [second, first]
    assert listed.out.endswith("2 backups\n")
    assert home.ids("--type", "database") == [second]
    shown = home.run("show", first).out
    for wanted in (first, "database", "storage", "comments", "local", "offsite", "backups/full/full_backup_"):
        assert wanted in shown, wanted
    document = home.run("show", "latest", "--json").json()
    assert document["backup_id"] == second
    stats = home.run("stats", "--json").json()
    assert {kind: number for kind, number in stats["by_type"].items() if number} == {"full": 1, "database": 1}
    assert "Backups: " in home.run("stats").out


def test_checksums_shown_are_those_of_the_files(home: AppHome) -> None:
    manifest = home.run("show", "latest", "--json").json()["copies"][0]["manifest"]
    files = [file for component in manifest["components"].values() for file in component["files"]]
    assert len(files) >= 5
    for file in files:
        stored = (home.folder / "backups" / file["name"]).read_bytes()
        assert (file["size_bytes"], file["sha256"]) == (len(stored), hashlib.sha256(stored).hexdigest())


def test_a_list_may_be_cut(home: AppHome) -> None:
    command = f"set -o pipefail; {sys.executable} -m holdfast list | head -c 1"
    cut = subprocess.run(
        ["bash", "-c", command], cwd=home.folder, env=home.environment(), capture_output=True, text=True, check=False
    )
    assert (cut.stdout, cut.stderr) == ("I", "")


def test_verify(home: AppHome) -> None:
    home.create("--type", "database")
    said = home.run("verify", "latest")
    assert said.out.count("Whole: ") == 2
    summary = home.run("verify", "--all", "--json").summary()
    assert len(summary["copies"]) == 4
    home.run("verify", status=2)
    home.run("verify", "latest", "--all", status=2)


def test_verify_finds_damage_and_a_restore_takes_the_other_copy(home: AppHome) -> None:
    before = home.state()
    [stored] = (home.folder / "backups/database").glob("*.db")
    content = bytearray(stored.read_bytes())
    content[-100] ^= 1
    stored.write_bytes(content)
    damaged = home.run("verify", "latest", status=4)
    assert "Damaged: " in damaged.out
    assert "local" in damaged.out
    assert "damaged" in home.run("list").out
    home.damage()
    refused = home.run("restore", "latest", "--from", "local", "--yes", status=4)
    assert "Error: " in refused.err
    home.run("restore", "latest", "--yes")
    assert home.state() == before


def test_status(fresh: AppHome) -> None:
    fresh.create_in_the_past(2)
    late = fresh.run("status", "--max-age", "24h", status=5)
    assert late.out.count("too old") == 4
    assert fresh.run("status", "--max-age", "3d").out.count("fresh") == 4
    document = fresh.run("status", "--json", "--source", "database").json()
    assert [source["source"] for source in document["sources"]] == ["database"]
    fresh.run("status", "--max-age", "soon", status=2)


# --- restoring -------------------------------------------------------------------------------------


def test_restore_everything_and_undo(home: AppHome) -> None:
    before = home.state()
    home.damage()
    damaged = home.state()
    summary = home.run("restore", "latest", "--yes", "--json").summary()
    assert home.state() == before
    assert summary["verified"] is True
    copies = [copy for one in summary["components"] if one["load"] for copy in one["load"]["safety_copies"]]
    kept = {Path(copy).name.partition(".before-restore-")[0]: Path(copy) for copy in copies}
    assert rows(kept["shop.db"], "customers") == damaged["customers"]
    assert tree(kept["storage"])["readme.txt"] == b"overwritten"


def test_restore_shows_a_plan_and_asks(home: AppHome) -> None:
    home.damage()
    damaged = home.state()
    planned = home.run("restore", "latest", "--dry-run")
    assert "database -> " in planned.out
    assert "which stays as " in planned.out
    assert home.state() == damaged
    needed = home.run("restore", "latest", "--json", status=2)
    assert json.loads(needed.err.splitlines()[-1])["code"] == "confirmation-needed"
    assert home.state() == damaged


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_a_person_is_asked_on_a_terminal(home: AppHome, answer: bytes, status: int) -> None:
    before = home.state()
    home.damage()
    damaged = home.state()
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "holdfast", "restore", "latest"]
    with subprocess.Popen(
        command, cwd=home.folder, env=home.environment(), stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(controller, 4096)
        os.write(controller, answer)
        while True:
            try:
                said += os.read(controller, 4096)
            except OSError:
                break
    os.close(controller)
    assert process.returncode == status, said.decode()
    assert home.state() == (before if status == 0 else damaged)


def test_restore_one_component(home: AppHome) -> None:
    before = home.state()
    home.damage()
    damaged = home.state()
    home.run("restore", "latest", "--only", "storage", "--yes")
    left_alone = (*TABLES, *FILES)
    assert home.state() == {name: (damaged if name in left_alone else before)[name] for name in before}


def test_restore_one_table(home: AppHome) -> None:
    before = home.state()
    home.sql("DELETE FROM comments")
    home.sql("UPDATE orders SET total = 0")
    home.run("restore", "latest", "--only", "comments", "--table", "comments", "--yes")
    after = home.state()
    assert after["comments"] == before["comments"]
    assert {row[2] for row in after["orders"]} == {0}


def test_restore_one_path(home: AppHome) -> None:
    before = home.state()
    home.damage()
    home.run("restore", "latest", "--only", "storage", "--path", "storage/pictures", "--yes")
    after = home.state()
    assert after["pictures/one.jpg"] == before["pictures/one.jpg"]
    assert after["readme.txt"] == b"overwritten"


def test_restore_elsewhere(home: AppHome, tmp_path: Path) -> None:
    before = home.state()
    home.damage()
    damaged = home.state()
    parts = [word for name in ("database", "storage", "config") for word in ("--only", name)]
    home.run("restore", "latest", "--to", tmp_path / "copy", *parts, "--yes")
    assert home.state() == damaged
    found = tree(tmp_path / "copy")
    assert any(name.endswith("readme.txt") and content == "Привет\n".encode() for name, content in found.items())
    [database] = [tmp_path / "copy" / name for name in found if name.endswith("shop.db")]
    assert {table: rows(database, table) for table in TABLES} == {table: before[table] for table in TABLES}


def test_restore_as_of_a_time(fresh: AppHome) -> None:
    home = fresh
    states = {}
    for days in (5, 3, 1):
        home.sql(f"UPDATE customers SET name = 'as of {days} days ago'")
        states[days] = home.state()
        home.create_in_the_past(days)
    home.run("restore", "latest", "--at", "2d", "--yes")
    assert home.state() == states[3]
    home.run("restore", "latest", "--at", "4d12h", "--yes")
    assert home.state() == states[5]
    home.run("restore", "latest", "--yes")
    assert home.state() == states[1]
    assert home.run("restore", "latest", "--at", "30d", "--yes", status=1).err
    home.run("restore", "latest", "--at", "yesterday", "--yes", status=2)
    home.run("restore", home.ids()[0], "--at", "2d", "--yes", status=2)


def test_restore_by_the_path_of_a_file(home: AppHome) -> None:
    before = home.state()
    home.damage()
    [stored] = (home.folder / "backups/database").glob("*.db")
    home.run("restore", stored.relative_to(home.folder), "--yes")
    after = home.state()
    assert {table: after[table] for table in TABLES} == {table: before[table] for table in TABLES}
    assert after["readme.txt"] == b"overwritten"


@pytest.mark.parametrize("target", ["local", "offsite"])
def test_restore_from_either_target_alone(home: AppHome, target: str) -> None:
    before = home.state()
    home.damage()
    other = {"local": "offsite", "offsite": "backups"}[target]
    shutil.rmtree(home.folder / other)
    home.run("restore", "latest", "--from", target, "--yes")
    assert home.state() == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["backup_2001_01_01_00_00_00"], "backup-not-found"),
        (["nonsense!"], "backup-id-invalid"),
        (["latest", "--only", "nothing"], "unknown-name"),
        (["latest", "--from", "nowhere"], "unknown-name"),
        (["latest", "--table", "nothing", "--only", "comments"], "unknown-name"),
    ],
)
def test_what_is_not_there_is_not_restored(home: AppHome, arguments: list[str], code: str) -> None:
    before = home.state()
    status = 1 if code == "backup-not-found" else 2
    refused = home.run("restore", *arguments, "--yes", "--json", status=status)
    assert json.loads(refused.err.splitlines()[-1])["code"] == code
    assert home.state() == before


# --- incremental -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["local", "offsite"])
def test_an_incremental_backup_is_exact(home: AppHome, target: str) -> None:
    home.sql("DELETE FROM comments WHERE id > 20")
    home.sql("UPDATE customers SET name = 'новое имя' WHERE id = 7")
    home.sql("INSERT INTO orders VALUES (99, 7, 0.5)")
    (home.folder / "storage/pictures/two.jpg").unlink()
    (home.folder / "storage/new.txt").write_text("new")
    before = home.state()
    summary = home.run("create", "--type", "incremental", "--json").summary()
    assert summary["type"] == "incremental"
    home.damage()
    home.sql("DELETE FROM comments")
    home.run("restore", "latest", "--from", target, "--yes")
    assert home.state() == before


def test_the_first_incremental_backup_is_a_full_one_and_says_so(fresh: AppHome) -> None:
    said = fresh.run("create", "--type", "incremental")
    assert "nothing to build on" in said.err
    assert fresh.run("create", "--type", "incremental", "--json").summary()["type"] == "incremental"
    fresh.run("create", "--type", "incremental", "--since", "2020-01-01", status=2)


def test_since_goes_with_incremental(home: AppHome) -> None:
    home.run("create", "--since", "2d", status=2)
    home.run("create", "--type", "incremental", "--since", "whenever", status=2)


# --- keeping and deleting --------------------------------------------------------------------------


def test_rotate_hold_release_delete(fresh: AppHome) -> None:
    ids = [fresh.create_in_the_past(days) for days in (6, 5, 4, 3)]
    fresh.run("hold", ids[0], "--reason", "before the migration")
    assert "held" in fresh.run("list").out
    assert "before the migration" in fresh.run("show", ids[0]).out
    planned = fresh.run("rotate", "--max-backups", "1", "--dry-run")
    assert "held: before the migration" in planned.out
    assert "2 backups would be removed." in planned.out
    assert len(fresh.ids()) == 4
    fresh.run("rotate", "--max-backups", "1", status=2)
    fresh.run("rotate", "--max-backups", "1", "--yes")
    assert fresh.ids() == [ids[3], ids[0]]
    assert fresh.ids("--target", "offsite") == [ids[3], ids[0]]
    refused = fresh.run("delete", ids[0], "--yes", status=2)
    assert "is held" in refused.err
    fresh.run("release", ids[0])
    fresh.run("delete", ids[0], status=2)
    assert "removed" in fresh.run("delete", ids[0], "--yes").out
    assert fresh.ids() == [ids[3]]
    assert not [name for name in tree(fresh.folder / "backups") if ids[0].replace("_", "")[6:14] in name]


def test_rotate_by_the_rules_of_the_configuration(fresh: AppHome) -> None:
    ids = [fresh.create_in_the_past(days) for days in (6, 5, 4, 3, 2)]
    document = fresh.run("rotate", "--yes", "--json").json()
    assert {result["target"]: len(result["removed"]) for result in document["results"]} == {"local": 2, "offsite": 2}
    assert fresh.ids() == ids[:1:-1]


def test_cleanup(fresh: AppHome) -> None:
    ids = [fresh.create_in_the_past(days) for days in (20, 8, 6)]
    assert "2 backups would be removed." in fresh.run("cleanup", "7", "--dry-run").out
    fresh.run("cleanup", "7", "--yes")
    assert fresh.ids() == [ids[2]]
    fresh.run("cleanup", "0", "--yes", status=2)


def test_create_applies_the_rules_afterwards(fresh: AppHome) -> None:
    ids = [fresh.create_in_the_past(days) for days in (6, 5, 4)]
    newest = fresh.create()
    assert fresh.ids() == [newest, ids[2], ids[1]]


# --- taking away, looking after --------------------------------------------------------------------


def test_export(home: AppHome, tmp_path: Path) -> None:
    said = home.run("export", "latest", "-o", tmp_path / "one.zip")
    digest = hashlib.sha256((tmp_path / "one.zip").read_bytes()).hexdigest()
    assert f"{digest}  {tmp_path / 'one.zip'}" in said.out
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert "manifest.json" in [Path(name).name for name in archive.namelist()]
    assert (tmp_path / "one.zip").stat().st_mode & 0o777 == 0o600
    home.run("export", "latest", "--from", "offsite", cwd=home.folder)
    assert len(list(home.folder.glob("backup_*.zip"))) == 1


def test_doctor(home: AppHome) -> None:
    well = home.run("doctor")
    assert "0 things must be put right." in well.out
    (home.folder / "data/shop.db").rename(home.folder / "data/gone.db")
    ill = home.run("doctor", "--json", status=1).json()
    assert ill["healthy"] is False
    assert any(finding["level"] == "error" and "database" in finding["subject"] for finding in ill["findings"])


def test_one_target_gone_is_no_success(home: AppHome) -> None:
    shutil.rmtree(home.folder / "offsite")
    (home.folder / "offsite").write_text("a file where the repository was")
    partly = home.run("create", status=3)
    assert "offsite" in partly.err
    assert "local" in partly.out
    assert len(home.ids("--target", "local")) == 2


def test_permissions(home: AppHome) -> None:
    for name in ("backups", ".holdfast"):
        found = modes(home.folder / name)
        assert {mode for one, mode in found.items() if (home.folder / name / one).is_dir()} == {"700"}
        assert {mode for one, mode in found.items() if (home.folder / name / one).is_file()} <= {"600"}


def test_the_password_is_nowhere(home: AppHome) -> None:
    home.run("create", "--verbose")
    for name in ("backups", ".holdfast"):
        assert not [one for one, content in tree(home.folder / name).items() if b"geheim" in content]


# --- how it speaks ---------------------------------------------------------------------------------


def test_messages_in_the_language_of_the_configuration(home: AppHome) -> None:
    config = home.folder / "holdfast.toml"
    config.write_text(CONFIGURATION.replace('timezone = "UTC"', 'timezone = "UTC"\nlanguage = "ru"'))
    refused = home.run("restore", "backup_2001_01_01_00_00_00", "--yes", status=1)
    assert refused.err.startswith("Ошибка:")
    assert home.run("restore", "backup_2001_01_01_00_00_00", "--lang", "en", status=1).err.startswith("Error:")
    home.variables["HOLDFAST_LANG"] = "tr"
    assert home.run("restore", "backup_2001_01_01_00_00_00", status=1).err.startswith("Hata:")


def test_found_from_a_folder_below_and_by_option_and_by_variable(home: AppHome, tmp_path: Path) -> None:
    [backup_id] = home.ids()
    assert backup_id in home.run("list", cwd=home.folder / "storage/pictures").out
    assert backup_id in home.run("list", "--config", home.folder / "holdfast.toml", cwd=tmp_path).out
    assert home.run("list", cwd=tmp_path, status=2).err.startswith("Error: there is no holdfast.toml")
    home.variables["HOLDFAST_CONFIG"] = str(home.folder / "holdfast.toml")
    assert backup_id in home.run("list", cwd=tmp_path).out


def test_times_are_those_of_the_application(home: AppHome) -> None:
    config = home.folder / "holdfast.toml"
    utc = home.run("list", "--json").json()["backups"][0]["created_at"]
    config.write_text(CONFIGURATION.replace('timezone = "UTC"', 'timezone = "Asia/Tehran"'))
    line = next(line for line in home.run("list").out.splitlines() if line.startswith("backup_"))
    assert line.split()[2][3:5] == f"{(int(utc[14:16]) + 30) % 60:02}", "half an hour beside UTC"


def test_two_runs_at_once(home: AppHome) -> None:
    lock = home.folder / ".holdfast/run.lock"
    holder = subprocess.Popen(
        ["flock", "--exclusive", str(lock), "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    busy = home.run("create", "--json", status=11)
    assert json.loads(busy.err.splitlines()[-1])["code"] == "app-busy"
    holder.communicate("\n")
    home.create()


def test_a_database_is_whole_after_a_restore_under_its_own_name(home: AppHome) -> None:
    home.sql("DELETE FROM customers")
    home.run("restore", "latest", "--only", "database", "--yes")
    with sqlite3.connect(home.folder / "data/shop.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
