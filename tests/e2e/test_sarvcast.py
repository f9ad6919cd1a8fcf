"""The guide of SarvCast: every request in it, as it stands, against `holdfast serve` over the example on MariaDB.

The answers are held to the guide's own, field by field and type by type. `{admin_token}` and `{backupId}` are filled
in, and the moment of `since` lies in the past of the test's machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest
import requests

from e2e.deployments import Machine, install, tree
from e2e.served import serving
from holdfast.errors import ArchiveNotWritten, DatabaseUnavailable, HoldfastError, NotEnoughSpace
from holdfast.server.replies import failure
from holdfast.testing.databases import DatabaseServer, mariadb_server

CREATE_FULL = """
POST /api/v1/admin/backup/create-full
Authorization: Bearer {admin_token}
"""
CREATE_INCREMENTAL = """
POST /api/v1/admin/backup/create-incremental
Authorization: Bearer {admin_token}
Content-Type: application/json

{
    "since": "2025-09-15T00:00:00Z"
}
"""
LIST = """
GET /api/v1/admin/backup/list
Authorization: Bearer {admin_token}
"""
RESTORE = """
POST /api/v1/admin/backup/restore
Authorization: Bearer {admin_token}
Content-Type: application/json

{
    "backup_id": "backup_2025_09_16_12_30_45"
}
"""
DOWNLOAD = """
GET /api/v1/admin/backup/download/{backupId}
Authorization: Bearer {admin_token}
"""
DELETE = """
DELETE /api/v1/admin/backup/{backupId}
Authorization: Bearer {admin_token}
"""
CLEANUP = """
POST /api/v1/admin/backup/cleanup
Authorization: Bearer {admin_token}
Content-Type: application/json

{
    "days_to_keep": 30
}
"""
SET_SCHEDULE = """
POST /api/v1/admin/backup/schedule
Authorization: Bearer {admin_token}
Content-Type: application/json

{
    "full_backup_frequency": "weekly",
    "incremental_backup_frequency": "daily",
    "retention_days": 30,
    "enabled": true
}
"""
READ_SCHEDULE = """
GET /api/v1/admin/backup/schedule
Authorization: Bearer {admin_token}
"""
STATS = """
GET /api/v1/admin/backup/stats
Authorization: Bearer {admin_token}
"""
FULL_ANSWER = {
    "success": True,
    "message": "پشتیبانگیری کامل با موفقیت انجام شد",
    "data": {
        "backup_id": "backup_2025_09_16_12_30_45",
        "backup_path": "backups/backup_2025_09_16_12_30_45.zip",
        "size": 15728640,
        "created_at": "2025-09-16T12:30:45Z",
        "manifest": {
            "backup_id": "backup_2025_09_16_12_30_45",
            "created_at": "2025-09-16T12:30:45Z",
            "version": "1.0",
            "components": {
                "database": {"file": "backups/backup_2025_09_16_12_30_45/database.sql", "size": 10485760},
                "image_timelines": {
                    "file": "backups/backup_2025_09_16_12_30_45/image_timelines.json", "count": 150, "size": 204800,
                },
                "story_comments": {
                    "file": "backups/backup_2025_09_16_12_30_45/story_comments.json", "count": 500, "size": 512000,
                },
                "performance_metrics": {
                    "file": "backups/backup_2025_09_16_12_30_45/performance_metrics.json", "count": 1000,
                    "size": 1024000,
                },
            },
            "total_size": 15728640,
        },
    },
}  # fmt: skip
LIST_ANSWER = {
    "success": True,
    "message": "فهرست پشتیبانها دریافت شد",
    "data": {
        "backups": [
            {
                "file": "backups/backup_2025_09_16_12_30_45.zip",
                "size": 15728640,
                "created_at": 1726488645,
                "backup_id": "backup_2025_09_16_12_30_45",
            }
        ],
        "total_count": 1,
        "total_size": 15728640,
    },
}
STATS_ANSWER = {
    "success": True,
    "message": "آمار پشتیبانها دریافت شد",
    "data": {
        "total_backups": 10,
        "total_size": 157286400,
        "oldest_backup": 1726400645,
        "newest_backup": 1726488645,
        "average_size": 15728640,
    },
}
TABLES = ("users", "stories", "episodes", "image_timelines", "story_comments", "performance_metrics")


class Panel:
    """The example on its machine with its database, and a panel that speaks to its server."""

    def __init__(self, machine: Machine, server: DatabaseServer, database: str) -> None:
        self.machine = machine
        self.server = server
        self.database = database
        self.token = machine.run("python -m holdfast token create --scope admin").out.strip()
        self.address = ""

    def send(self, written: str, *, backup: str = "", status: int = 200, **headers: str) -> requests.Response:
        """Sends a request as the guide writes it."""
        since = "2025-09-15T00:00:00Z"
        filled = written.strip().replace("{admin_token}", self.token).replace("{backupId}", backup)
        filled = filled.replace("backup_2025_09_16_12_30_45", backup) if backup else filled
        head, _, body = filled.partition("\n\n")
        first, *lines = head.splitlines()
        method, place = first.split(" ")
        given = dict(line.split(": ", 1) for line in lines)
        assert since not in body or datetime.fromisoformat(since) < datetime.now(UTC)
        answer = requests.request(
            method, f"{self.address}{place}", headers={**given, **headers}, data=body.encode(), timeout=120
        )
        assert answer.status_code == status, answer.text
        return answer

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement in the application's database."""
        server = self.server
        connection = pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, database=self.database
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()
            return list(cursor.fetchall())

    def state(self) -> dict[str, Any]:
        """All rows and all media."""
        rows = {table: self.sql(f"SELECT * FROM {table} ORDER BY id") for table in TABLES}
        return {**rows, **tree(self.machine.app / "storage/app/public")}


