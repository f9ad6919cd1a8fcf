"""Listing, showing, adding up, verifying, and saying how fresh everything is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import BackendError, BackupDamaged, BackupIdInvalid, BackupNotFound, BackupTooOld, UnknownName
from holdfast.model.backup import BackupType
from holdfast.model.event import Warned
from holdfast.operations import log
from holdfast.operations.list_backups import list_backups
from holdfast.operations.reports import plain
from holdfast.operations.requests import ListRequest, ShowRequest, StatusRequest, VerifyRequest
from holdfast.operations.show import show_backup
from holdfast.operations.stats import backup_stats
from holdfast.operations.status import backup_status
from holdfast.operations.verify import verify_backups
from unit.operations.app import App, failing


def broken() -> BackendError:
    return BackendError(url="/fake", object="something", reason="told to fail")


def test_copies_of_one_backup_are_one_line_newest_first(app: App) -> None:
    first = app.create()
    second = app.create(targets=("offsite",), type=BackupType.DATABASE)
    listing = list_backups(app.context, ListRequest())
    assert [backup.backup_id for backup in listing.backups] == [second.backup_id, first.backup_id]
    assert [copy.target for copy in listing.backups[1].copies] == ["local", "offsite"]
    assert listing.failure is None
    only = list_backups(app.context, ListRequest(type=BackupType.FULL))
    assert [backup.backup_id for backup in only.backups] == [first.backup_id]
    plain(listing)


def test_a_target_that_cannot_be_asked_is_never_passed_over_silently(app: App) -> None:
    app.create()
    app.targets["local"].step = failing("backups", broken)
    listing = list_backups(app.context, ListRequest())
    assert len(listing.backups) == 1
    assert [copy.target for copy in listing.unreachable] == ["local"]
    assert isinstance(listing.failure, BackendError)
    stats = backup_stats(app.context, ListRequest())
    assert isinstance(stats.failure, BackendError)
    status = backup_status(app.context, StatusRequest())
    assert isinstance(status.failure, BackendError)


def test_showing_one(app: App) -> None:
    report = app.create()
    assert show_backup(app.context, ShowRequest()).backup_id == report.backup_id
    assert len(show_backup(app.context, ShowRequest(what=report.backup_id)).copies) == 2
    with pytest.raises(BackupNotFound):
        show_backup(app.context, ShowRequest(what="backup_2020_01_01_00_00_00"))
    with pytest.raises(BackupIdInvalid):
        show_backup(app.context, ShowRequest(what="nonsense"))
    with pytest.raises(UnknownName):
        show_backup(app.context, ShowRequest(targets=("nowhere",)))


def test_totals(app: App) -> None:
    assert backup_stats(app.context, ListRequest()).average_size == 0
    reports = [app.create(), app.create(type=BackupType.DATABASE)]
    stats = backup_stats(app.context, ListRequest())
    assert stats.total_backups == 2
    assert stats.total_size == sum(report.stored_bytes for report in reports)
    assert stats.average_size == stats.total_size // 2
    assert stats.total_size_mb == round(stats.total_size / 1024 / 1024, 2)
    assert stats.by_type == {"full": 1, "database": 1}
    assert stats.by_target == {"local": 2, "offsite": 2}
    assert stats.newest_backup is not None
    assert stats.oldest_backup is not None
    assert (stats.newest_backup - stats.oldest_backup).total_seconds() == 3600


def test_verifying_reads_every_copy_whatever_the_others_are_like(app: App) -> None:
    first, second = app.create(), app.create()
    app.targets["local"].damage(second.backup_id, "storage")
    report = verify_backups(app.context, VerifyRequest())
    assert len(report.copies) == 4
    assert isinstance(report.failure, BackupDamaged)
    assert report.failure.exit_code == 4
    damaged = [stored for stored in app.targets["local"].backups() if stored.marks.damaged_at]
    assert [stored.backup_id for stored in damaged] == [second.backup_id]
    assert damaged[0].marks.verified_at is None
    assert "is damaged" in app.log.read_text()
    one = verify_backups(app.context, VerifyRequest(what=first.backup_id))
    assert one.failure is None
    assert len(one.copies) == 2


def test_a_copy_that_reads_back_right_again_is_no_longer_damaged(app: App) -> None:
    report = app.create()
    for _ in range(2):
        app.targets["local"].damage(report.backup_id, "storage")
        verify_backups(app.context, VerifyRequest())
    assert app.targets["local"].backups()[0].marks.damaged_at is None


def test_a_copy_that_cannot_be_read_is_not_called_damaged(app: App) -> None:
    app.create()
    app.targets["offsite"].step = failing("verify", broken)
    report = verify_backups(app.context, VerifyRequest())
    assert isinstance(report.failure, BackendError)
    assert app.targets["offsite"].backups()[0].marks.damaged_at is None


def test_freshness(make_app: Callable[..., App]) -> None:
    app = make_app(max_age_s={"": 7200.0, "storage": 3600.0})
    status = backup_status(app.context, StatusRequest())
    assert isinstance(status.failure, BackupTooOld)
    assert "no good backup of database" in str(status.failure)
    app.create()
    assert backup_status(app.context, StatusRequest()).failure is None
    app.clock.advance(3601)
    status = backup_status(app.context, StatusRequest())
    assert [source.late for source in status.sources] == [False, True]
    assert isinstance(status.failure, BackupTooOld)
    assert status.failure.exit_code == 5
    assert backup_status(app.context, StatusRequest(max_age_s=1e6)).failure is None
    assert len(backup_status(app.context, StatusRequest(sources=("database",))).sources) == 1


def test_a_backup_from_the_future_proves_nothing(make_app: Callable[..., App]) -> None:
    app = make_app(max_age_s={"": 7200.0})
    app.create()
    app.clock.advance(-86400)
    assert isinstance(backup_status(app.context, StatusRequest()).failure, BackupTooOld)


def test_log_lines_look_like_those_of_logging_and_stay_lines(app: App) -> None:
    log.write(app.context, log.INFO, "a name\nwith\x1b[31m ends \u202e and \udcff")
    line = app.log.read_text()
    assert re.fullmatch(r"2024-01-01 12:00:00,000 - INFO - a name with \[31m ends   and .*\n", line)


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(make_app: Callable[..., App], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    app = make_app(log_paths=(tmp_path / "folder",))
    assert app.create().failure is None
    assert "log-failed" in app.warnings()
    for _ in range(2):
        app.events.clear()
        app.sources["storage"].files.popitem()
        app.create()
        told = [event for event in app.events if isinstance(event, Warned) and event.code == "log-failed"]
        assert len(told) == 1, "once for each run, however many lines there were"


def test_the_log_of_a_whole_life_can_be_searched(app: App) -> None:
    app.create()
    app.targets["local"].step = app.targets["offsite"].step = failing("commit", broken)
    with pytest.raises(BackendError):
        app.create()
    text = app.log.read_text()
    assert len([line for line in text.splitlines() if "Backup completed successfully" in line]) == 1
    assert len([line for line in text.splitlines() if " - ERROR - " in line]) == 1
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [A-Z]+ - ", line) for line in text.splitlines())
