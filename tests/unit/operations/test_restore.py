"""A restore: proved first, planned first, all or nothing, and undoable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import (
    BackendError,
    BackupNotFound,
    ComponentNotFound,
    DamageError,
    HookFailed,
    Interrupted,
    RestoreError,
    RestoreMismatch,
    RestoreNeedsSpace,
    RestoreRefused,
    UnknownName,
    UsageError,
)
from holdfast.model.backup import BackupType
from holdfast.model.component import Role, Shape
from holdfast.operations.context import Hooks
from holdfast.operations.reports import RestoreReport, plain
from holdfast.operations.requests import RestoreRequest
from holdfast.operations.restore import plan_restore, run_restore
from holdfast.testing.fake_source import FakeSource, unloadable
from holdfast.testing.fake_target import FakeTarget
from unit.operations.app import App, failing, storage, tables


def broken() -> BackendError:
    return BackendError(url="/fake", object="something", reason="told to fail")


def restore(app: App, what: str = "latest", **request: object) -> RestoreReport:
    asked = RestoreRequest(what=what, **request)  # type: ignore[arg-type]
    return run_restore(app.context, plan_restore(app.context, asked))


def ruin(app: App) -> dict[str, dict[str, bytes]]:
    """What was there before."""
    before = {name: source.files for name, source in app.sources.items()}
    for source in app.sources.values():
        source.files = {"ruined": b"!"}
    return before


def there(app: App) -> dict[str, dict[str, bytes]]:
    return {name: source.files for name, source in app.sources.items()}


def test_everything_comes_back_and_what_was_replaced_is_kept(app: App) -> None:
    backup = app.create()
    before = ruin(app)
    report = restore(app)
    assert report.failure is None
    assert report.backup_id == backup.backup_id
    assert there(app) == before
    assert [done.source for done in report.components] == ["database", "storage"]
    for done in report.components:
        assert done.load is not None
        copy = done.load.safety_copies[0]
        assert app.sources[done.source].safety[copy] == {"ruined": b"!"}
        assert done.load.undo
    journal = json.loads(Path(report.journal).read_text())
    assert [entry["state"] for entry in journal["components"]] == ["done", "done"]
    assert journal["components"][0]["undo"]
    assert Path(report.journal).stat().st_mode & 0o777 == 0o600
    assert "Restore completed successfully" in app.log.read_text()
    plain(report)


def test_the_plan_changes_nothing_and_says_what_would_be_done(app: App) -> None:
    app.create()
    ruin(app)
    plan = plan_restore(app.context, RestoreRequest())
    assert [planned.source for planned in plan.components] == ["database", "storage"]
    assert plan.components[0].load.replaces == ("database",)
    assert plan.others == ("offsite",)
    assert there(app)["database"] == {"ruined": b"!"}
    plain(plan)


def test_latest_as_of_a_time(app: App) -> None:
    first = app.create()
    app.sources["storage"].files = {"new": b"n" * 1000}
    app.create()
    at = datetime(2024, 1, 1, 13, 30, tzinfo=UTC)
    assert plan_restore(app.context, RestoreRequest(at=at)).backup.backup_id == first.backup_id
    with pytest.raises(BackupNotFound):
        plan_restore(app.context, RestoreRequest(at=datetime(2023, 1, 1, tzinfo=UTC)))
    with pytest.raises(UsageError):
        plan_restore(app.context, RestoreRequest(what=first.backup_id, at=at))


def test_latest_is_the_newest_that_has_what_is_asked_for(app: App) -> None:
    full = app.create()
    database = app.create(type=BackupType.DATABASE)
    assert plan_restore(app.context, RestoreRequest()).backup.backup_id == database.backup_id
    assert plan_restore(app.context, RestoreRequest(only=("storage",))).backup.backup_id == full.backup_id


def test_what_a_backup_of_a_part_leaves_out_is_named_with_where_it_is(app: App) -> None:
    whole = app.create().backup_id
    app.create(type=BackupType.DATABASE)
    [problem] = plan_restore(app.context, RestoreRequest()).problems
    assert (problem.code, problem.subject) == ("not-in-backup", "storage")
    assert whole in problem.detail
    assert not plan_restore(app.context, RestoreRequest(what=whole)).problems
    assert not plan_restore(app.context, RestoreRequest(only=("database",))).problems


def test_one_component_alone(app: App) -> None:
    app.create()
    before = ruin(app)
    restore(app, only=("storage",))
    assert there(app) == {"database": {"ruined": b"!"}, "storage": before["storage"]}
    with pytest.raises(ComponentNotFound):
        restore(app, app.ids()[0], only=("nothing",))


def test_a_table_is_taken_from_where_tables_are_kept_one_by_one(make_app: Callable[..., App]) -> None:
    database = FakeSource("database", {"db": b"d"}, role=Role.DATABASE, shape=Shape.FILE, rows={"a": 1, "users": 3})
    app = make_app(sources=[database, tables()])
    app.create()
    plan = plan_restore(app.context, RestoreRequest(tables=("a:id=1",)))
    assert [planned.source for planned in plan.components] == ["tables"]
    plan = plan_restore(app.context, RestoreRequest(tables=("users", "b")))
    assert [planned.source for planned in plan.components] == ["database", "tables"]
    with pytest.raises(UnknownName) as caught:
        plan_restore(app.context, RestoreRequest(tables=("nothing",)))
    assert "a, b, users" in str(caught.value)


def test_a_path_is_taken_from_the_folder_that_has_it(make_app: Callable[..., App]) -> None:
    app = make_app(sources=[FakeSource("config", {".env": b"A=1"}, role=Role.CONFIG), storage()])
    app.create()
    before = app.sources["storage"].files["film.mp4"]
    app.sources["storage"].files = {"other": b"stays", "film.mp4": b"broken"}
    report = restore(app, paths=("film.mp4",))
    assert [done.source for done in report.components] == ["storage"]
    assert app.sources["storage"].files == {"other": b"stays", "film.mp4": before}
    with pytest.raises(UnknownName):
        restore(app, paths=("nowhere",))


def test_an_incremental_backup_comes_back_exactly_deletions_included(app: App) -> None:
    app.create()
    states = []
    for number in range(3):
        files = dict(app.sources["storage"].files)
        files.pop(f"media/{number:02}.jpg")
        files[f"new{number}"] = b"new" * number
        files["film.mp4"] = files["film.mp4"][:-1] + bytes([number])
        app.sources["storage"].files = files
        report = app.create(type=BackupType.INCREMENTAL)
        assert report.type is BackupType.INCREMENTAL
        states.append((report.backup_id, files))
    chains = []
    for backup_id, files in states:
        ruin(app)
        report = restore(app, backup_id)
        assert report.failure is None
        assert app.sources["storage"].files == files
        chains.append(len(plan_restore(app.context, RestoreRequest(what=backup_id)).components[0].chain))
    assert chains == [2, 3, 4]
    stored = app.targets["local"].contents[states[0][0]]["storage"]
    assert sum(len(kept.data) for kept in stored) < 3_100_000


def test_damage_in_one_copy_is_found_before_anything_is_changed(app: App) -> None:
    report = app.create()
    app.targets["local"].damage(report.backup_id, "storage")
    before = ruin(app)
    restored = restore(app)
    assert restored.target == "offsite"
    assert there(app) == before
    assert "local" in {problem.subject for problem in restored.problems}


def test_damage_in_every_copy_changes_nothing(app: App) -> None:
    report = app.create()
    for target in app.targets.values():
        target.damage(report.backup_id, "storage")
    ruin(app)
    with pytest.raises(DamageError):
        restore(app)
    assert all(source.loads == 0 for source in app.sources.values())
    assert "ERROR" in app.log.read_text()


def test_damage_met_while_loading_without_verification_falls_back_too(app: App) -> None:
    report = app.create()
    app.targets["local"].damage(report.backup_id, "database")
    before = ruin(app)
    restored = restore(app, verify=False)
    assert restored.failure is None
    assert restored.target == "offsite"
    assert there(app) == before


def test_the_local_copy_is_preferred_and_a_damaged_one_is_last(make_app: Callable[..., App]) -> None:
    app = make_app(targets=[FakeTarget("far", url="s3://bucket"), FakeTarget("near")])
    app.create()
    assert plan_restore(app.context, RestoreRequest()).backup.target == "near"
    stored = app.targets["near"].backups()[0]
    marks = msgspec.structs.replace(stored.marks, damaged_at=app.context.now())
    app.targets["near"].mark(stored, marks)
    assert plan_restore(app.context, RestoreRequest()).backup.target == "far"
    assert plan_restore(app.context, RestoreRequest(from_target="near")).backup.target == "near"


def test_a_target_that_cannot_be_asked_is_told_and_passed_over(app: App) -> None:
    app.create()
    app.targets["local"].step = failing("backups", broken)
    plan = plan_restore(app.context, RestoreRequest())
    assert plan.backup.target == "offsite"
    assert [problem.code for problem in plan.problems] == ["target-unreachable"]


def test_no_room_is_found_before_anything_is_changed(app: App, tmp_path: Path) -> None:
    app.create()
    source = app.sources["storage"]
    source.directory = tmp_path
    app.sources["database"].directory = tmp_path / "not" / "there"
    free = shutil.disk_usage(tmp_path).free
    for target in app.targets.values():
        stored = target.backups()[0]
        components = {
            name: msgspec.structs.replace(component, content_bytes=int(free * 0.6))
            for name, component in stored.manifest.components.items()
        }
        manifest = msgspec.structs.replace(stored.manifest, components=components)
        target.put(msgspec.structs.replace(stored, manifest=manifest), target.contents[stored.backup_id], {})
    with pytest.raises(RestoreNeedsSpace):
        plan_restore(app.context, RestoreRequest())
    assert plan_restore(app.context, RestoreRequest(only=("storage",)))


@pytest.mark.parametrize("step", ["load", "replace", "plan"])
def test_the_first_error_stops_and_tells_what_was_done(app: App, step: str) -> None:
    app.create()
    ruin(app)
    app.sources["storage"].step = failing(step, lambda: unloadable("storage"), after=1 if step == "plan" else 0)
    if step == "plan":
        app.sources["storage"].step = failing("load", lambda: unloadable("storage"))
    report = restore(app)
    assert isinstance(report.failure, RestoreError)
    database, failed = report.components
    assert database.load is not None
    assert database.load.safety_copies
    assert database.load.undo
    assert failed.load is None
    assert failed.error is report.failure
    assert app.sources["storage"].files == {"ruined": b"!"}
    journal = json.loads(Path(report.journal).read_text())
    assert [entry["state"] for entry in journal["components"]] == ["done", "failed"]
    assert "Restore completed" not in app.log.read_text()


def test_what_is_not_reached_is_named(app: App) -> None:
    app.create()
    app.sources["database"].step = failing("load", lambda: unloadable("database"))
    report = restore(app)
    assert report.not_reached == ("storage",)
    assert app.sources["storage"].loads == 0


def test_a_source_that_lies_about_what_it_loaded_is_found_out(app: App) -> None:
    app.create()
    app.sources["database"].rows = {"users": 39}
    report = restore(app)
    assert isinstance(report.failure, RestoreMismatch)
    assert report.failure.exit_code == 4
    assert "users" in str(report.failure)
    assert report.components[0].load is not None
    assert report.not_reached == ("storage",)


def test_what_fails_after_it_was_replaced_still_names_its_safety_copy(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app.create()
    source = app.sources["storage"]

    def changed_meanwhile(step: str) -> None:
        if step == "replaced":
            for name in source.safety:
                Path(name).mkdir()
            raise RestoreMismatch(destination="storage", reason="somebody wrote to it")

    source.step = changed_meanwhile
    report = restore(app)
    failed = report.components[-1]
    assert isinstance(failed.error, RestoreMismatch)
    assert failed.load is not None
    assert failed.load.safety_copies == tuple(source.safety)
    journal = json.loads(Path(report.journal).read_text())
    assert journal["components"][-1]["safety_copies"] == list(source.safety)


@pytest.mark.parametrize(("url", "taken"), [("fake://me:secret@host/x", ["database"]), ("s3://bucket/x", [])])
def test_the_url_of_a_database_is_for_that_database_alone(app: App, url: str, taken: list[str]) -> None:
    app.create()
    app.sources["storage"].kind = "files"
    app.create()
    if taken:
        plan = plan_restore(app.context, RestoreRequest(to=url))
        assert [component.source for component in plan.components] == taken
    for only in ("storage",) if taken else ("storage", "database"):
        with pytest.raises(RestoreRefused) as caught:
            plan_restore(app.context, RestoreRequest(to=url, only=(only,)))
        assert "secret" not in str(caught.value)


def test_one_url_is_not_the_place_of_two_databases(make_app: Callable[..., App]) -> None:
    app = make_app(sources=[FakeSource("one", {"a": b"1"}), FakeSource("two", {"a": b"2"})])
    app.create()
    with pytest.raises(RestoreRefused, match="only one of one, two"):
        plan_restore(app.context, RestoreRequest(to="fake://host/x"))
    assert plan_restore(app.context, RestoreRequest(to="fake://host/x", only=("two",)))


@pytest.mark.parametrize("step", ["load", "replace", "replaced"])
def test_cancelling_stops_and_brings_the_application_back(
    make_app: Callable[..., App], tmp_path: Path, step: str
) -> None:
    hooks = Hooks(before_restore=("touch stopped",), after_restore=("rm stopped",), directory=tmp_path)
    app = make_app(hooks=hooks)
    app.create()
    app.sources["database"].step = lambda name: app.context.cancel.cancel() if name == step else None
    report = restore(app)
    assert isinstance(report.failure, Interrupted)
    assert not (tmp_path / "stopped").exists()
    assert app.sources["storage"].loads == 0


def test_hooks_stop_and_start_and_are_left_out_elsewhere(make_app: Callable[..., App], tmp_path: Path) -> None:
    hooks = Hooks(before_restore=("touch stopped",), after_restore=("rm stopped", "touch back"), directory=tmp_path)
    app = make_app(hooks=hooks)
    app.create()
    seen: list[bool] = []
    app.sources["database"].step = lambda name: seen.append((tmp_path / "stopped").exists()) if name == "load" else None
    restore(app, to=str(tmp_path / "elsewhere"))
    assert not (tmp_path / "back").exists()
    restore(app)
    assert seen == [False, True]
    assert (tmp_path / "back").exists()


def test_services_come_back_after_a_failed_restore(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=Hooks(before_restore=("true",), after_restore=("touch back",), directory=tmp_path))
    app.create()
    app.sources["database"].step = failing("load", lambda: unloadable("database"))
    assert restore(app).failure is not None
    assert (tmp_path / "back").exists()


def test_a_failing_hook_before_changes_nothing(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=Hooks(before_restore=("false",), after_restore=("touch back",), directory=tmp_path))
    app.create()
    with pytest.raises(HookFailed):
        restore(app)
    assert all(source.loads == 0 for source in app.sources.values())
    assert (tmp_path / "back").exists()


def test_a_backup_that_went_away_since_the_plan_changes_nothing(app: App) -> None:
    app.create()
    plan = plan_restore(app.context, RestoreRequest())
    for target in app.targets.values():
        target.remove(target.backups())
    with pytest.raises(BackupNotFound):
        run_restore(app.context, plan)


def test_a_base_that_is_gone_is_damage(app: App) -> None:
    app.create()
    app.create(type=BackupType.INCREMENTAL)
    for target in app.targets.values():
        target.remove(target.backups()[1:])
    with pytest.raises(DamageError) as caught:
        plan_restore(app.context, RestoreRequest())
    assert "is not there" in str(caught.value)
