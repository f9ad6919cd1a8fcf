"""What reports count, against runs whose figures are known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from holdfast.model.run import RunState
from holdfast.reports import daily, monthly, yearly
from holdfast.reports.periods import day_of, last_days, month_of, year_of
from unit.reports.material_kit import MIB, NOW, copy, failed, material, run

DAY = datetime(2026, 5, 12, 2, 0, tzinfo=UTC)


def test_daily_report_has_the_runs_of_its_day() -> None:
    runs = [run(DAY), failed(DAY + timedelta(hours=1)), run(DAY - timedelta(days=1)), run(DAY + timedelta(days=1))]
    verified = run(DAY + timedelta(hours=3), operation="verify", type="")
    report = daily(material(*runs, verified, copies=[copy(DAY), copy(DAY, "off")]), date(2026, 5, 12))
    assert (report.counts.succeeded, report.counts.failed, report.counts.total) == (1, 1, 2)
    assert [line.state for line in report.backups] == ["succeeded", "failed"]
    assert [line.operation for line in report.others] == ["verify"]
    assert (report.content_bytes, report.stored_bytes) == (120 * MIB, 60 * MIB)
    assert (report.kept.backups, report.kept.copies, report.kept.stored_bytes) == (1, 2, 120 * MIB)
    assert report.kept.average_bytes == 60 * MIB


def test_runs_of_another_application_do_not_count() -> None:
    assert daily(material(run(DAY, app="other")), date(2026, 5, 12)).counts.total == 0


@pytest.mark.parametrize(("zone", "day"), [("Asia/Tehran", 13), ("UTC", 12), ("America/New_York", 12)])
def test_days_are_those_of_the_zone(zone: str, day: int) -> None:
    late = datetime(2026, 5, 12, 23, 0, tzinfo=UTC)
    assert daily(material(run(late), zone=ZoneInfo(zone)), date(2026, 5, day)).counts.total == 1


def test_day_of_a_clock_change_is_longer_or_shorter() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    hours = [(day_of(date(2026, *day), berlin)) for day in ((3, 29), (10, 25), (6, 1))]
    assert [(each.until - each.since) / timedelta(hours=1) for each in hours] == [23, 25, 24]
    assert month_of(2026, 12, UTC).until == year_of(2026, UTC).until
    assert last_days(1, NOW, UTC).since == datetime(2026, 5, 20, tzinfo=UTC)


def test_monthly_report_adds_up() -> None:
    days = [datetime(2026, 5, number, 2, 0, tzinfo=UTC) for number in range(1, 20)]
    runs = [*map(run, days[:15]), *map(failed, days[15:]), run(days[0], RunState.CANCELLED)]
    runs += [run(days[3] + timedelta(hours=5), type="database", stored_bytes=MIB)]
    report = monthly(material(*runs), 2026, 5)
    assert (report.counts.succeeded, report.counts.failed, report.counts.cancelled) == (16, 4, 1)
    assert report.success_rate == pytest.approx(0.8)
    assert len(report.days) == 20, "days that have not come yet are left out"
    assert sum(day.counts.total for day in report.days) == report.counts.total
    assert sum(day.stored_bytes for day in report.days) == report.stored_bytes
    assert [(each.type, each.average_bytes) for each in report.types] == [
        ("database", MIB), ("full", round(16 * 60 * MIB / 20)),
    ]  # fmt: skip
    assert [(cause.code, cause.count) for cause in report.causes] == [("dump-failed", 4)]


def test_month_without_runs_and_month_to_come() -> None:
    empty = monthly(material(), 2026, 4)
    assert (empty.success_rate, len(empty.days), empty.kept.newest_at) == (None, 30, None)
    assert monthly(material(), 2027, 1).days == ()


def test_yearly_report_has_restores_rehearsals_and_downloads() -> None:
    runs = [
        run(datetime(2026, 2, 1, tzinfo=UTC), operation="restore", actor="user:1"),
        run(datetime(2026, 2, 2, tzinfo=UTC), RunState.FAILED, operation="restore"),
        run(datetime(2026, 3, 2, tzinfo=UTC), operation="drill", finished_at=datetime(2026, 3, 2, 1, tzinfo=UTC)),
        run(datetime(2026, 4, 2, tzinfo=UTC), operation="export"),
        run(datetime(2026, 4, 3, tzinfo=UTC)),
        run(datetime(2025, 4, 3, tzinfo=UTC), operation="restore"),
    ]
    report = yearly(material(*runs), 2026)
    assert [line.operation for line in report.restores] == ["restore", "restore", "drill", "export"]
    assert [month.counts.total for month in report.months] == [0, 2, 1, 1] + [0] * 8
    assert (report.longest_s, report.average_s) == (3600.0, (120 + 120 + 3600) / 3)
    assert report.last_good_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert yearly(material(), 2026).last_good_at is None
