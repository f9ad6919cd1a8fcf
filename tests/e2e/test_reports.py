"""Reports on the command line, and in the morning."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.app_home import AppHome
from holdfast.app import App, load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run, RunState, Trigger
from holdfast.runtime.cancel import CancelToken
from holdfast.service.reporting import Reporter
from holdfast.testing.fake_clock import FakeClock

CONFIGURATION = """
app = { name = "shop", timezone = "Asia/Tehran" }
sources.files = { kind = "files", paths = ["data"] }
targets.local = { kind = "archive", url = "backups" }
notify = { urls = ["json://127.0.0.1:1/"], on = ["report"] }
"""
MORNING_NS = int(datetime(2026, 5, 20, 4, 0, tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> AppHome:
    """An application with a catalog."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("a")
    (tmp_path / "holdfast.toml").write_text(CONFIGURATION)
    with load_app(tmp_path / "holdfast.toml", None, {}, tmp_path) as app:
        open_app_catalog(app).close()
    return AppHome(tmp_path, {"HOLDFAST_LANG": "en"})


def test_reports_are_about_what_was_done(home: AppHome) -> None:
    backup = home.create()
    assert backup in home.run("report", "daily").out
    day = json.loads(home.run("report", "daily", "--json").out)
    assert (day["report"], day["backups"][0]["backup_id"], day["kept"]["backups"]) == ("daily", backup, 1)
    home.run("report", "monthly", "--format", "html", "-o", "month.html")
    page = home.folder / "month.html"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert page.stat().st_mode & 0o777 == 0o600
    assert 'dir="rtl"' in home.run("--lang", "fa", "report", "performance", "--format", "html").out
    assert "Nothing was restored" in home.run("report", "yearly").out


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["daily", "--day", "yesterday"], 2),
        (["monthly", "--month", "2026-13"], 2),
        (["yearly", "-o", "no/such/folder/x"], 1),
    ],
)
def test_what_cannot_be_is_said(home: AppHome, arguments: list[str], status: int) -> None:
    assert "Error:" in home.run("report", *arguments, status=status).err


def test_reports_that_are_due_are_sent_once(home: AppHome) -> None:
    clock = FakeClock(ns=MORNING_NS)
    told: list[Notice] = []

    def open_app(cancel: CancelToken) -> App:
        return load_app(home.folder / "holdfast.toml", None, {}, home.folder, clock=clock, cancel=cancel)

    with open_app(CancelToken()) as app, open_app_catalog(app) as catalog:
        first, second = (Reporter(catalog, open_app, told.append) for _number in range(2))
        assert (first.step(), second.step()) == (0, 0)
        at = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
        catalog.runs.add(
            Run(
                run_id="0" * 32, app="shop", operation="create", trigger=Trigger.SCHEDULE, state=RunState.SUCCEEDED,
                created_at=at, started_at=at, finished_at=at + timedelta(minutes=1),
                backup_id="backup_2026_05_20_12_00_00",
            )
        )  # fmt: skip
        clock.advance(86_400)
        assert (first.step(), second.step(), first.step()) == (1, 0, 0)
        clock.advance(86_400 * 12)
        assert second.step() == 3
    assert {notice.occasion for notice in told} == {Occasion.REPORT}
    assert [notice.subject for notice in told] == ["daily", "daily", "monthly", "performance"]
    assert "backup_2026_05_20_12_00_00" in told[0].message
