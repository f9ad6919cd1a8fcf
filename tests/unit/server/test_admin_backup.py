"""The routes of an admin panel, against a real application on SQLite; the guide's own requests are in the e2e suite."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import zipfile
from contextlib import closing

import msgspec

from holdfast.config.model import Config
from holdfast.model.run import RunState
from holdfast.runtime.clock import SystemClock
from holdfast.service.schedule_settings import ScheduleSettings

from .conftest import Bed, rows

ADMIN = "/api/v1/admin/backup"


def test_full_backup_answers_field_by_field(bed: Bed) -> None:
    answer = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers("backup"))

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    assert body["message"] == "پشتیبانگیری کامل با موفقیت انجام شد"
    data = body["data"]
    backup_id = data["backup_id"]
    assert re.fullmatch(r"backup_\d{4}(_\d\d){5}", backup_id)
    assert data["backup_path"] == f"backups/{backup_id}.zip"
    path = bed.folder / data["backup_path"]
    assert data["size"] == path.stat().st_size == data["manifest"]["total_size"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["created_at"])
    components = data["manifest"]["components"]
    assert components["database"]["file"] == f"backups/{backup_id}/database.sql"
    assert "count" not in components["database"]
    assert components["comments"]["count"] == 30
    assert components["comments"]["file"] == f"backups/{backup_id}/comments.json"
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("comments.json").file_size == components["comments"]["size"]


def test_list_and_stats_count_what_is_there(bed: Bed) -> None:
    made = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers()).json()["data"]

    listed = bed.client.get(f"{ADMIN}/list", headers=bed.headers("read")).json()
    stats = bed.client.get(f"{ADMIN}/stats", headers=bed.headers("read")).json()

    assert listed["message"] == "فهرست پشتیبانها دریافت شد"
    (entry,) = listed["data"]["backups"]
    assert entry["file"] == made["backup_path"]
    assert type(entry["created_at"]) is int
    assert listed["data"]["total_count"] == 1
    assert listed["data"]["total_size"] == made["size"]
    assert stats["message"] == "آمار پشتیبانها دریافت شد"
    assert stats["data"] == {
        "total_backups": 1,
        "total_size": made["size"],
        "oldest_backup": entry["created_at"],
        "newest_backup": entry["created_at"],
        "average_size": made["size"],
    }


def test_empty_list_has_no_moments(bed: Bed) -> None:
    stats = bed.client.get(f"{ADMIN}/stats", headers=bed.headers("read")).json()["data"]

    assert stats["oldest_backup"] is None
    assert stats["total_backups"] == 0


def test_incremental_backup_takes_deletions_back(bed: Bed) -> None:
    bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())
    with closing(sqlite3.connect(bed.folder / "shop.db")) as database, database:
        database.execute("DELETE FROM orders WHERE id <= 40")
        database.execute("UPDATE orders SET item = 'changed' WHERE id = 50")
    made = bed.client.post(f"{ADMIN}/create-incremental", headers=bed.headers(), json={})
    assert made.status_code == 200, made.text
    with closing(sqlite3.connect(bed.folder / "shop.db")) as database, database:
        database.execute("DELETE FROM orders")

    answer = bed.client.post(
        f"{ADMIN}/restore", headers=bed.headers("restore"), json={"backup_id": made.json()["data"]["backup_id"]}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["verified"] is True
    assert rows(bed.folder, "orders") == 60


def test_since_in_the_future_is_refused(bed: Bed) -> None:
    answer = bed.client.post(
        f"{ADMIN}/create-incremental", headers=bed.headers(), json={"since": "2199-01-01T00:00:00Z"}
    )

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request-invalid"


def test_download_is_the_file_with_its_checksum(bed: Bed) -> None:
    made = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers()).json()["data"]
    url = f"{ADMIN}/download/{made['backup_id']}"

    whole = bed.client.get(url, headers=bed.headers("restore"))
    part = bed.client.get(url, headers=bed.headers("restore", Range="bytes=100-199"))
    several = bed.client.get(url, headers=bed.headers("restore", Range="bytes=0-1,3-4"))

    assert hashlib.sha256(whole.content).hexdigest() == whole.headers["x-checksum-sha256"]
    assert zipfile.ZipFile(io.BytesIO(whole.content)).testzip() is None
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert several.status_code == 416
    assert whole.headers["content-disposition"].startswith("attachment")
    assert [notice.values["backup"] for notice in bed.told] == [made["backup_id"]] * 2


def test_delete_refuses_the_last_good_one_and_deletes_others(bed: Bed) -> None:
    first = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers()).json()["data"]["backup_id"]
    refused = bed.client.delete(f"{ADMIN}/{first}", headers=bed.headers())
    bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())

    deleted = bed.client.delete(f"{ADMIN}/{first}", headers=bed.headers())

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "last-good-backup"
    assert deleted.status_code == 200, deleted.text
    assert not (bed.folder / "backups" / f"{first}.zip").exists()
    assert bed.client.get(f"{ADMIN}/list", headers=bed.headers()).json()["data"]["total_count"] == 1


def test_schedule_is_read_as_it_was_set(bed: Bed) -> None:
    wanted = {
        "full_backup_frequency": "weekly",
        "incremental_backup_frequency": "daily",
        "retention_days": 30,
        "enabled": True,
    }
    before = bed.client.get(f"{ADMIN}/schedule", headers=bed.headers("read")).json()["data"]
    answer = bed.client.post(f"{ADMIN}/schedule", headers=bed.headers(), json=wanted)

    read = bed.client.get(f"{ADMIN}/schedule", headers=bed.headers("read")).json()["data"]

    assert before["enabled"] is False
    assert answer.status_code == 200, answer.text
    assert {key: read[key] for key in wanted} == wanted
    assert set(read["next_runs"]) == {"api-full", "api-incremental"}
    assert bed.site.service.schedule.policies()["api-full"].keep is not None


def test_run_is_followed_when_asked_for(bed: Bed) -> None:
    answer = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers(Prefer="respond-async"))
    run_id = answer.json()["data"]["run_id"]
    events = bed.client.get(f"{answer.headers['location']}/events", headers=bed.headers("read")).text
    run = bed.client.get(f"/api/v1/runs/{run_id}", headers=bed.headers("read")).json()["data"]

    assert answer.status_code == 202
    assert "event: end" in events
    assert json.loads(events.rpartition("data: ")[2])["state"] == run["state"] == RunState.SUCCEEDED.value


def test_failure_has_the_sentence_and_its_remedy(bed: Bed) -> None:
    (bed.folder / "shop.db").write_bytes(b"this is no database, whatever its name says" * 100)

    answer = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers(**{"Accept-Language": "en"}))

    assert answer.status_code == 500
    body = answer.json()
    assert body["success"] is False
    assert set(body["error"]) == {"code", "hint"}
    assert not list((bed.folder / "backups").glob("*.zip"))
    assert bed.catalog.audit.entries(1)[0].outcome == f"failed:{body['error']['code']}"


def test_files_of_plain_layouts_are_named_where_they_are(bed: Bed) -> None:
    configuration = bed.folder / "holdfast.toml"
    configuration.write_text(configuration.read_text().replace('"bundle"', '"typed"'))

    data = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers()).json()["data"]

    assert set(data["manifest"]["components"]) == {"database", "comments", "orders", "storage", "config"}
    for component in data["manifest"]["components"].values():
        assert (bed.folder / component["file"]).stat().st_size == component["size"]
    assert (bed.folder / data["backup_path"]).is_file()


def test_incremental_backups_have_something_to_build_on_without_being_configured(bed: Bed) -> None:
    configuration = bed.folder / "holdfast.toml"
    configuration.write_text(configuration.read_text().replace("keep_state = true\n", ""))
    bed.site.service.schedule = ScheduleSettings(bed.catalog.settings, _without_state(bed), SystemClock())
    place = f"{ADMIN}/create-incremental"

    types = [bed.client.post(place, headers=bed.headers(), json={}).json()["data"]["type"] for _ in range(2)]

    assert types == ["full", "incremental"]


def _without_state(bed: Bed) -> Config:
    config = bed.site.service.config
    return msgspec.structs.replace(config, app=msgspec.structs.replace(config.app, keep_state=None))
