"""Reports are sent once each, in the morning after the time they are about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from holdfast.reports import MonthlyReport
from holdfast.reports.agenda import Kind, Task, begun, due
from unit.reports.material_kit import NOW, material, run

TEHRAN = ZoneInfo("Asia/Tehran")


def _keys(sent: dict[str, str], now: datetime) -> list[str]:
    return [f"{task.kind}:{task.key}" for task in due(sent, now, TEHRAN)]


def test_each_report_is_due_once_in_two_years_of_mornings() -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)
    sent = begun({}, now, TEHRAN)
    seen: list[str] = []
    for _hour in range(2 * 365 * 24):
        for task in due(sent, now, TEHRAN):
            assert now.astimezone(TEHRAN).hour >= 7
            seen.append(f"{task.kind}:{task.key}")
            sent = {**sent, task.kind.value: task.key}
        now += timedelta(hours=1)
    assert len(seen) == len(set(seen))
    kinds = [key.partition(":")[0] for key in seen]
    assert (kinds.count("daily"), kinds.count("monthly"), kinds.count("yearly")) == (730, 24, 2)
    assert kinds.count("performance") == 24


def test_after_an_outage_only_the_newest_of_each_is_sent() -> None:
    sent = begun({}, datetime(2026, 1, 10, tzinfo=UTC), TEHRAN)
    late = _keys(sent, datetime(2026, 6, 15, 12, tzinfo=UTC))
    assert late == ["daily:2026-06-14", "monthly:2026-05", "performance:2026-06"]


def test_who_switches_reports_on_does_not_hear_of_the_past() -> None:
    assert _keys({}, NOW) == []
    assert begun({"daily": "2026-05-01"}, NOW, TEHRAN)["daily"] == "2026-05-01"


def test_clock_that_goes_back_sends_nothing_again() -> None:
    sent = begun({}, datetime(2026, 6, 15, 12, tzinfo=UTC), TEHRAN)
    assert _keys(sent, datetime(2026, 5, 15, 12, tzinfo=UTC)) == []


def test_performance_of_a_past_month_looks_back_from_its_end() -> None:
    period = Task(kind=Kind.PERFORMANCE, day=date(2026, 5, 1)).period(NOW, UTC)
    assert (period.since, period.until) == (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    until_now = Task(kind=Kind.PERFORMANCE, day=date(2026, 5, 21), days=7).period(NOW, UTC)
    assert (until_now.since, until_now.until) == (datetime(2026, 5, 14, tzinfo=UTC), NOW)


def test_task_makes_its_report() -> None:
    made = Task(kind=Kind.MONTHLY, day=date(2026, 4, 30)).made(material(run(datetime(2026, 4, 2, tzinfo=UTC))))
    assert isinstance(made, MonthlyReport)
    assert (made.month, made.counts.total) == ("2026-04", 1)
