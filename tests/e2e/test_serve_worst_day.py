"""A server that is killed, told to end in the middle of a backup, or started while a target is away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import requests

from e2e.served import serving
from holdfast.app import load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.catalog.catalog import Catalog
from holdfast.catalog.queries import RunFilter
from holdfast.model.access import Scope
from holdfast.model.run import Run, RunState
from holdfast.runtime.cancel import CancelToken
from holdfast.scheduler.memory import PolicyMemory, memory_key
from holdfast.server.opening import Deployment
from holdfast.server.serving import Listening, kept_going, serve
from holdfast.testing.receivers import http_receiver

ADMIN = "/api/v1/admin/backup"
CONFIGURATION = """
[app]
name = "small"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.local]
kind = "archive"
url = "backups"

[hooks]
before_backup = ["sh wait.sh"]
"""
POLICY = """
[policies.hours]
schedule = "hourly"
retry_delay = "1s"
"""
# Waits for as long as somebody holds it.
WAITS = "touch reached; while [ -e hold ]; do sleep 0.05; done; rm -f reached\n"
DEADLINE_S = 120


def application(folder: Path, more: str = "") -> Path:
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "one.txt").write_text("one")
    (folder / "wait.sh").write_text(WAITS)
    (folder / "holdfast.toml").write_text(CONFIGURATION + more)
    return folder


@contextmanager
def catalog_of(folder: Path) -> Iterator[Catalog]:
    with load_app(folder / "holdfast.toml", None, {}, folder) as app, open_app_catalog(app) as catalog:
        yield catalog


def runs(folder: Path, *states: RunState) -> list[Run]:
    """Of backups, the newest first."""
    with catalog_of(folder) as catalog:
        return catalog.runs.find(RunFilter(app="small", operations=("create",), states=states))


def planned(folder: Path) -> list[tuple[RunState, int]]:
    """States and attempts of the runs of the policy that began, the newest first."""
    return [(run.state, run.attempt) for run in runs(folder) if run.policy and run.state is not RunState.MISSED]


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def due_an_hour_ago(folder: Path) -> None:
    """Lets the policy be known for two hours, so that a server that starts finds it due."""
    since = datetime.now(UTC) - timedelta(hours=2)
    memory = PolicyMemory(schedule="hourly", timezone="UTC", since=since, judged=datetime.now(UTC))
    with catalog_of(folder) as catalog:
        catalog.settings.put(memory_key("small", "hours"), msgspec.to_builtins(memory))


def bearer(folder: Path) -> dict[str, str]:
    with catalog_of(folder) as catalog:
        secret = catalog.tokens.create("test", (Scope.ADMIN,), expires_at=None, at=datetime.now(UTC))[1]
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(autouse=True)
def same_process_as_before() -> Iterator[None]:
    mask, interval = os.umask(0o077), sys.getswitchinterval()
    os.umask(mask)
    yield
    os.umask(mask)
    sys.setswitchinterval(interval)


def leftovers(folder: Path) -> list[str]:
    """What is neither a finished backup nor what the archive always keeps."""
    found = [path.name for path in (folder / "backups").rglob("*") if path.name.startswith((".tmp", ".part", "tmp"))]
    return found + [path.name for path in (folder / ".holdfast").rglob("*.partial")]


def test_a_server_killed_in_a_backup_finds_it_lost_tells_and_repeats_it(tmp_path: Path) -> None:
    with http_receiver() as people:
        notify = f'[notify]\nurls = ["json://127.0.0.1:{people.port}/"]\nallow = ["127.0.0.1"]\n'
        folder = application(tmp_path / "app", POLICY + notify)
        due_an_hour_ago(folder)
        (folder / "hold").touch()
        with serving(folder) as (_address, _said, process):
            until(lambda: (folder / "reached").exists(), "the backup is in its middle")
            os.kill(process.pid, signal.SIGKILL)
            process.wait(60)
        assert [run.state for run in runs(folder) if run.state is not RunState.MISSED] == [RunState.RUNNING]
        (folder / "hold").unlink()

        with serving(folder) as (address, _said, process):
            until(lambda: runs(folder, RunState.SUCCEEDED), "the run is repeated")
            again = requests.post(f"{address}{ADMIN}/create-full", headers=bearer(folder), timeout=60)
            until(lambda: people.requests, "people hear of the loss")
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0

    assert again.status_code == 200, again.text
    assert planned(folder) == [(RunState.SUCCEEDED, 2), (RunState.LOST, 1)]
    assert "small" in json.loads(people.requests[0].body)["title"]
    assert leftovers(folder) == []
    shown = subprocess.run(
        [sys.executable, "-m", "holdfast", "schedule", "status", "--json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "hours" in shown.stdout, shown.stdout + shown.stderr


def test_without_a_schedule_too_a_run_of_a_server_that_was_killed_is_found_lost(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    (folder / "hold").touch()
    with serving(folder, "--no-schedule") as (address, _said, process):
        asked = requests.post(
            f"{address}{ADMIN}/create-full", headers={**bearer(folder), "Prefer": "respond-async"}, timeout=60
        )
        until(lambda: (folder / "reached").exists(), "the backup is in its middle")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    (folder / "hold").unlink()

    with serving(folder, "--no-schedule"):
        until(lambda: runs(folder, RunState.LOST), "the run is found lost")

    assert [run.run_id for run in runs(folder)] == [asked.json()["data"]["run_id"]]


def test_a_backup_that_can_end_in_its_time_does_so_before_the_server_ends(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    (folder / "hold").touch()
    answers: list[requests.Response] = []
    with serving(folder) as (address, _said, process):
        headers = bearer(folder)
        asking = threading.Thread(
            target=lambda: answers.append(requests.post(f"{address}{ADMIN}/create-full", headers=headers, timeout=60))
        )
        asking.start()
        until(lambda: (folder / "reached").exists(), "the backup is in its middle")
        os.kill(process.pid, signal.SIGTERM)
        (folder / "hold").unlink()
        assert process.wait(60) == 0
        asking.join(60)

    assert [answer.status_code for answer in answers] == [200]
    assert [run.state for run in runs(folder)] == [RunState.SUCCEEDED]


def serve_in_process(folder: Path, *, schedule: bool) -> tuple[threading.Thread, CancelToken, list[str]]:
    """A server in this process whose runs have a second to end."""
    cancel, addresses = CancelToken(), list[str]()

    def work() -> None:
        listening = Listening(host="127.0.0.1", port=0)
        with Deployment(folder / "holdfast.toml", {"PATH": os.environ["PATH"]}, folder) as deployment:
            serve(
                deployment, listening, schedule=schedule, cancel=cancel, grace_s=1,
                told=lambda address, _secret: addresses.append(address),
            )  # fmt: skip

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: addresses or not thread.is_alive(), "it listens")
    assert addresses
    return thread, cancel, addresses


def test_a_planned_backup_that_takes_longer_is_cancelled_in_order_and_repeated(tmp_path: Path) -> None:
    folder = application(tmp_path / "app", POLICY)
    due_an_hour_ago(folder)
    (folder / "hold").touch()
    thread, cancel, _addresses = serve_in_process(folder, schedule=True)
    until(lambda: (folder / "reached").exists(), "the backup is in its middle")

    cancel.cancel()
    thread.join(DEADLINE_S)

    assert not thread.is_alive()
    (stopped,) = runs(folder, RunState.CANCELLED)
    assert stopped.report["ended_by"] == "shutdown"
    assert leftovers(folder) == []
    (folder / "hold").unlink()
    thread, cancel, _addresses = serve_in_process(folder, schedule=True)
    until(lambda: runs(folder, RunState.SUCCEEDED), "it is repeated at the next start")
    cancel.cancel()
    thread.join(DEADLINE_S)
    assert planned(folder) == [(RunState.SUCCEEDED, 2), (RunState.CANCELLED, 1)]


def test_who_waits_for_a_backup_that_takes_longer_hears_that_it_was_cancelled(tmp_path: Path) -> None:
    folder = application(tmp_path / "app")
    (folder / "hold").touch()
    thread, cancel, addresses = serve_in_process(folder, schedule=False)
    headers, answers = bearer(folder), list[requests.Response]()
    asking = threading.Thread(
        target=lambda: answers.append(requests.post(f"{addresses[0]}{ADMIN}/create-full", headers=headers, timeout=60))
    )
    asking.start()
    until(lambda: (folder / "reached").exists(), "the backup is in its middle")

    cancel.cancel()
    thread.join(DEADLINE_S)
    asking.join(60)

    assert not thread.is_alive()
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(503, "interrupted")]
    assert [run.state for run in runs(folder)] == [RunState.CANCELLED]


@pytest.mark.parametrize("url", ["sftp://nobody@127.0.0.1:1/backups", "missing/../below-a-file/backups"])
def test_a_target_that_is_away_keeps_no_server_from_starting(tmp_path: Path, url: str) -> None:
    folder = application(tmp_path / "app", f'\n[targets.away]\nkind = "archive"\nurl = "{url}"\n')
    (folder / "below-a-file").write_text("no folder")

    with serving(folder) as (address, _said, _process):
        headers = bearer(folder)
        ready = requests.get(f"{address}/readyz", timeout=30)
        made = requests.post(f"{address}{ADMIN}/create-full", headers=headers, timeout=120)
        listed = requests.get(f"{address}{ADMIN}/list", headers=headers, timeout=30)

    assert ready.status_code == 200
    assert made.status_code == 500, "one target of two is no success"
    assert made.json()["data"]["backup_id"]
    assert listed.json()["data"]["total_count"] == 1


def test_what_a_server_does_all_the_time_is_begun_anew_after_an_error_nobody_foresaw() -> None:
    cancel, times = CancelToken(), list[int]()

    def work() -> None:
        times.append(1)
        if len(times) == 3:
            cancel.cancel()
        raise ZeroDivisionError

    kept_going("scheduler", work, cancel, pause_s=0.01)

    assert len(times) == 3
