"""Cron lines: five fields, or a word for a common one, as sets of numbers."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

import msgspec

from holdfast.errors import Phrase

WORDS = {"hourly": "0 * * * *", "daily": "0 2 * * *", "weekly": "0 3 * * 0", "monthly": "0 4 1 * *"}
"""What we mean by them: hours in which little is going on."""

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What cron means by them."""

_ITEM = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?\Z")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY = 7


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


class CronLine(msgspec.Struct, frozen=True, kw_only=True):
    """A cron line that was read.

    Attributes:
        weekdays: 0 is Sunday, 6 is Saturday.
        both_days: a day must fit the days of the month *and* those of the week; otherwise one of them is enough. As in
            cron, this is so where either field begins with a star.
        fixed: it names its hours and minutes, so that each of its times happens exactly once a day even where clocks
            change. As in cron, this is so where neither field begins with a star.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both_days: bool
    fixed: bool

    def takes(self, day: date) -> bool:
        """Whether something is due on a day."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        return (in_month and in_week) if self.both_days else (in_month or in_week)


def schedule_problem(text: str) -> Phrase | None:
    """What is wrong with a schedule; None if nothing is."""
    read = _read(text)
    return read if isinstance(read, Phrase) else None


def parse_cron(text: str) -> CronLine:
    """Reads a schedule: five fields, one of `WORDS` or one of `ALIASES`.

    Raises:
        ValueError: `schedule_problem` finds something wrong with it.
    """
    read = _read(text)
    if isinstance(read, Phrase):
        raise ValueError(str(read))
    return read


def _read(text: str) -> CronLine | Phrase:
    parts = {**WORDS, **ALIASES}.get(text, text).lower().split()
    if len(parts) != len(_FIELDS):
        known = ", ".join(WORDS)
        return Phrase("a schedule is five fields of cron such as 0 2 * * *, or one of {known}", {"known": known})
    allowed: list[frozenset[int]] = []
    for part, field in zip(parts, _FIELDS, strict=True):
        values = _values(part, field)
        if not values:
            named = {"part": part, "field": field.name, "low": field.low, "high": field.high}
            return Phrase("{part} is no {field} of a cron line ({low} to {high})", named)
        allowed.append(frozenset(values))
    minutes, hours, days, months, weekdays = allowed
    both_days = parts[2].startswith("*") or parts[4].startswith("*")
    if both_days and not any(_DAYS[month - 1] >= min(days) for month in months):
        return Phrase("no month among these has such a day", {})
    return CronLine(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(number % _SUNDAY for number in weekdays),
        both_days=both_days,
        fixed=not (parts[0].startswith("*") or parts[1].startswith("*")),
    )


def _values(part: str, field: _Field) -> set[int]:
    """The numbers a field stands for; none if it is malformed."""
    values: set[int] = set()
    for item in part.split(","):
        found = _ITEM.match(item)
        if found is None:
            return set()
        low = field.low if found["first"] is None else _number(found["first"], field)
        high = field.high if found["first"] is None else _number(found["last"] or found["first"], field)
        step = int(found["step"] or 1)
        lone = found["first"] is not None and found["last"] is None
        if low is None or high is None or low > high or step == 0 or (found["step"] and lone):
            return set()
        values |= {*range(low, high + 1, step)}
    return values


def _number(text: str, field: _Field) -> int | None:
    if text in field.words:
        return field.words.index(text) + (field.low if field.low == 1 else 0)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    return number if field.low <= number <= field.high else None


def plain_line(text: str) -> str:
    """A schedule as every cron takes it: five fields of numbers, without words."""
    parts = {**WORDS, **ALIASES}.get(text, text).lower().split()
    return " ".join(
        re.sub("[a-z]+", lambda found, field=field: str(_number(found[0], field)), part)  # type: ignore[misc]
        for part, field in zip(parts, _FIELDS, strict=True)
    )
