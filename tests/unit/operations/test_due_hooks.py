"""What brings an application back is owed until it ran, however the run ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import AppBusy, TargetError
from holdfast.model.event import Warned
from holdfast.operations import due_hooks
from holdfast.operations.context import Hooks
from holdfast.operations.create import create_backup
from holdfast.operations.doctor import examine
from holdfast.operations.due_hooks import BACKUP, RESTORE, OwedHooks, finish_hooks
from holdfast.operations.lock import run_lock
from holdfast.operations.requests import CreateRequest, RestoreRequest
from holdfast.operations.restore import plan_restore, run_restore
from unit.operations.app import App


def hooks(folder: Path, after: tuple[str, ...] = ("rm stopped", "touch back secret-word")) -> Hooks:
    return Hooks(
        before_restore=("touch stopped",),
        after_restore=after,
        before_backup=("touch stopped",),
        after_backup=after,
        directory=folder,
    )


def killed(app: App, operation: str) -> OwedHooks:
    """The process ends between the hooks before a run and those after it."""
    context = app.context
    both = {
        RESTORE: (context.hooks.before_restore, context.hooks.after_restore),
        BACKUP: (context.hooks.before_backup, context.hooks.after_backup),
    }
    before, after = both[operation]
    owing = OwedHooks(context, operation, before, after, {"BACKUP": "b"})
    owing.begin()
    return owing


def due(app: App) -> list[str]:
    return [finding.detail for finding in examine(app.context).findings if finding.code == "hooks-due"]


def test_what_brings_the_application_back_is_noted_before_it_is_stopped(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(hooks=hooks(tmp_path))
    killed(app, RESTORE)
    assert (tmp_path / "stopped").exists()
    found = due(app)
    assert len(found) == 1
    assert "the restore of 2024-01-01T12:00:00+00:00" in found[0]
    assert found[0].endswith("after it had run touch, and before these hooks: rm, touch")
    assert not examine(app.context).healthy
    note = app.context.state_dir / due_hooks.FOLDER / "restore.json"
    assert "secret-word" not in note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("operation", [RESTORE, BACKUP])
def test_what_is_due_is_run_once(make_app: Callable[..., App], tmp_path: Path, operation: str) -> None:
    app = make_app(hooks=hooks(tmp_path))
    killed(app, operation)
    finished = finish_hooks(app.context)
    assert (finished.ran, finished.gone, finished.failed) == (("rm", "touch"), (), ())
    assert not (tmp_path / "stopped").exists()
    assert (tmp_path / "back").exists()
    assert due(app) == []
    assert finish_hooks(app.context).ran == ()


def test_what_fails_stays_due(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path, after=("test -e mended", "rm stopped")))
    killed(app, RESTORE)
    finished = finish_hooks(app.context)
    assert finished.ran == ("rm",)
    assert [error.context["hook"] for error in finished.failed] == ["test -e mended"]
    (said,) = due(app)
    assert said.endswith("before these hooks: test")
    (tmp_path / "mended").touch()
    assert finish_hooks(app.context).ran == ("test",)
    assert due(app) == []


def test_a_run_that_ends_by_itself_owes_nothing(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path))
    backup_id = app.create().backup_id
    assert due(app) == []
    report = run_restore(app.context, plan_restore(app.context, RestoreRequest(what=backup_id)))
    assert report.failure is None
    assert due(app) == []
    assert not list((app.context.state_dir / due_hooks.FOLDER).iterdir())


def test_a_hook_that_failed_after_a_restore_is_still_due(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path, after=("false",)))
    backup_id = create_backup(app.context, CreateRequest()).backup_id
    run_restore(app.context, plan_restore(app.context, RestoreRequest(what=backup_id)))
    assert len(due(app)) == 2


def test_the_next_run_warns_and_settles(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path))
    killed(app, BACKUP)
    killed(app, RESTORE)
    app.create()
    warned = [event for event in app.events if isinstance(event, Warned) and event.code == "hooks-due"]
    assert [event.detail.split(" ended")[0] for event in warned] == ["a restore", "a backup"]
    assert [said.split(" of ")[0] for said in due(app)] == ["the restore"]
    plan = plan_restore(app.context, RestoreRequest(what="latest"))
    assert run_restore(app.context, plan).failure is None
    assert due(app) == []


def test_hooks_that_were_changed_meanwhile_are_named_and_not_run(make_app: Callable[..., App], tmp_path: Path) -> None:
    killed(make_app(hooks=hooks(tmp_path)), RESTORE)
    app = make_app(hooks=hooks(tmp_path, after=("rm stopped",)))
    finished = finish_hooks(app.context)
    assert (finished.ran, finished.gone) == (("rm",), ("touch",))
    assert due(app) == []


def test_a_note_that_is_damaged_owes_what_is_configured(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path))
    killed(app, RESTORE)
    (app.context.state_dir / due_hooks.FOLDER / "restore.json").write_text("{")
    assert len(due(app)) == 1
    assert finish_hooks(app.context).ran == ("rm", "touch")
    assert due(app) == []


def test_nothing_is_stopped_when_it_cannot_be_noted(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path))
    app.context.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (app.context.state_dir / due_hooks.FOLDER).write_text("in the way")
    with pytest.raises(TargetError):
        killed(app, RESTORE)
    assert not (tmp_path / "stopped").exists()


def test_a_run_at_work_owes_rightly(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(hooks=hooks(tmp_path))
    with run_lock(app.context):
        killed(app, RESTORE)
        assert due(app) == []
        with pytest.raises(AppBusy):
            finish_hooks(app.context)


def test_without_hooks_nothing_is_noted(make_app: Callable[..., App]) -> None:
    app = make_app()
    app.create()
    assert not (app.context.state_dir / due_hooks.FOLDER).exists()
    assert json.dumps(finish_hooks(app.context).ran) == "[]"
