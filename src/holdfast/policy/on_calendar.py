"""Schedules in the words of systemd's `OnCalendar=`, where those can say exactly the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo

from holdfast.errors import Phrase
from holdfast.policy.schedule import Schedule

_DAY = timedelta(days=1)
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_YEARS = 30
_WEEK = 7


def on_calendar(schedule: Schedule, timezone: str, now: datetime) -> tuple[str, ...] | Phrase:
    """The lines that together are due when the schedule is, for the next 30 years; or why there are none.

    systemd leaves out a time that the clock skips, and takes the first of two. For a schedule of fixed times what is
    due after a gap gets a line of its own, such as `Sun *-3-8..14 3:0:0`. A schedule that follows the clock is said in
    UTC if it is the same every hour.

    Args:
        schedule: in a zone of the IANA database.
        timezone: the name of that zone.
        now: from when on it counts.
    """
    lines, changes = _plain(schedule, timezone), _changes(schedule, now)
    missing = {due for day in changes for due in _due_on(schedule, day) - _as_systemd(schedule, day)}
    if not missing:
        return lines
    if not schedule.line.fixed:
        return _every_hour(schedule, changes) or Phrase(
            "{schedule} in {zone} is due twice where clocks are set back, which systemd cannot say",
            {"schedule": schedule.text, "zone": timezone},
        )
    more = _after_gaps(missing, schedule, timezone, now)
    return more if isinstance(more, Phrase) else (*lines, *more)


def _plain(schedule: Schedule, timezone: str) -> tuple[str, ...]:
    line = schedule.line
    at = f"{_list(line.hours, range(24))}:{_list(line.minutes, range(60))}:0 {timezone}"
    months, days = _list(line.months, range(1, 13)), _list(line.days, range(1, 32))
    weekdays = "" if len(line.weekdays) == _WEEK else ",".join(_WEEKDAYS[day] for day in sorted(line.weekdays)) + " "
    if line.both_days:
        return (f"{weekdays}*-{months}-{days} {at}",)
    return f"*-{months}-{days} {at}", f"{weekdays}*-{months}-* {at}"


def _list(values: Collection[int], everything: Collection[int]) -> str:
    return "*" if len(values) == len(everything) else ",".join(map(str, sorted(values)))


def _changes(schedule: Schedule, now: datetime) -> list[date]:
    """Days around which the clock of the zone changes, and their neighbours."""
    first = now.astimezone(schedule.zone).date().replace(month=1, day=1)
    days = [first + _DAY * number for number in range(_YEARS * 366)]
    offsets = [datetime(day.year, day.month, day.day, tzinfo=schedule.zone).utcoffset() for day in days]
    found = {days[number - 1] for number in range(1, len(days)) if offsets[number] != offsets[number - 1]}
    return sorted({day + _DAY * step for day in found for step in (-1, 0, 1)})


def _due_on(schedule: Schedule, day: date) -> set[datetime]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=schedule.zone).astimezone(UTC)
    return set(schedule.between(midnight - timedelta(seconds=1), midnight + _DAY * 1.5))


def _as_systemd(schedule: Schedule, day: date) -> set[datetime]:
    """What systemd makes of the plain lines on a day and half the next one."""
    found: set[datetime] = set()
    for one in (day - _DAY, day, day + _DAY, day + 2 * _DAY):
        if not schedule.line.takes(one):
            continue
        for hour in schedule.line.hours:
            for minute in schedule.line.minutes:
                shown = datetime(one.year, one.month, one.day, hour, minute)  # noqa: DTZ001 - what a clock shows
                moment = shown.replace(tzinfo=schedule.zone).astimezone(UTC)
                if moment.astimezone(schedule.zone).replace(tzinfo=None) == shown:
                    found.add(moment)
    return found


def _every_hour(schedule: Schedule, changes: Iterable[date]) -> tuple[str, ...] | None:
    line = schedule.line
    everything = (len(line.hours), len(line.days), len(line.months), len(line.weekdays)) == (24, 31, 12, _WEEK)
    offsets = {
        int((datetime(day.year, day.month, day.day, tzinfo=schedule.zone).utcoffset() or timedelta()).total_seconds())
        for day in changes
    }
    shifts = {offset // 60 % 60 for offset in offsets}
    if not everything or len(shifts) != 1:
        return None
    shift = shifts.pop()
    minutes = {(minute - shift) % 60 for minute in line.minutes}
    return (f"*-*-* *:{_list(minutes, range(60))}:0 UTC",)


def _after_gaps(missing: set[datetime], schedule: Schedule, timezone: str, now: datetime) -> tuple[str, ...] | Phrase:
    """Lines for what is due after a gap: a weekday within seven days of a month, as the rules of most zones say."""
    groups: dict[tuple[int, int, str], list[date]] = {}
    for due in missing:
        shown = due.astimezone(schedule.zone)
        key = (shown.month, shown.isoweekday() % _WEEK, f"{shown.hour}:{shown.minute}:0")
        groups.setdefault(key, []).append(shown.date())
    lines: list[str] = []
    for (month, weekday, at), days in sorted(groups.items()):
        first, last = min(day.day for day in days), max(day.day for day in days)
        years = range(now.astimezone(schedule.zone).year, now.astimezone(schedule.zone).year + _YEARS - 1)
        meant = {day for day in days if day.year in years}
        said = {
            day
            for year in years
            for number in range(first, last + 1)
            if (day := date(year, month, number)).isoweekday() % _WEEK == weekday
        }
        if said != meant:
            return Phrase(
                "a time of {schedule} is skipped in {zone} on days that systemd cannot say",
                {"schedule": schedule.text, "zone": timezone},
            )
        lines.append(f"{_WEEKDAYS[weekday]} *-{month}-{first}..{last} {at} {timezone}")
    return tuple(lines)


def same_clock(schedule: str, first: tzinfo, second: tzinfo, now: datetime) -> bool:
    """Whether a schedule is due at the same moments on two clocks, for the next years."""
    ours, theirs = Schedule.parse(schedule, first), Schedule.parse(schedule, second)
    until = now + _DAY * 800
    return ours.between(now, until) == theirs.between(now, until)
