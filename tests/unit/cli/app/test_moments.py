"""Moments and durations as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from holdfast.cli.moments import parse_moment, parse_seconds
from holdfast.errors import InvalidTime, UsageError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86_400), ("1d12h", 129_600), ("90m", 5_400), ("2w", 1_209_600), ("1h30m15s", 5_415), (" 7d ", 604_800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "24", "h", "12h1d", "-1d", "1.5h", "1d1d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="length of time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-30T23:59:00Z", datetime(2026, 1, 30, 23, 59, tzinfo=UTC)),
        ("2026-01-30 23:59", datetime(2026, 1, 30, 23, 59, tzinfo=UTC)),
        ("2026-01-30T23:59:00+03:30", datetime(2026, 1, 30, 20, 29, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("36h", datetime(2026, 1, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW, UTC) == moment


def test_a_time_without_a_zone_is_in_that_of_the_application() -> None:
    assert parse_moment("2026-01-30 02:00", NOW, ZoneInfo("Europe/Istanbul")) == datetime(
        2026, 1, 29, 23, 0, tzinfo=UTC
    )


def test_a_date_can_mean_its_last_moment() -> None:
    found = parse_moment("2026-01-30", NOW, UTC, end_of_day=True)
    assert found == datetime(2026, 1, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    assert parse_moment("2026-01-30 00:00", NOW, UTC, end_of_day=True) == datetime(2026, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-02-30", "0001-01-01T00:00:00+23:59", "99999999999w"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_moment(text, NOW, UTC)