@contextlib.contextmanager
def panel_server(machine: Machine) -> Iterator[str]:
    """The server of the example, until the end; gives the address."""
    with serving(machine.app, "--no-schedule", env=machine.environment) as (address, _said, process):
        yield address
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) in (0, 143)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[DatabaseServer]:
    with mariadb_server() as server:
        yield server


@pytest.fixture
def panel(tmp_path: Path, mariadb: DatabaseServer, request: pytest.FixtureRequest) -> Iterator[Panel]:
    database = "sarvcast_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    with pymysql.connect(
        host=mariadb.host, port=mariadb.port, user=mariadb.user, password=mariadb.password
    ) as connection:
        connection.cursor().execute(f"CREATE DATABASE {database} CHARACTER SET utf8mb4")
    machine = install(tmp_path, "sarvcast", "srv/sarvcast")
    secret = quote(mariadb.password, safe="")
    url = f"mysql://{mariadb.user}:{secret}@{mariadb.host}:{mariadb.port}/{database}"
    machine.run(f"python generate_data.py '{url}' --comments 100 --media-kb 4")
    panel = Panel(machine, mariadb, database)
    with panel_server(machine) as panel.address:
        yield panel


def same_shape(answer: Any, sample: Any, where: str = "") -> None:
    """Every field of the guide's answer is there, with the same type; a panel may rely on nothing else."""
    if isinstance(sample, dict):
        assert isinstance(answer, dict), where
        for name, value in sample.items():
            assert name in answer, f"{where}.{name}"
            same_shape(answer[name], value, f"{where}.{name}")
    elif isinstance(sample, list):
        assert isinstance(answer, list), where
        assert answer, where
        for item in answer:
            same_shape(item, sample[0], f"{where}[]")
    else:
        assert type(answer) is type(sample), f"{where}: {answer!r}"
        if isinstance(sample, str):
            # Ids, moments and paths have the guide's form; everything that is no digit is the same.
            generic = re.sub(r"(backup_[\d_]{19})_\d+", r"\1", answer)
            assert re.sub(r"\d", "0", generic) == re.sub(r"\d", "0", sample), f"{where}: {answer!r}"


