"""How the backup system performs, against runs whose figures are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.model.run import RunState
from holdfast.reports import PerformanceReport, performance
from holdfast.reports.performance import spread
from holdfast.reports.periods import last_days
from unit.reports.material_kit import MIB, NOW, failed, material, run

FIRST = datetime(2026, 5, 10, 2, 0, tzinfo=UTC)


def _report(*runs: object, **fields: object) -> PerformanceReport:
    given = material(*runs, **fields)  # type: ignore[arg-type]
    return performance(given, last_days(30, NOW, UTC))


def test_spread() -> None:
    assert spread([]).count == 0
    values = spread([float(number) for number in range(1, 101)])
    assert (values.median, values.p95, values.largest) == (50.5, 95.0, 100.0)
    assert (spread([3.0]).p95, spread([3.0]).median) == (3.0, 3.0)


def test_durations_rates_waits_and_failures() -> None:
    runs = [run(FIRST + timedelta(days=number)) for number in range(3)]
    slow = FIRST + timedelta(days=4)
    runs.append(run(slow, finished_at=slow + timedelta(seconds=240), not_before=slow - timedelta(seconds=70)))
    runs.append(failed(FIRST + timedelta(days=5)))
    runs.append(run(FIRST + timedelta(days=6), RunState.PARTIAL, attempt=2))
    report = _report(*runs)
    (backups,) = report.operations
    assert (backups.duration_s.median, backups.duration_s.largest) == (120.0, 240.0)
    assert backups.rate.median == MIB
    assert (report.waits_s.median, report.waits_s.largest) == (10.0, 70.0)
    assert report.failure_rate == pytest.approx(2 / 6)
    assert report.repeated == 1
    assert report.saved_ratio == 2.0
    assert [(each.stage, round(each.share, 2)) for each in report.stages] == [
        ("files", 0.9), ("commit", 0.09), ("preflight", 0.01),
    ]  # fmt: skip


def test_growth_is_the_line_through_full_backups() -> None:
    growing = [run(FIRST + timedelta(days=day), content_bytes=(100 + 3 * day) * MIB) for day in range(6)]
    others = [run(FIRST + timedelta(days=2, hours=1), type="database", content_bytes=1), failed(FIRST)]
    growth = _report(*growing, *others).growth_bytes_per_day
    assert growth == pytest.approx(3 * MIB)
    assert _report(*growing[:2]).growth_bytes_per_day is None


def test_forecast_says_when_a_target_is_full() -> None:
    runs = [run(NOW - timedelta(days=10 - day)) for day in range(10)]
    free: dict[str, int | None] = {"local": 30 * 60 * MIB, "bucket": None, "unused": 5}
    bucket, local, unused = _report(*runs, free_bytes=free).forecasts
    assert local.added_bytes_per_day == pytest.approx(60 * MIB)
    assert local.full_at is not None
    assert abs(local.full_at - (NOW + timedelta(days=30))) < timedelta(seconds=1)
    assert (bucket.target, bucket.full_at, unused.full_at) == ("bucket", None, None)


def test_forecast_of_a_target_that_hardly_fills_is_never() -> None:
    (local,) = _report(run(FIRST), free_bytes={"local": 1 << 62}).forecasts
    assert local.full_at is None


def test_clock_that_went_back_makes_no_negative_wait() -> None:
    report = _report(run(FIRST, not_before=FIRST + timedelta(hours=1)))
    assert report.waits_s.largest == 0.0


def test_nothing_happened() -> None:
    report = _report()
    assert (report.failure_rate, report.saved_ratio, report.operations, report.forecasts) == (None, None, (), ())
