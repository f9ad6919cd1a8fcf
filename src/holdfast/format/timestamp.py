"""RFC 3339 times with nanoseconds, written and read as Go's encoder does.

The calendar is the proleptic Gregorian one, with a year 0.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

from holdfast.errors import FormatError
from holdfast.model.instant import Instant

NS_PER_S = 1_000_000_000
GO_ZERO_NS = -62_135_596_800 * NS_PER_S
"""0001-01-01T00:00:00Z, what Go calls the zero time and what an absent time means."""

_DAY_S = 86_400
_FIRST_DAY = -719_162
"""0001-01-01 in days since 1970-01-01."""
_CYCLE_DAYS = 146_097
_MINUTES = tuple(f"T{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}" for second in range(60))
_SHAPE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,40}))?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))\Z"
)
# INVARIANT: naive on both sides and used for arithmetic only; everything here is UTC.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def render(ns: int, offset_s: int = 0) -> str:
    """A time as Go writes it: trailing zeros of the fraction removed, `Z` or `±hh:mm`.

    Args:
        ns: nanoseconds since 1970-01-01 UTC. A year outside 0..9999 is replaced by the nearest of those.
        offset_s: zone offset; cut to whole minutes, which the format can say.
    """
    minutes = int(offset_s / 60)
    if not minutes:
        return render_utc(ns)
    seconds, fraction = divmod(ns, NS_PER_S)
    text = _second_text(seconds + 60 * minutes)
    if fraction:
        text += f".{fraction:09d}".rstrip("0")
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return f"{text}{sign}{hours:02d}:{minutes:02d}"


def render_instant(instant: Instant) -> str:
    """A time in the zone it came in."""
    return render(instant.ns, instant.offset_s)


@lru_cache(maxsize=8192)
def render_utc(ns: int) -> str:
    """`render` for UTC, remembering recent answers: trees repeat times."""
    seconds, fraction = divmod(ns, NS_PER_S)
    text = _second_text(seconds)
    return f"{text}.{str(NS_PER_S + fraction)[1:].rstrip('0')}Z" if fraction else text + "Z"


def _second_text(seconds: int) -> str:
    days, second_of_day = divmod(seconds, _DAY_S)
    minute, second = divmod(second_of_day, 60)
    return _day_text(days) + _MINUTES[minute] + _SECONDS[second]


@lru_cache(maxsize=4096)
def _day_text(days: int) -> str:
    # `date` knows the years 1 to 9999; the calendar repeats every 400 years.
    cycles, day_of_cycle = divmod(days - _FIRST_DAY, _CYCLE_DAYS)
    day = date.fromordinal(day_of_cycle + 1)
    year = day.year + 400 * cycles
    if year > 9999:
        # COMPAT(restic): the year alone is replaced, and 9999 has no 29 February.
        day = day.replace(month=3, day=1) if (day.month, day.day) == (2, 29) else day
    return f"{min(max(year, 0), 9999):04d}-{day.month:02d}-{day.day:02d}"


def parse(text: str, what: object = "time") -> Instant:
    """Reads a time with any offset and any number of fractional digits (nanoseconds count, the rest is cut).

    Args:
        what: the document it stands in, for the error.

    Raises:
        FormatError: not a time as Go's decoder takes it, or a date that does not exist.
    """
    ns, offset_s = _parse(text, what)
    return Instant(ns=ns, offset_s=offset_s)


@lru_cache(maxsize=8192)
def parse_ns(text: str) -> int:
    """Nanoseconds since 1970-01-01 UTC, remembering recent answers: trees repeat times."""
    return _parse(text, "time")[0]


def _parse(text: str, what: object) -> tuple[int, int]:
    match = _SHAPE.match(text)
    if match is None:
        raise _malformed(what)
    moment, fraction, sign, hours, minutes = match.groups()
    offset_s = 0
    if sign:
        offset_s = int(hours) * 3600 + int(minutes) * 60
        if sign == "-":
            offset_s = -offset_s
    ns = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return (_parse_seconds(moment, what) - offset_s) * NS_PER_S + ns, offset_s


def _parse_seconds(text: str, what: object) -> int:
    shift_s = 0
    if text.startswith("0000"):
        # `datetime` knows no year 0; it has the calendar of year 4, which begins 1461 days later.
        text, shift_s = "0004" + text[4:], -1461 * _DAY_S
    try:
        delta = datetime.fromisoformat(text) - _EPOCH
    except ValueError as error:
        raise _malformed(what) from error
    return delta.days * _DAY_S + delta.seconds + shift_s


def _malformed(what: object) -> FormatError:
    return FormatError(object=what, reason="a time is not in RFC 3339 form")
