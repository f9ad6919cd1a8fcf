"""Durations of whole years, months, days and hours, as people write them: `1y5m7d2h`."""

from __future__ import annotations

import re

import msgspec

from holdfast.errors import InvalidDuration
from holdfast.model.instant import Instant
from holdfast.policy import calendar

_PART = re.compile(r"([0-9]{1,6})([ymdh])")
_UNITS = {"y": "years", "m": "months", "d": "days", "h": "hours"}


class CalendarDuration(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Years and months have no fixed length: they are steps in the calendar."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    def __bool__(self) -> bool:
        """Whether it is longer than nothing."""
        return self != _NONE

    def __str__(self) -> str:
        parts = ((self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{number}{unit}" for number, unit in parts if number) or "0h"

    def before(self, instant: Instant) -> Instant:
        """The instant this long before another, counted in the calendar of that one's zone.

        A day that the month does not have runs over into the next month: one month before 31 March is 3 March
        (2 March in a leap year). Hours are subtracted last.
        """
        offset_ns = instant.offset_s * calendar.SECOND_NS
        day_number, within_day_ns = divmod(instant.ns + offset_ns, calendar.DAY_NS)
        year, month, day = calendar.civil_of(day_number)
        moved = calendar.day_number_of(year - self.years, month - self.months, day - self.days)
        ns = moved * calendar.DAY_NS + within_day_ns - offset_ns - self.hours * calendar.HOUR_NS
        return Instant(ns=ns, offset_s=instant.offset_s)


_NONE = CalendarDuration()


def parse(text: str) -> CalendarDuration:
    """Reads a duration such as `2y5m7d3h`; each unit at most once, in any order; empty text is no time at all.

    Raises:
        InvalidDuration: the text is anything else.
    """
    found: dict[str, int] = {}
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or _UNITS[part[2]] in found:
            raise InvalidDuration(text=text)
        found[_UNITS[part[2]]] = int(part[1])
        position = part.end()
    return CalendarDuration(**found)
