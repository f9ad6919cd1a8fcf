"""Plan, show, apply: and looking again before anything is removed."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.errors import BackendError, BackupHeld, LastGoodBackup, RetentionRefused, StillNeeded, UsageError
from holdfast.model.backup import BackupType
from holdfast.operations.delete import apply_delete, plan_delete
from holdfast.operations.hold import hold_backup, release_backup
from holdfast.operations.requests import DeleteRequest, HoldRequest, RetentionRequest
from holdfast.operations.retention import apply_retention, plan_retention
from holdfast.policy.backup_retention import KeepRules
from unit.operations.app import App, failing


def broken() -> BackendError:
    return BackendError(url="/fake", object="something", reason="told to fail")


def keep(count: int, **request: object) -> RetentionRequest:
    return RetentionRequest(rules=KeepRules(max_backups=count), **request)  # type: ignore[arg-type]


def four(app: App) -> list[str]:
    """Newest first."""
    return [app.create().backup_id for _ in range(4)][::-1]


def test_what_was_planned_is_what_goes(app: App) -> None:
    ids = four(app)
    plans = plan_retention(app.context, keep(2))
    assert app.ids() == ids
    report = apply_retention(app.context, plans)
    assert report.failure is None
    assert app.ids() == app.ids("offsite") == ids[:2]
    assert [result.removed for result in report.results] == [tuple(ids[2:]), tuple(ids[2:])]
    assert report.results[0].freed_bytes > 6_000_000
    assert f"Removed from local: {ids[2]}" in app.log.read_text()


def test_rotation_counts_each_type_by_itself(app: App) -> None:
    fulls = [app.create().backup_id for _ in range(3)]
    databases = [app.create(type=BackupType.DATABASE).backup_id for _ in range(3)]
    apply_retention(app.context, plan_retention(app.context, keep(1, type=BackupType.DATABASE)))
    assert app.ids() == [databases[2], *fulls[::-1]]
    apply_retention(app.context, plan_retention(app.context, keep(2)))
    assert app.ids() == [databases[2], fulls[2], fulls[1]]


def test_rules_of_a_target_win(app: App) -> None:
    ids = four(app)
    app.context = msgspec.structs.replace(
        app.context, keep=KeepRules(last=3), keep_by_target={"offsite": KeepRules(last=1)}
    )
    apply_retention(app.context, plan_retention(app.context, RetentionRequest()))
    assert app.ids() == ids[:3]
    assert app.ids("offsite") == ids[:1]


def test_without_rules_nothing_goes(app: App) -> None:
    ids = four(app)
    plans = plan_retention(app.context, RetentionRequest())
    assert set(plans.skipped) == {"local", "offsite"}
    apply_retention(app.context, plans)
    assert app.ids() == ids


def test_a_backup_that_was_held_since_stays_and_so_does_everything(app: App) -> None:
    ids = four(app)
    plans = plan_retention(app.context, keep(2))
    assert hold_backup(app.context, HoldRequest(what=ids[3], reason="audit")).failure is None
    report = apply_retention(app.context, plans)
    assert isinstance(report.failure, RetentionRefused)
    assert app.ids() == ids


def test_what_is_newer_than_the_plan_is_not_removed(app: App) -> None:
    ids = four(app)
    plans = plan_retention(app.context, keep(2))
    newer = app.create().backup_id
    apply_retention(app.context, plans)
    assert app.ids() == [newer, *ids[:2]]


def test_a_target_that_fails_leaves_the_other_one_to_be_done(app: App) -> None:
    ids = four(app)
    plans = plan_retention(app.context, keep(2))
    app.targets["local"].step = failing("remove", broken)
    report = apply_retention(app.context, plans)
    assert isinstance(report.failure, BackendError)
    assert app.ids("offsite") == ids[:2]


def test_deleting_a_named_backup(app: App) -> None:
    ids = four(app)
    report = apply_delete(app.context, plan_delete(app.context, DeleteRequest(what=(ids[3],))))
    assert report.removed == {"local": (ids[3],), "offsite": (ids[3],)}
    assert app.ids() == ids[:3]


def test_what_must_stay_is_refused(app: App) -> None:
    ids = four(app)
    hold_backup(app.context, HoldRequest(what=ids[2], reason="audit"))
    with pytest.raises(BackupHeld, match="audit"):
        plan_delete(app.context, DeleteRequest(what=(ids[2],)))
    with pytest.raises(LastGoodBackup):
        plan_delete(app.context, DeleteRequest(what=(ids[0],)))
    with pytest.raises(LastGoodBackup):
        plan_delete(app.context, DeleteRequest(what=(ids[0], ids[1])))
    changes = app.create(type=BackupType.INCREMENTAL).backup_id
    with pytest.raises(StillNeeded, match=changes):
        plan_delete(app.context, DeleteRequest(what=(ids[0],)))
    assert release_backup(app.context, HoldRequest(what=ids[2])).failure is None
    assert plan_delete(app.context, DeleteRequest(what=(ids[2],)))


def test_a_deletion_looks_again(app: App) -> None:
    ids = four(app)
    plan = plan_delete(app.context, DeleteRequest(what=(ids[2],)))
    hold_backup(app.context, HoldRequest(what=ids[2], reason="audit"))
    with pytest.raises(BackupHeld):
        apply_delete(app.context, plan)
    assert app.ids() == ids


def test_a_hold_needs_a_reason_and_reaches_every_copy(app: App) -> None:
    four(app)
    with pytest.raises(UsageError):
        hold_backup(app.context, HoldRequest(what="latest", reason=" "))
    report = hold_backup(app.context, HoldRequest(what="latest", reason="audit"))
    assert len(report.copies) == 2
    assert all(target.backups()[0].marks.hold_reason == "audit" for target in app.targets.values())
    assert all(target.backups()[0].marks.verified_at for target in app.targets.values())
