"""Incremental backups: what they build on, and what happens when there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from holdfast.errors import NoBase
from holdfast.model.backup import BackupType
from holdfast.model.component import Form
from holdfast.operations.reports import CreateReport
from holdfast.policy.backup_retention import KeepRules
from holdfast.testing.fake_source import unreadable
from holdfast.testing.fake_target import FakeTarget
from unit.operations.app import App, failing, storage, tables


def incremental(app: App, **request: object) -> CreateReport:
    return app.create(type=BackupType.INCREMENTAL, **request)


def base_of(app: App, report: CreateReport, target: str = "local") -> str:
    stored = next(stored for stored in app.targets[target].backups() if stored.backup_id == report.backup_id)
    return stored.manifest.base_id


def test_without_a_base_it_fails_and_says_what_to_do(app: App) -> None:
    with pytest.raises(NoBase) as caught:
        incremental(app)
    assert caught.value.exit_code == 2
    assert app.ids() == []


def test_without_a_base_it_becomes_full_when_asked_and_says_so(app: App) -> None:
    report = incremental(app, fallback=True)
    assert report.failure is None
    assert report.type is BackupType.FULL
    assert [problem.code for problem in report.problems] == ["full-instead"]
    assert app.targets["local"].backups()[0].manifest.type is BackupType.FULL
    assert incremental(app).type is BackupType.INCREMENTAL


def test_a_changed_schema_makes_it_full_and_says_so(app: App) -> None:
    app.create()
    app.sources["storage"].schema = "2"
    report = incremental(app)
    assert report.type is BackupType.FULL
    assert "schema" in report.problems[0].detail
    assert app.targets["local"].files(report.backup_id, "storage") == app.sources["storage"].files
    assert base_of(app, report) == ""
    assert len(app.ids()) == len(app.ids("offsite")) == 2


def test_the_base_is_one_that_every_archive_has(app: App) -> None:
    both = app.create()
    app.create(targets=("local",))
    report = incremental(app)
    assert base_of(app, report) == base_of(app, report, "offsite") == both.backup_id


def test_the_base_is_not_later_than_the_moment_asked_for(app: App) -> None:
    first = app.create()
    app.create()
    report = incremental(app, since=datetime(2024, 1, 1, 13, 30, tzinfo=UTC))
    assert base_of(app, report) == first.backup_id
    assert app.targets["local"].backups()[0].manifest.since == datetime(2024, 1, 1, 13, 30, tzinfo=UTC)
    with pytest.raises(NoBase):
        incremental(app, since=datetime(2024, 1, 1, 12, 30, tzinfo=UTC))


def test_nothing_is_built_on_a_partial_backup(app: App) -> None:
    good = app.create()
    app.sources["storage"].step = failing("open:film", lambda: unreadable("film"))
    app.create()
    app.sources["storage"].step = lambda _: None
    assert base_of(app, incremental(app)) == good.backup_id


def test_repositories_need_no_base(make_app: Callable[..., App]) -> None:
    app = make_app(sources=[storage(), tables()], targets=[FakeTarget("repo", kind="repository"), FakeTarget("local")])
    repo_only = incremental(app, targets=("repo",))
    assert repo_only.type is BackupType.INCREMENTAL
    app.create()
    report = incremental(app)
    forms = {name: target.backups()[0].manifest.components["storage"].form for name, target in app.targets.items()}
    assert forms == {"repo": Form.NATIVE, "local": Form.CHANGES}
    assert base_of(app, report, "repo") == ""


def test_states_are_kept_where_they_are_of_use(make_app: Callable[..., App]) -> None:
    app = make_app(targets=[FakeTarget("local"), FakeTarget("repo", kind="repository")], keep_state=False)
    full = app.create()
    assert app.targets["local"].states[full.backup_id] == {}
    with pytest.raises(NoBase):
        incremental(app)
    report = incremental(app, fallback=True)
    assert report.type is BackupType.FULL
    assert set(app.targets["local"].states[report.backup_id]) == {"database", "storage"}
    assert incremental(app).type is BackupType.INCREMENTAL
    app = make_app(targets=[FakeTarget("local"), FakeTarget("repo", kind="repository")])
    full = app.create()
    assert set(app.targets["local"].states[full.backup_id]) == {"database", "storage"}
    assert app.targets["repo"].states[full.backup_id] == {}


def test_retention_keeps_what_incremental_backups_are_built_on(app: App) -> None:
    full = app.create()
    for _ in range(3):
        incremental(app, keep=KeepRules(last=1))
    assert full.backup_id in app.ids()
    assert len(app.ids()) == 4  # the newest is built on the one before, and so on
    app.create(keep=KeepRules(last=1))
    assert len(app.ids()) == 5


def test_nothing_is_left_behind_in_scratch(app: App) -> None:
    app.create()
    incremental(app)
    assert list((app.context.state_dir / "scratch").iterdir()) == []
