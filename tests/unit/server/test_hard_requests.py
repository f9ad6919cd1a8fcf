"""Requests that are odd, forged or late: each is answered in the one shape, and nothing is green that is not well."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import msgspec
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from holdfast.catalog.queries import RunFilter
from holdfast.errors import CatalogUnavailable, ConfigInvalid, Phrase
from holdfast.fastapi import create_router
from holdfast.model.event import Warned
from holdfast.runtime.cancel import CancelToken
from holdfast.server.replies import status_of

from .conftest import Bed

ADMIN = "/api/v1/admin/backup"


def made(bed: Bed) -> str:
    answer = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["backup_id"])


@pytest.mark.parametrize(
    "since",
    [
        "2025-09-15T00:00:00", "2025-09-15", "yesterday", "", 1757894400, "1757894400", True, [], {},
        "9999-12-31T23:59:59-23:59",
    ],
)  # fmt: skip
def test_since_without_a_zone_or_beyond_the_calendar_is_refused(bed: Bed, since: object) -> None:
    answer = bed.client.post(f"{ADMIN}/create-incremental", headers=bed.headers(), json={"since": since})

    assert answer.status_code == 422, answer.text
    assert answer.json()["success"] is False


@pytest.mark.parametrize(
    "since",
    ["2025-09-15T00:00:00Z", "2025-09-15T03:30:00+03:30", "2025-09-15T00:00:00.5-09:30", "0001-01-01T00:00:00+23:59"],
)
def test_since_in_any_zone_is_taken(bed: Bed, since: str) -> None:
    made(bed)

    answer = bed.client.post(f"{ADMIN}/create-incremental", headers=bed.headers(), json={"since": since})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("prefer", "status"),
    [
        (["respond-async"], 202),
        (["Respond-Async; wait=10"], 202),
        (["return=minimal, respond-async"], 202),
        (["return=minimal", "respond-async"], 202),
        (['note="respond-async"'], 200),
        (["x-respond-async"], 200),
        (["wait=10"], 200),
    ],
)
def test_prefer_is_read_as_it_is_written(bed: Bed, prefer: list[str], status: int) -> None:
    headers = [*bed.headers().items(), *(("Prefer", one) for one in prefer)]

    answer = bed.client.post(f"{ADMIN}/create-full", headers=headers)  # type: ignore[arg-type]

    assert answer.status_code == status, answer.text
    if status == 202:
        bed.site.service.outcome(answer.json()["data"]["run_id"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
def test_a_method_that_an_address_does_not_have_is_named_so(bed: Bed, method: str) -> None:
    answer = bed.client.request(method, f"{ADMIN}/schedule", headers=bed.headers())

    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, POST"
    if method != "HEAD":
        assert set(answer.json()) == {"success", "message", "error"}


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", ""])
def test_a_length_that_is_none_is_refused(bed: Bed, length: str) -> None:
    headers = bed.headers(**{"Content-Length": length})

    answer = bed.client.post(f"{ADMIN}/cleanup", headers=headers, content=b"")

    assert answer.status_code == 413, answer.text
    assert answer.json()["success"] is False


def test_an_address_that_there_is_not_answers_in_the_one_shape(bed: Bed) -> None:
    answer = bed.client.get("/api/v1/nowhere", headers=bed.headers(**{"Accept-Language": "tr"}))

    assert answer.status_code == 404
    assert set(answer.json()) == {"success", "message", "error"}
    assert answer.headers["content-language"] == "tr"


def test_a_warning_that_carries_values_is_followed(bed: Bed) -> None:
    run = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers()).json()
    assert run["success"]
    live = bed.site.service.live.begin("a" * 32, CancelToken())
    kept = bed.catalog.runs.find(RunFilter(app="shop"))[0]
    bed.catalog.runs.save(msgspec.structs.replace(kept, run_id="a" * 32))
    live.listen(Warned(code="odd", subject="storage", detail=Phrase("{count} files", {"count": 2})))
    live.end()

    events = bed.client.get(f"/api/v1/runs/{'a' * 32}/events", headers=bed.headers()).text

    assert "event: warning" in events
    assert "2 files" in events
    assert "event: end" in events


def test_what_the_server_cannot_do_is_not_the_fault_of_who_asks() -> None:
    assert status_of(CatalogUnavailable(place="p", reason="disk is full")) == 503
    assert status_of(ConfigInvalid(path="p", line=1, key="k", reason="r")) == 500


def test_a_configuration_that_broke_is_an_error_of_the_server(bed: Bed) -> None:
    (bed.folder / "holdfast.toml").write_text("broken")

    answer = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())

    assert answer.status_code == 500, answer.text
    assert answer.json()["error"]["code"].startswith("config-")


def test_a_backup_that_is_known_as_damaged_is_not_sent(bed: Bed) -> None:
    backup = made(bed)
    with bed.site.service.open() as app:
        target = app.context.targets["local"]
        (stored,) = target.backups()
        target.mark(stored, msgspec.structs.replace(stored.marks, damaged_at=dt.datetime.now(dt.UTC), damage="torn"))
    bed.site.service.mirror.refresh()

    answer = bed.client.get(f"{ADMIN}/download/{backup}", headers=bed.headers())

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "backup-damaged"
    assert bed.told == []


def test_a_file_that_is_not_the_one_that_was_made_is_not_sent(bed: Bed) -> None:
    backup = made(bed)
    path = bed.folder / "backups" / f"{backup}.zip"
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("comments.json").header_offset + 60
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x55
    path.write_bytes(content)

    answer = bed.client.get(f"{ADMIN}/download/{backup}", headers=bed.headers())

    assert answer.status_code == 500, answer.headers
    assert answer.json()["error"]["code"] == "checksum-mismatch"


def test_a_file_that_was_deleted_is_not_there(bed: Bed) -> None:
    backup = made(bed)
    (bed.folder / "backups" / f"{backup}.zip").unlink()

    answer = bed.client.get(f"{ADMIN}/download/{backup}", headers=bed.headers())

    assert answer.status_code == 404, answer.text


def test_a_part_is_sent_only_of_the_file_that_is_meant(bed: Bed) -> None:
    backup = made(bed)
    url = f"{ADMIN}/download/{backup}"
    whole = bed.client.get(url, headers=bed.headers())
    tag = whole.headers["etag"]

    same = bed.client.get(url, headers=bed.headers(Range="bytes=0-9", **{"If-Range": tag}))
    other = bed.client.get(url, headers=bed.headers(Range="bytes=0-9", **{"If-Range": '"other"'}))
    beyond = bed.client.get(url, headers=bed.headers(Range="bytes=999999999-", **{"If-Range": '"other"'}))
    known = bed.client.get(url, headers=bed.headers(**{"If-None-Match": f'"x", W/{tag}'}))

    assert (same.status_code, same.content) == (206, whole.content[:10])
    assert (other.status_code, other.content) == (200, whole.content)
    assert (beyond.status_code, beyond.content) == (200, whole.content)
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == tag


def test_a_held_backup_is_not_deleted(bed: Bed) -> None:
    backup = made(bed)
    made(bed)
    with bed.site.service.open() as app:
        target = app.context.targets["local"]
        stored = next(one for one in target.backups() if one.backup_id == backup)
        held = msgspec.structs.replace(stored.marks, hold_reason="trial", held_at=dt.datetime.now(dt.UTC))
        target.mark(stored, held)

    answer = bed.client.delete(f"{ADMIN}/{backup}", headers=bed.headers())

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "backup-held"
    assert (bed.folder / "backups" / f"{backup}.zip").exists()


def test_the_setup_secret_is_worthless_once_there_is_a_token(bed: Bed) -> None:
    answer = bed.client.post("/api/v1/setup", headers={"Authorization": f"Bearer {bed.setup.shown}"})

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "setup-refused"


@pytest.fixture
def foreign(bed: Bed) -> TestClient:
    """The router in somebody else's application, which has no door of ours before it."""
    app = FastAPI()
    app.include_router(create_router(Path(bed.folder / "holdfast.toml")))
    return TestClient(app, base_url="https://panel.example.org")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://panel.example.org"}, 200),
        ({"Origin": "http://inside:8000", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example.org"}, 421),
        ({"Origin": "https://panel.example.org:8443"}, 421),
        ({"Origin": "null"}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 421),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://panel.example.org"}, 421),
    ],
)
def test_another_site_cannot_use_a_cookie(bed: Bed, foreign: TestClient, headers: dict[str, str], status: int) -> None:
    foreign.cookies.set("authToken", bed.tokens["backup"])

    answer = foreign.post("/backups/create", headers=headers)

    assert answer.status_code == status, answer.text
    assert answer.json()["success"] is (status == 200)
    assert (bed.folder / "backups").exists() is (status == 200)


def test_who_shows_a_token_by_hand_may_come_from_anywhere(bed: Bed, foreign: TestClient) -> None:
    shown = {"Authorization": f"Bearer {bed.tokens['backup']}", "Origin": "https://other.example.org"}

    assert foreign.post("/backups/create", headers=shown).status_code == 200
