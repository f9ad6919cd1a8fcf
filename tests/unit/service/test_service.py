"""Runs of the service end with a name, whatever goes wrong around them, and people hear of it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.app import App, load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.catalog.catalog import Catalog
from holdfast.catalog.queries import RunFilter
from holdfast.catalog.runs import Runs
from holdfast.errors import CatalogUnavailable, RunNotFound
from holdfast.model.backup import BackupType
from holdfast.model.run import Run, RunState, Trigger
from holdfast.operations.requests import CreateRequest
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import SystemClock
from holdfast.service.commands import CommandRun
from holdfast.service.heart import Heart, holder
from holdfast.service.service import Service

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
FULL = CreateRequest(type=BackupType.FULL)


class Away(Runs):
    """Runs in a catalog that is away whenever an end is to be written down, so many times."""

    def __init__(self, runs: Runs, times: int) -> None:
        vars(self).update(vars(runs))
        self.times = times

    def finish(self, run: Run) -> bool:
        if self.times:
            self.times -= 1
            raise CatalogUnavailable(place="here", reason="disk is full")
        return super().finish(run)


class Heard:
    """Hears of runs; may raise what nobody expects."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.ends: list[Run] = []
        self.problem = problem

    def begun(self, run: Run) -> None:
        if self.problem is not None:
            raise self.problem

    def ended(self, app: App | None, run: Run) -> None:
        self.ends.append(run)


class Bench(NamedTuple):
    folder: Path
    catalog: Catalog
    heard: Heard
    service: Service

    def with_catalog_away(self, times: int) -> Service:
        broken = copy.copy(self.catalog)
        broken.runs = Away(self.catalog.runs, times)
        return self.over(broken)

    def over(self, catalog: Catalog, heard: Heard | None = None) -> Service:
        return Service(self.opened, catalog, hears=heard or self.heard)

    def opened(self, cancel: CancelToken) -> App:
        return load_app(self.folder / "holdfast.toml", None, {}, self.folder, cancel=cancel)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "app"
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "one.txt").write_text("one")
    (folder / "holdfast.toml").write_text(CONFIGURATION)
    with load_app(folder / "holdfast.toml", None, {}, folder) as app, open_app_catalog(app) as catalog:
        made = Bench(folder, catalog, Heard(), None)  # type: ignore[arg-type]
        yield made._replace(service=made.over(catalog))


def planned(bench: Bench) -> Run:
    at = SystemClock().now().at()
    run = Run(
        run_id="0" * 32,
        app="small",
        operation="create",
        trigger=Trigger.SCHEDULE,
        state=RunState.QUEUED,
        created_at=at,
        policy="nightly",
        due_at=at,
        request={"type": "full"},
    )
    assert bench.catalog.runs.add(run)
    return run


def test_a_broken_configuration_fails_the_run_and_people_hear_of_it(bench: Bench) -> None:
    (bench.folder / "holdfast.toml").write_text("this is no configuration")

    outcome = bench.service.run("create", FULL, actor="test")

    assert outcome.error is not None
    assert outcome.run.state is RunState.FAILED
    assert bench.heard.ends == [outcome.run]
    kept = bench.catalog.runs.get(outcome.run.run_id)
    assert kept is not None
    assert kept.state is RunState.FAILED


def test_an_end_is_written_down_although_the_catalog_was_away_for_a_moment(bench: Bench) -> None:
    service = bench.with_catalog_away(1)

    outcome = service.run("create", FULL, actor="test")

    assert outcome.error is None
    kept = bench.catalog.runs.get(outcome.run.run_id)
    assert kept is not None
    assert kept.state is RunState.SUCCEEDED
    assert kept.backup_id == outcome.run.backup_id != ""


def test_an_end_that_cannot_be_written_down_is_no_success_and_no_failed_backup(bench: Bench) -> None:
    service = bench.with_catalog_away(1_000)
    run = planned(bench)
    cancel = CancelToken()
    threading.Timer(1.0, cancel.cancel).start()

    ended = service.execute(run, cancel)

    kept = bench.catalog.runs.get(run.run_id)
    assert kept is not None
    assert kept.state is RunState.RUNNING, "found without signs of life later"
    with bench.opened(CancelToken()) as app:
        assert [stored.backup_id for stored in app.context.targets["local"].backups()] == [ended.backup_id]
    assert bench.heard.ends == [], "nobody is told of an end that is not written down"


def test_whatever_goes_wrong_inside_whoever_waits_hears_of_an_end(bench: Bench) -> None:
    service = bench.over(bench.catalog, Heard(ZeroDivisionError("nobody thought of this")))

    outcome = service.run("create", FULL, actor="test")

    assert outcome.error is not None
    assert outcome.error.code == "internal-error"
    assert bench.service.run("create", FULL, actor="test").error is None, "the turn was given back"


def test_the_outcome_of_a_run_that_nobody_here_remembers_is_what_was_written_down(bench: Bench) -> None:
    run = bench.service.run("create", FULL, actor="test").run

    assert bench.service.outcome(run.run_id).run.state is RunState.SUCCEEDED
    with pytest.raises(RunNotFound):
        bench.service.outcome("f" * 32)


def test_a_run_that_waits_for_its_time_is_called_off(bench: Bench) -> None:
    run = planned(bench)

    assert bench.service.cancel(run.run_id)

    kept = bench.catalog.runs.get(run.run_id)
    assert kept is not None
    assert (kept.state, kept.started_at) == (RunState.CANCELLED, None)
    assert bench.service.execute(run, CancelToken()).state is RunState.CANCELLED
    assert not bench.service.cancel(run.run_id), "it has ended"
    assert not (bench.folder / "backups").exists()


def test_a_run_of_a_command_shows_signs_of_life_to_a_server_beside_it(bench: Bench) -> None:
    with bench.opened(CancelToken()) as app:
        run = CommandRun(app, "create", FULL, beat_s=0.01)
        began = bench.catalog.runs.find(RunFilter(app="small"))[0].heartbeat_at
        for _try in range(3000):
            if bench.catalog.runs.find(RunFilter(app="small"))[0].heartbeat_at != began:
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail("it looks dead after three minutes, and people are told that it is lost")
        run.close()


def test_a_run_shows_signs_of_life(bench: Bench) -> None:
    run = planned(bench)
    begun = bench.catalog.runs.claim(run.run_id, holder(), run.created_at)
    assert begun is not None
    beaten = threading.Event()

    class Listening(Runs):
        def __init__(self) -> None:
            vars(self).update(vars(bench.catalog.runs))

        def heartbeat(self, run_id: str, holder: str, at: object) -> bool:
            found = super().heartbeat(run_id, holder, SystemClock().now().at())
            beaten.set()
            return found

    with Heart(Listening(), run.run_id, SystemClock().now().at, beat_s=0.01):
        assert beaten.wait(30)

    kept = bench.catalog.runs.find(RunFilter(app="small"))[0]
    assert kept.heartbeat_at is not None
    assert begun.heartbeat_at is not None
    assert kept.heartbeat_at > begun.heartbeat_at
