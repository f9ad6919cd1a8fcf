"""Whether a schedule is one: a cron line, or a word for a common one."""

from __future__ import annotations

import re
from typing import NamedTuple

from holdfast.errors import Phrase

WORDS = ("hourly", "daily", "weekly", "monthly")

_ITEM = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]+))?\Z")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


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


def schedule_problem(text: str) -> Phrase | None:
    """What is wrong with a schedule; None if nothing is."""
    if text in WORDS:
        return None
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        known = ", ".join(WORDS)
        return Phrase("a schedule is five fields of cron such as 0 2 * * *, or one of {known}", {"known": known})
    allowed: list[set[int]] = []
    for part, field in zip(parts, _FIELDS, strict=True):
        values = _values(part, field)
        if not values:
            named = {"part": part, "field": field.name, "low": field.low, "high": field.high}
            return Phrase("{part} is no {field} of a cron line ({low} to {high})", named)
        allowed.append(values)
    if parts[4] == "*" and not any(_DAYS[month - 1] >= min(allowed[2]) for month in allowed[3]):
        return Phrase("no month among these has such a day", {})
    return None


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
