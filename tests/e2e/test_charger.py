"""The document of the Charger API: every command line of it, run as it stands in a copy of the example.

Where the document says `YYYYMMDD_HHMMSS`, `/home/basar/charger` or `/etc/systemd`, the test has the time of a backup it
made and folders of its own.
"""

from __future__ import annotations

import gzip
import re
import sqlite3
import subprocess
import tarfile
from pathlib import Path

import pytest

from e2e.deployments import STAMP, Machine, back_up_in_the_past, install, modes, rows, tree
from holdfast.policy.cron import schedule_problem

TABLES = ("stations", "tariffs", "sessions")


def make_station(root: Path) -> Machine:
    """The station's machine, with some data."""
    machine = install(root, "charger", "home/basar/charger")
    machine.placeholders = {"/home/basar/charger": str(machine.app)}
    machine.run("python3 generate_data.py --sessions 300")
    interpreter = machine.app / "env/bin/python3"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(machine.root / "bin/python3")
    (machine.app / "logs").mkdir()
    return machine


@pytest.fixture
def station(tmp_path: Path) -> Machine:
    """A machine without backups."""
    return make_station(tmp_path)


@pytest.fixture
def backed_up(station: Machine) -> Machine:
    """A machine with one backup; the document's `YYYYMMDD_HHMMSS` is its stamp."""
    station.run("python3 scripts/backup_manager.py")
    name_the_backup(station)
    return station


def name_the_backup(machine: Machine) -> str:
    """From now on `YYYYMMDD_HHMMSS` is the stamp of the newest manifest."""
    stamp = STAMP.findall(machine.names("manifest_*.json")[-1])[0]
    machine.placeholders["YYYYMMDD_HHMMSS"] = stamp
    return stamp


# --- the script ------------------------------------------------------------------------------------


def test_all_backups(station: Machine) -> None:
    said = station.run("python3 scripts/backup_manager.py")
    assert said.out.startswith("Yedek alındı: backup_")
    assert said.err == ""
    stamp = name_the_backup(station)
    visible = sorted(name for name in tree(station.backups) if not name.startswith("."))
    assert visible == sorted(
        ["backup.log", f"config_{stamp}.tar.gz", f"manifest_{stamp}.json", f"sessions_db_{stamp}.db.gz"]
    )
    manifest = (station.backups / f"manifest_{stamp}.json").read_text()
    for wanted in (stamp, f"sessions_db_{stamp}.db.gz", f"config_{stamp}.tar.gz", "complete"):
        assert wanted in manifest


def test_the_copy_is_clean_and_holds_what_is_in_the_log(station: Machine) -> None:
    live = sqlite3.connect(station.app / "data/sessions.db")
    live.execute("PRAGMA wal_autocheckpoint = 0")
    live.execute("INSERT INTO tariffs (name, price_per_kwh, valid_from) VALUES ('Öğle', 7.25, '2025-01-01')")
    live.commit()
    assert (station.app / "data/sessions.db-wal").stat().st_size > 0
    station.run("python3 scripts/backup_manager.py --database-only")
    live.close()
    [name] = station.names("sessions_db_*.db.gz")
    copy = station.root / "copy.db"
    copy.write_bytes(gzip.decompress((station.backups / name).read_bytes()))
    assert "Öğle" in [row[1] for row in rows(copy, "tariffs")]
    assert not [name for name in tree(station.backups) if "wal" in name or "shm" in name]


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("python3 scripts/backup_manager.py --database-only", ["manifest", "sessions_db"]),
        ("python3 scripts/backup_manager.py --config-only", ["config", "manifest"]),
    ],
)
def test_only_a_part(station: Machine, command: str, made: list[str]) -> None:
    station.run(command)
    assert [name.split("_2")[0] for name in station.names("*_2*")] == made


def test_list(station: Machine) -> None:
    assert station.run("python3 scripts/backup_manager.py --list").out == "Henüz yedek yok\n"
    station.run("python3 scripts/backup_manager.py")
    stamp = name_the_backup(station)
    listed = station.run("python3 scripts/backup_manager.py --list").out
    for name in (f"backups/sessions_db_{stamp}.db.gz", f"backups/config_{stamp}.tar.gz"):
        assert name in listed
    assert "Toplam: 1 yedek" in listed


def test_cleanup_by_age(station: Machine) -> None:
    for days in (30, 8, 6):
        back_up_in_the_past(station, days=days)
    said = station.run("python3 scripts/backup_manager.py --cleanup 7").out
    assert "7 günden eski 2 yedek silindi" in said
    assert [len(station.names(names)) for names in ("manifest_*", "config_*", "sessions_db_*")] == [1, 1, 1]
    station.run("python3 scripts/backup_manager.py --cleanup 1")
    assert len(station.names("manifest_*.json")) == 1, "the newest stays, however old it is"


