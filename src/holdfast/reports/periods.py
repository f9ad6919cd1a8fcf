"""Days, months and years as people of a time zone count them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple


class Period(NamedTuple):
    """From `since` on, up to and without `until`; both in UTC."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= moment < self.until


def day_of(day: date, zone: tzinfo) -> Period:
    """A day; with a change of the clock it has 23 or 25 hours."""
    return Period(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def month_of(year: int, month: int, zone: tzinfo) -> Period:
    """A month."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return Period(_midnight(date(year, month, 1), zone), _midnight(following, zone))


def year_of(year: int, zone: tzinfo) -> Period:
    """A year."""
    return Period(_midnight(date(year, 1, 1), zone), _midnight(date(year + 1, 1, 1), zone))


def last_days(count: int, now: datetime, zone: tzinfo) -> Period:
    """So many days up to now, the day of `now` included."""
    today = now.astimezone(zone).date()
    return Period(_midnight(today - timedelta(days=count - 1), zone), now)


def days_before(count: int, day: date, zone: tzinfo) -> Period:
    """So many days before a day, which is not one of them."""
    return Period(_midnight(day - timedelta(days=count), zone), _midnight(day, zone))


def days_in(period: Period, zone: tzinfo) -> list[date]:
    """The days a period touches, in order."""
    first, last = period.since.astimezone(zone).date(), (period.until - timedelta(microseconds=1)).astimezone(zone)
    return [first + timedelta(days=number) for number in range((last.date() - first).days + 1)]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
