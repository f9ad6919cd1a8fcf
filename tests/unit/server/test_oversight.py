"""What operators look at, against a real application."""

from __future__ import annotations

import json
import secrets

import pytest
from fastapi import APIRouter

from holdfast.errors import Phrase
from holdfast.model.event import Progress, Warned
from holdfast.model.run import Run, RunState, Trigger
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import SystemClock
from holdfast.server.application import _check_routes

from .conftest import Bed

ADMIN = "/api/v1/admin/backup"


def test_who_did_what_is_written_down_and_verifies(bed: Bed) -> None:
    made = bed.client.post(f"{ADMIN}/create-full", headers=bed.headers("backup")).json()["data"]["backup_id"]
    bed.client.delete(f"{ADMIN}/{made}", headers=bed.headers("read"))
    bed.client.get(f"{ADMIN}/download/{made}", headers=bed.headers("restore"))

    page = bed.client.get("/api/v1/audit", headers=bed.headers()).json()["data"]
    verdict = bed.client.get("/api/v1/audit/verify", headers=bed.headers()).json()["data"]

    done = [(entry["action"], entry["subject"], entry["outcome"]) for entry in reversed(page["entries"])]
    assert done == [
        ("backup.create", made, "done"),
        ("refused.admin", "", "refused"),
        ("backup.download", made, "done"),
    ]
    assert all(entry["actor"].startswith("token:") for entry in page["entries"])
    assert verdict["whole"] is True
    assert verdict["entries"] == 3


def test_status_tells_how_fresh_each_source_is(bed: Bed) -> None:
    bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())

    data = bed.client.get("/api/v1/status", headers=bed.headers("read")).json()["data"]

    assert data["fresh"] is True
    assert {source["source"] for source in data["sources"]} == {"database", "comments", "storage", "config"}
    assert all(source["verified"] and source["age_s"] < 600 for source in data["sources"])


@pytest.mark.parametrize("form", ["json", "text", "html"])
@pytest.mark.parametrize("kind", ["daily", "monthly", "yearly", "performance"])
def test_reports_in_every_form(bed: Bed, kind: str, form: str) -> None:
    bed.client.post(f"{ADMIN}/create-full", headers=bed.headers())

    answer = bed.client.get(f"/api/v1/reports/{kind}?format={form}", headers=bed.headers("read"))

    assert answer.status_code == 200, answer.text
    if form == "json":
        assert answer.json()["report"] == kind
    elif form == "html":
        assert 'dir="rtl"' in answer.text
        assert "script" not in answer.text
        assert "style-src 'unsafe-inline'" in answer.headers["content-security-policy"]
    else:
        assert answer.headers["content-type"].startswith("text/plain")


def test_runs_are_listed_page_by_page(bed: Bed) -> None:
    for _ in range(3):
        bed.client.post("/backups/create", headers=bed.headers(), json={"type": "config"})

    first = bed.client.get("/api/v1/runs?limit=2", headers=bed.headers("read")).json()["data"]
    rest = bed.client.get(f"/api/v1/runs?limit=2&before={first['next']}", headers=bed.headers("read")).json()["data"]

    ids = [run["run_id"] for run in (*first["runs"], *rest["runs"])]
    assert len(set(ids)) == 3
    assert rest["next"] is None
    assert bed.client.get("/api/v1/runs/" + "0" * 32, headers=bed.headers("read")).status_code == 404


def test_warnings_of_a_run_reach_those_who_follow_it(bed: Bed) -> None:
    run_id, started = secrets.token_hex(16), SystemClock().now().at()
    run = Run(
        run_id=run_id,
        app="shop",
        operation="create",
        trigger=Trigger.REQUEST,
        state=RunState.RUNNING,
        created_at=started,
    )
    assert bed.catalog.runs.add(run)
    live = bed.site.service.live.begin(run_id, CancelToken())
    live.listen(Progress(phase="read"))
    live.listen(Warned(code="retrying", subject="a pack", detail=Phrase("{url} does not answer", {"url": "s3:shop"})))
    live.end()

    told = bed.client.get(f"/api/v1/runs/{run_id}/events", headers=bed.headers("read")).text
    bed.site.service.live.end(run_id)

    warning = json.loads(told.partition("event: warning\ndata: ")[2].partition("\n")[0])
    assert warning["detail"] == "s3:shop does not answer"
    assert "event: end" in told


def test_a_route_that_says_nothing_about_who_may_use_it_keeps_the_server_from_starting() -> None:
    router = APIRouter()

    @router.get("/forgotten")
    def forgotten() -> None:
        """Nobody thought of it."""

    with pytest.raises(RuntimeError, match="forgotten"):
        _check_routes(router)