def test_without_compression(station: Machine) -> None:
    station.run("python3 scripts/backup_manager.py --no-compress")
    [name] = station.names("sessions_db_*")
    assert name.endswith(".db")
    assert (station.backups / name).read_bytes().startswith(b"SQLite format 3\0")
    assert len(station.names("config_*.tar.gz")) == 1


def test_another_folder(station: Machine) -> None:
    station.run("python3 scripts/backup_manager.py --backup-dir elsewhere")
    assert len(list((station.app / "elsewhere").glob("manifest_*.json"))) == 1
    assert not station.backups.exists()
    assert "Toplam: 1 yedek" in station.run("python3 scripts/backup_manager.py --backup-dir elsewhere --list").out


def test_options_are_refused_in_turn(station: Machine) -> None:
    station.run("python3 scripts/backup_manager.py --database-only --config-only", status=2)
    station.run("python3 scripts/backup_manager.py --cleanup", status=2)
    assert not station.backups.exists()


@pytest.mark.parametrize("missing", [".env", "data/station_info.json"])
def test_a_missing_file_is_a_warning(station: Machine, missing: str) -> None:
    (station.app / missing).unlink()
    done = station.run("python3 scripts/backup_manager.py")
    assert done.err.startswith("UYARI: ")
    assert missing in done.err
    with tarfile.open(station.backups / station.names("config_*.tar.gz")[0]) as archive:
        kept = {".env", "data/station_info.json"} - {missing}
        assert {member.name for member in archive if member.isfile()} == kept
    assert missing in station.run("grep WARNING backups/backup.log").out
    station.run("python3 scripts/backup_manager.py --cleanup 7")


def test_a_failure_is_one(station: Machine) -> None:
    (station.app / "data/sessions.db").write_bytes(b"not a database at all")
    failed = station.run("python3 scripts/backup_manager.py", status=1)
    assert failed.err.startswith("HATA: ")
    assert station.names("manifest_*") == []
    assert station.run("grep -c ERROR backups/backup.log").out.strip() != "0"


def test_the_script_is_a_library(station: Machine) -> None:
    program = (
        "import sys; sys.path.insert(0, 'scripts'); import backup_manager\n"
        "with backup_manager.make_manager() as manager:\n"
        "    backup_manager.backup(manager, 'config')\n"
        "    print(len(manager.list_backups('all')))\n"
    )
    assert station.run("python3 -", stdin=program).out.endswith("\n1\n")


# --- systemd ---------------------------------------------------------------------------------------

INSTALL = """
sudo cp scripts/backup.service /etc/systemd/system/
sudo cp scripts/backup.timer /etc/systemd/system/
"""
ENABLE = """
sudo systemctl daemon-reload
sudo systemctl enable backup.timer
sudo systemctl start backup.timer
"""
LOOK = """
sudo systemctl status backup.timer
sudo systemctl list-timers backup.timer
"""
BY_HAND = """
sudo systemctl start backup.service
"""
JOURNAL = """
sudo journalctl -u backup.service --since "1 hour ago"
sudo journalctl -u backup.service -n 50
"""


def test_systemd(station: Machine) -> None:
    station.run(f"set -e\n{INSTALL}{ENABLE}{LOOK}{BY_HAND}")
    assert station.asked("systemctl") == [
        "daemon-reload",
        "enable backup.timer",
        "start backup.timer",
        "status backup.timer",
        "list-timers backup.timer",
        "start backup.service",
    ]
    assert [len(station.names(names)) for names in ("manifest_*", "config_*", "sessions_db_*")] == [1, 1, 1]
    assert "Yedek alındı: backup_" in station.follow("sudo journalctl -u backup.service -f", "Yedek")
    station.run(f"set -e\n{JOURNAL}")
    assert station.asked("journalctl")[-1] == "-u backup.service -n 50"


def test_units_are_what_systemd_wants(station: Machine) -> None:
    """The account and the folder of the document are not on this machine: nothing else may be complained about."""
    account = {"User=basar": "User=root", "Group=basar": "Group=root"}
    for name in ("backup.service", "backup.timer"):
        text = (station.app / "scripts" / name).read_text().replace("/home/basar/charger", str(station.app))
        for theirs, ours in account.items():
            assert name.endswith(".timer") or theirs in text
            text = text.replace(theirs, ours)
        (station.root / "etc/systemd/system" / name).write_text(text)
    units = [str(station.root / "etc/systemd/system" / name) for name in ("backup.service", "backup.timer")]
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    timer = (station.app / "scripts/backup.timer").read_text()
    calendar = re.search(r"OnCalendar=(.*)", timer)
    assert calendar is not None
    normal = subprocess.run(["systemd-analyze", "calendar", calendar[1]], capture_output=True, text=True, check=True)
    assert "*-*-* 02:00:00" in normal.stdout
    assert "Persistent=true" in timer


def test_the_unit_keeps_the_backup_to_itself(station: Machine) -> None:
    unit = str(station.app / "scripts/backup.service")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


