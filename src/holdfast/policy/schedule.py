"""When a schedule is due, on the clock of a time zone, whatever that clock does.

Where clocks change, the rules are those of cron. A line that names its hours and minutes is due once for each time it
names: one that the clock skips is due at the moment after the gap, one that the clock shows twice at its first showing.
A line with a star for hours or minutes follows the clock: it is due whenever the clock shows a time that fits.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from holdfast.policy.cron import CronLine, parse_cron

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
# The longest wait is for a 29 February on one weekday, over a year such as 2100 that is no leap year.
_SEARCHED_DAYS = 366 * 100


class Schedule:
    """A schedule in a time zone.

    Attributes:
        text: as it was written.
        line: what it says.
        zone: whose clock counts.
    """

    def __init__(self, text: str, line: CronLine, zone: tzinfo) -> None:
        self.text = text
        self.line = line
        self.zone = zone
        self._on = lru_cache(maxsize=16)(self._moments)

    @classmethod
    def parse(cls, text: str, zone: tzinfo) -> Schedule:
        """Reads five fields of cron or a word for them.

        Raises:
            ValueError: it is neither; `holdfast.policy.cron.schedule_problem` says why.
        """
        return cls(text, parse_cron(text), zone)

    def next_after(self, moment: datetime) -> datetime:
        """The first moment after this one at which it is due, in UTC."""
        # A gap can move a moment of the day before to here.
        day = _local_day(moment, self.zone) - _DAY
        for _ in range(_SEARCHED_DAYS):
            for due in self._on(day):
                if due > moment:
                    return due
            day += _DAY
        raise ValueError(f"nothing is due after {moment}: {self.text}")

    def previous_at_or_before(self, moment: datetime) -> datetime:
        """The last moment at which it was due, this one included, in UTC."""
        day = _local_day(moment, self.zone) + _DAY
        for _ in range(_SEARCHED_DAYS):
            for due in reversed(self._on(day)):
                if due <= moment:
                    return due
            day -= _DAY
        raise ValueError(f"nothing was due before {moment}: {self.text}")

    def start_of(self, due: datetime, spread_s: float) -> datetime:
        """When a run begins that is due then: later by the spread, but not more than half way to the next one."""
        if not spread_s:
            return due
        half_way = (self.next_after(due) - due) / 2
        return due + min(timedelta(seconds=spread_s), half_way)

    def between(self, after: datetime, until: datetime) -> list[datetime]:
        """All moments later than `after` and not later than `until`, in order, in UTC."""
        found: list[datetime] = []
        day, last = _local_day(after, self.zone) - _DAY, _local_day(until, self.zone) + _DAY
        while day <= last:
            # One moment can come from two days: a gap may swallow the end of one and the beginning of the next.
            found += [due for due in self._on(day) if after < due <= until and (not found or due > found[-1])]
            day += _DAY
        return found

    def _moments(self, day: date) -> tuple[datetime, ...]:
        """Everything that is due on a day of the zone's calendar, in order, in UTC."""
        if not self.line.takes(day):
            return ()
        times = [time(hour, minute) for hour in sorted(self.line.hours) for minute in sorted(self.line.minutes)]
        midnight = datetime.combine(day, time(), self.zone)
        offset = midnight.utcoffset()
        if offset == (midnight + _DAY).replace(fold=1).utcoffset():
            # The clock does not change on this day.
            first = midnight.astimezone(UTC)
            return tuple(first + timedelta(hours=one.hour, minutes=one.minute) for one in times)
        return tuple(sorted({due for one in times for due in self._showings(datetime.combine(day, one))}))

    def _showings(self, shown: datetime) -> list[datetime]:
        """The moments a wall clock shows a time that count, by the rules at the top of this file."""
        first, second = (shown.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if not _shows(first, shown, self.zone):
            return [self._after_gap(shown)] if self.line.fixed else []
        return [first] if self.line.fixed or first == second else [first, second]

    def _after_gap(self, shown: datetime) -> datetime:
        while not _shows(moment := shown.replace(tzinfo=self.zone).astimezone(UTC), shown, self.zone):
            shown += _MINUTE
        return moment


def _shows(moment: datetime, shown: datetime, zone: tzinfo) -> bool:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0) == shown


def _local_day(moment: datetime, zone: tzinfo) -> date:
    return moment.astimezone(zone).date()


@lru_cache(maxsize=256)
def schedule_of(text: str, timezone: str) -> Schedule:
    """A schedule in a zone of the IANA database, read once.

    Raises:
        ValueError: the schedule is none.
        ZoneInfoNotFoundError: there is no such zone.
    """
    return Schedule.parse(text, ZoneInfo(timezone))


def spread_s(app: str, policy: str, host: str, jitter_s: float) -> float:
    """By how many seconds the runs of a policy start later on this host: at least 0, less than `jitter_s`.

    Always the same for the same names, so that the distance between two runs stays what the schedule says.
    """
    digest = hashlib.sha256(f"{app}\0{policy}\0{host}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48) * max(0.0, jitter_s)
