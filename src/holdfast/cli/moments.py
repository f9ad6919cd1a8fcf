"""Moments and durations as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from holdfast.errors import InvalidTime, Phrase, UsageError

_DURATION = re.compile(r"(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?\Z")
_UNITS_S = (604_800, 86_400, 3_600, 60, 1)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def parse_seconds(text: str) -> float:
    """Reads a duration such as `24h`, `1d12h` or `90m`, in seconds.

    Raises:
        UsageError: the text is anything else.
    """
    found = _DURATION.match(text.strip())
    if found is None or not any(found.groups()):
        raise UsageError(detail=Phrase("{text!r} is not a length of time such as 90m, 24h or 7d", {"text": text}))
    return float(sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_S, strict=True)))


def parse_moment(text: str, now: datetime, zone: tzinfo, *, end_of_day: bool = False) -> datetime:
    """Reads a moment: a date, a date and a time, or how long ago it was. In UTC.

    Args:
        text: as in `2026-01-31`, `2026-01-31T23:59:00Z`, `2026-01-31 23:59`, `36h`.
        now: the present, aware.
        zone: of times that name none.
        end_of_day: a date alone means its last moment, not its first.

    Raises:
        InvalidTime: the text is anything else.
    """
    written = text.strip()
    try:
        return now - timedelta(seconds=parse_seconds(written))
    except (UsageError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        if end_of_day and _DATE.match(written):
            moment += timedelta(days=1) - timedelta(microseconds=1)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidTime(text=text) from None