def test_cron(station: Machine) -> None:
    line = (
        "0 2 * * * cd /home/basar/charger && /home/basar/charger/env/bin/python3 "
        "/home/basar/charger/scripts/backup_manager.py >> /home/basar/charger/logs/backup.log 2>&1"
    )
    station.run("crontab -e")
    schedule, command = " ".join(line.split()[:5]), line.split(None, 5)[5]
    assert (schedule, schedule_problem(schedule)) == ("0 2 * * *", None)
    station.run(command, cwd=station.root)
    assert "Yedek alındı" in (station.app / "logs/backup.log").read_text()
    assert len(station.names("manifest_*")) == 1


# --- restoring -------------------------------------------------------------------------------------


def damage(machine: Machine) -> None:
    """Somebody deletes the sessions and overwrites the station's file."""
    with sqlite3.connect(machine.app / "data/sessions.db") as connection:
        connection.execute("DELETE FROM sessions")
    connection.close()
    (machine.app / "data/station_info.json").write_text("{}")


def state(machine: Machine) -> dict[str, object]:
    """All rows and configuration files."""
    files = {name: (machine.app / name).read_bytes() for name in (".env", "data/station_info.json")}
    return {**{table: rows(machine.app / "data/sessions.db", table) for table in TABLES}, **files}


def test_restoring_by_hand(backed_up: Machine) -> None:
    before = state(backed_up)
    damage(backed_up)
    backed_up.run("gunzip backups/sessions_db_YYYYMMDD_HHMMSS.db.gz")
    backed_up.run("cp backups/sessions_db_YYYYMMDD_HHMMSS.db data/sessions.db")
    # People keep the former files under these names before they unpack; the names lead back to them.
    backed_up.run("cp .env .env.backup && cp data/station_info.json station_info.json.backup")
    backed_up.run("tar -xzf backups/config_YYYYMMDD_HHMMSS.tar.gz")
    assert state(backed_up) == before
    backed_up.run("cp .env.backup .env")
    backed_up.run("cp station_info.json.backup data/station_info.json")
    assert (backed_up.app / "data/station_info.json").read_text() == "{}"
    backed_up.run("python3 scripts/backup_manager.py")
    assert "Toplam: 2 yedek" in backed_up.run("python3 scripts/backup_manager.py --list").out


def test_the_shell_does_not_read_a_database_as_sql(backed_up: Machine) -> None:
    """The document offers this for a backup that is a database file, where it cannot work; for SQL text it does."""
    backed_up.run("gunzip backups/sessions_db_YYYYMMDD_HHMMSS.db.gz")
    before = state(backed_up)
    refused = backed_up.run("sqlite3 data/sessions.db < backups/sessions_db_YYYYMMDD_HHMMSS.db", status=1)
    assert "error" in refused.err.lower()
    assert state(backed_up) == before
    backed_up.run("sqlite3 backups/sessions_db_YYYYMMDD_HHMMSS.db .dump > dump.sql")
    (backed_up.app / "data/sessions.db").unlink()
    backed_up.run("sqlite3 data/sessions.db < dump.sql")
    assert state(backed_up) == before


def test_restoring_with_the_program(backed_up: Machine) -> None:
    before = state(backed_up)
    damage(backed_up)
    (backed_up.app / ".env").unlink()
    backed_up.run("python3 -m holdfast restore latest --yes")
    assert state(backed_up) == before


# --- watching --------------------------------------------------------------------------------------


def test_watching(backed_up: Machine) -> None:
    assert "Toplam: 1 yedek" in backed_up.run("python3 scripts/backup_manager.py --list").out
    listed = backed_up.run("ls -lh backups/").out
    assert re.search(r"-rw------- .* sessions_db_", listed)
    assert backed_up.run("df -h").out
    assert backed_up.run("ls -ld backups/").out.startswith("drwx------ ")
    found = modes(backed_up.backups)
    assert {mode for name, mode in found.items() if (backed_up.backups / name).is_file()} == {"600"}


def test_backups_stay_out_of_git(backed_up: Machine) -> None:
    backed_up.run("git init --quiet . && git add --all")
    names = backed_up.run("git ls-files").out.split()
    assert "scripts/backup_manager.py" in names
    assert not [name for name in names if name.startswith(("backups", ".holdfast", ".env", "data"))]


def test_the_service_works(station: Machine) -> None:
    program = (
        "import json, charger\n"
        "statuses = []\n"
        "for path in ('/health', '/station', '/sessions', '/none'):\n"
        "    body = charger.application({'PATH_INFO': path}, lambda status, _headers: statuses.append(status))\n"
        "    print(b''.join(body).decode())\n"
        "connection = charger.connect()\n"
        "print(charger.start(connection, 'TR-34-001', 'Çiğdem Işık', '34 ABC 34'))\n"
        "connection.close()\n"
        "assert [status[:3] for status in statuses] == ['200', '200', '200', '404'], statuses\n"
    )
    said = station.run("python3 -", stdin=program).out
    assert "Kadıköy İskele" in said
    assert said.endswith("\n301\n")