def test_full_backup_list_and_statistics_answer_as_the_guide_shows(panel: Panel) -> None:
    full = panel.send(CREATE_FULL).json()
    listed = panel.send(LIST).json()
    stats = panel.send(STATS).json()

    same_shape(full, FULL_ANSWER)
    same_shape(listed, LIST_ANSWER)
    same_shape(stats, STATS_ANSWER)
    components = full["data"]["manifest"]["components"]
    assert set(components) == {*FULL_ANSWER["data"]["manifest"]["components"], "media", "config"}  # type: ignore[index]
    assert set(components["database"]) == {"file", "size"}
    archive = panel.machine.app / full["data"]["backup_path"]
    assert full["data"]["size"] == archive.stat().st_size == listed["data"]["total_size"]
    with zipfile.ZipFile(archive) as opened:
        for name in ("image_timelines", "story_comments", "performance_metrics"):
            rows = panel.sql(f"SELECT COUNT(*) FROM {name}")[0][0]
            assert components[name]["count"] == rows
            assert opened.getinfo(f"{name}.json").file_size == components[name]["size"]
            assert f"{name}.json" == Path(components[name]["file"]).name
        assert "database.sql" in opened.namelist()
    assert full["data"]["created_at"] == datetime.fromtimestamp(
        listed["data"]["backups"][0]["created_at"], UTC
    ).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_everything_comes_back(panel: Panel) -> None:
    before = panel.state()
    backup = panel.send(CREATE_FULL).json()["data"]["backup_id"]
    panel.sql("DELETE FROM stories")
    panel.sql("UPDATE users SET name = 'گم‌شده'")
    panel.machine.run("rm -r storage/app/public/covers")

    done = panel.send(RESTORE, backup=backup).json()

    assert done["data"]["backup_id"] == backup
    assert done["data"]["verified"] is True
    assert panel.state() == before
    assert (panel.machine.app / "services.log").read_text().split()[1::2] == ["stopped", "started"]


def test_one_table_comes_back_and_the_others_stay(panel: Panel) -> None:
    backup = panel.send(CREATE_FULL).json()["data"]["backup_id"]
    comments = panel.sql("SELECT * FROM story_comments ORDER BY id")
    panel.sql("DELETE FROM story_comments")
    panel.sql("DELETE FROM performance_metrics WHERE id > 10")
    chosen = RESTORE.replace(
        '"backup_2025_09_16_12_30_45"', '"backup_2025_09_16_12_30_45", "tables": ["story_comments"]'
    )

    done = panel.send(chosen, backup=backup).json()

    assert done["data"]["rows"]["story_comments"] == len(comments)
    assert panel.sql("SELECT * FROM story_comments ORDER BY id") == comments
    assert panel.sql("SELECT COUNT(*) FROM performance_metrics") == [(10,)]


