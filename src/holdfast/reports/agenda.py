"""Which reports are asked for: by whom it is typed, and by the calendar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

import msgspec

from holdfast.reports.figures import Report
from holdfast.reports.history import RESTORING, daily, monthly, yearly
from holdfast.reports.material import Material
from holdfast.reports.performance import performance
from holdfast.reports.periods import Period, day_of, days_before, last_days, month_of, year_of

HOUR = 7
"""At this hour of the morning reports on what is over are due."""

PERFORMANCE_DAYS = 30


class Kind(StrEnum):
    """The kinds of report."""

    DAILY = "daily"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    PERFORMANCE = "performance"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One report to be made.

    Attributes:
        day: a day of the time in question; for performance the day after it.
        days: how many days a report on performance looks back.
    """

    kind: Kind
    day: date
    days: int = PERFORMANCE_DAYS

    @property
    def key(self) -> str:
        """Names the time in question: `2026-05-12`, `2026-05` or `2026`."""
        return {Kind.YEARLY: f"{self.day.year:04}", Kind.DAILY: self.day.isoformat()}.get(
            self.kind, f"{self.day:%Y-%m}"
        )

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations whose runs it looks at; empty for all."""
        return {Kind.MONTHLY: ("create",), Kind.YEARLY: RESTORING}.get(self.kind, ())

    def period(self, now: datetime, zone: tzinfo) -> Period:
        """The time in question."""
        if self.kind is Kind.DAILY:
            return day_of(self.day, zone)
        if self.kind is Kind.MONTHLY:
            return month_of(self.day.year, self.day.month, zone)
        if self.kind is Kind.YEARLY:
            return year_of(self.day.year, zone)
        today = now.astimezone(zone).date()
        return last_days(self.days, now, zone) if self.day > today else days_before(self.days, self.day, zone)

    def made(self, material: Material) -> Report:
        """The report."""
        if self.kind is Kind.DAILY:
            return daily(material, self.day)
        if self.kind is Kind.MONTHLY:
            return monthly(material, self.day.year, self.day.month)
        if self.kind is Kind.YEARLY:
            return yearly(material, self.day.year)
        return performance(material, self.period(material.now, material.zone))


def due(sent: Mapping[str, str], now: datetime, zone: tzinfo) -> list[Task]:
    """Reports on what is over, that were not sent yet: the newest of each kind, however many were missed.

    Args:
        sent: by kind, the key of the newest report that was sent. A kind that is not in it begins today: nobody who
            switches reports on wants to hear of last year first.
        now: the present.
        zone: whose morning counts.
    """
    local = now.astimezone(zone)
    morning = local.date() if local.hour >= HOUR else local.date() - timedelta(days=1)
    first = morning.replace(day=1)
    tasks = [
        Task(kind=Kind.DAILY, day=morning - timedelta(days=1)),
        Task(kind=Kind.MONTHLY, day=first - timedelta(days=1)),
        Task(kind=Kind.PERFORMANCE, day=first),
        Task(kind=Kind.YEARLY, day=morning.replace(year=morning.year - 1, month=12, day=31)),
    ]
    return [task for task in tasks if sent.get(task.kind.value, task.key) < task.key]


def begun(sent: Mapping[str, str], now: datetime, zone: tzinfo) -> dict[str, str]:
    """What to remember where nothing was sent yet: all that is over counts as sent."""
    overdue = due(dict.fromkeys(Kind, ""), now, zone)
    return {**{task.kind.value: task.key for task in overdue}, **sent}