def test_an_incremental_backup_brings_deletions_back_too(panel: Panel) -> None:
    panel.send(CREATE_FULL)
    panel.sql("DELETE FROM story_comments WHERE id <= 40")
    panel.sql("UPDATE stories SET price = price + 1")
    (panel.machine.app / "storage/app/public/covers/story-3.jpg").unlink()
    before = panel.state()
    recent = CREATE_INCREMENTAL.replace("2025-09-15T00:00:00Z", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    made = panel.send(recent).json()
    same_shape(made["data"], FULL_ANSWER["data"] | {"manifest": {"version": "1.0", "components": {}}})  # type: ignore[operator]
    assert made["data"]["type"] == "incremental"
    assert made["data"]["size"] < panel.send(LIST).json()["data"]["backups"][-1]["size"]
    panel.sql("DELETE FROM episodes")
    panel.machine.run("rm -r storage/app/public/audio && touch storage/app/public/covers/new.jpg")

    panel.send(RESTORE, backup=made["data"]["backup_id"])

    assert panel.state() == before


def test_since_before_all_backups_makes_a_full_one_and_says_so(panel: Panel) -> None:
    made = panel.send(CREATE_INCREMENTAL).json()

    assert made["data"]["type"] == "full"
    assert made["data"]["warnings"]


def test_download_delete_and_cleanup(panel: Panel) -> None:
    first = panel.send(CREATE_FULL).json()["data"]
    second = panel.send(CREATE_FULL).json()["data"]["backup_id"]

    sent = panel.send(DOWNLOAD, backup=first["backup_id"])
    part = panel.send(DOWNLOAD, backup=first["backup_id"], status=206, Range="bytes=0-3")
    deleted = panel.send(DELETE, backup=first["backup_id"]).json()
    cleaned = panel.send(CLEANUP).json()

    assert sent.headers["content-type"] == "application/zip"
    assert len(sent.content) == first["size"]
    assert hashlib.sha256(sent.content).hexdigest() == sent.headers["x-checksum-sha256"]
    assert part.content == b"PK\x03\x04"
    assert deleted["success"] is True
    assert cleaned["data"]["deleted"] == []
    assert [one["backup_id"] for one in panel.send(LIST).json()["data"]["backups"]] == [second]
    assert panel.send(DOWNLOAD, backup=first["backup_id"], status=404).json()["error"]["code"] == "backup-not-found"
    assert panel.send(DELETE, backup=second, status=409).json()["error"]["code"] == "last-good-backup"


def test_the_schedule_is_kept_and_planned(panel: Panel) -> None:
    panel.send(SET_SCHEDULE)
    read = panel.send(READ_SCHEDULE).json()["data"]

    sent = json.loads(SET_SCHEDULE.partition("\n\n")[2])
    assert {name: read[name] for name in sent} == sent
    assert set(read["next_runs"]) == {"api-full", "api-incremental"}


def test_failures_come_with_their_sentence_and_remedy(panel: Panel) -> None:
    environment, backups = panel.machine.app / ".env", panel.machine.app / "backups"
    good = environment.read_text()
    environment.write_text(re.sub(r":(\d+)/", ":1/", good))
    unreachable = panel.send(CREATE_FULL, status=503).json()
    environment.write_text(good)
    shutil.rmtree(backups)
    backups.write_text("a file where the folder should be")
    unwritable = panel.send(CREATE_FULL, status=500).json()
    backups.unlink()

    assert unreachable["success"] is unwritable["success"] is False
    assert unreachable["message"].startswith("Database connection failed")
    assert "بررسی تنظیمات پایگاه داده" in unreachable["error"]["hint"]
    assert panel.send(LIST).json()["data"]["total_count"] == 0


@pytest.mark.parametrize(
    ("error", "status", "sentence", "remedy"),
    [
        (
            NotEnoughSpace(needed="15 MiB", available="2 MiB", target="local"),
            507,
            "Not enough disk space for backup",
            "پاکسازی فضا یا افزایش ظرفیت",
        ),
        (
            DatabaseUnavailable(source="database", reason="refused"),
            503,
            "Database connection failed",
            "بررسی تنظیمات پایگاه داده",
        ),
        (
            ArchiveNotWritten(what="zip", target="local", reason="refused"),
            500,
            "Cannot create zip archive",
            "بررسی مجوزهای فایل و فضای ذخیره",
        ),
    ],
)
def test_the_three_sentences_of_the_guide(error: HoldfastError, status: int, sentence: str, remedy: str) -> None:
    answer = failure(error, "fa")

    body = json.loads(bytes(answer.body))
    assert answer.status_code == status
    assert re.sub("[\u2068\u2069]", "", body["message"]).startswith(sentence)
    assert body["error"]["hint"].startswith(remedy)


def test_the_script_of_the_example_drives_all_ten(panel: Panel) -> None:
    variables = {"HOLDFAST_URL": panel.address, "ADMIN_TOKEN": panel.token, "OUT": str(panel.machine.root)}

    told = panel.machine.run("./drive_api.sh", variables=variables).out

    assert re.findall(r"^(\d+)\.", told, re.MULTILINE) == [str(number) for number in range(1, 11)]


def test_the_emergency_order_runs_as_one_command(panel: Panel) -> None:
    before = panel.state()
    panel.send(CREATE_FULL)
    panel.sql("DROP TABLE image_timelines")
    panel.machine.run("rm -r storage")

    told = panel.machine.run("python -m holdfast restore latest --yes")

    assert told.status == 0
    assert panel.state() == before
    assert (panel.machine.app / "services.log").read_text().split()[1::2] == ["stopped", "started"]


def test_nobody_but_an_administrator_is_let_in(panel: Panel) -> None:
    for written in (CREATE_FULL, CREATE_INCREMENTAL, LIST, RESTORE, DOWNLOAD, DELETE, CLEANUP, SET_SCHEDULE, STATS):
        answer = panel.send(written.replace("{admin_token}", "wrong"), backup="backup_2025_09_16_12_30_45", status=401)
        assert answer.json()["success"] is False
