"""When schedules are due: against cronsim, and against looking at the clock every minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from holdfast.policy.cron import ALIASES, WORDS, parse_cron, schedule_problem
from holdfast.policy.schedule import Schedule, schedule_of, spread_s

ZONES = ("UTC", "Europe/Istanbul", "Asia/Tehran", "America/New_York", "Australia/Lord_Howe", "America/Santiago")
WHOLE_HOURS = ("UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Africa/Cairo")


def random_line(rng: random.Random) -> str:
    """A cron line that is valid and comes up often enough to be looked at."""
    minute = rng.choice(["*", "*/15", "0", "30", "0,30", "5-50/15", str(rng.randrange(60))])
    hour = rng.choice(["*", "*/2", "*/6", "0", "1", "2", "3", "1-3", "0,23", "2,14", str(rng.randrange(24))])
    day = rng.choice(["*", "*", "*", "*/2", "1", "8-14", "25-31", "1,15"])
    month = rng.choice(["*", "*", "*", "3", "3-11", "jan,mar,oct"])
    weekday = rng.choice(["*", "*", "*", "0", "7", "mon-fri", "sun", "*/3", "sat,sun"])
    return f"{minute} {hour} {day} {month} {weekday}"


def changes_of(zone: ZoneInfo, years: range) -> list[datetime]:
    """Midnights (UTC) before which or after which the zone's clock changes."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for year in years for day in range(366)]
    return [
        day
        for day in days
        if day.astimezone(zone).utcoffset() != (day + timedelta(days=1)).astimezone(zone).utcoffset()
    ]


def by_looking(line: str, zone: ZoneInfo, start: datetime, minutes: int) -> set[datetime]:
    """What is due, found by following the wall clock minute by minute."""
    cron, found = parse_cron(line), set[datetime]()
    shown_before = start.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(minutes=1)
    seen = {shown_before - timedelta(minutes=n) for n in range(180)}
    for number in range(minutes):
        moment = start + timedelta(minutes=number)
        shown = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        if cron.fixed:
            skipped = [
                shown_before + timedelta(minutes=n)
                for n in range(1, int((shown - shown_before).total_seconds() // 60) + 1)
            ]
            times = [one for one in skipped if one not in seen]
            seen.update(times)
        else:
            times = [shown]
        if any(cron.takes(one.date()) and one.hour in cron.hours and one.minute in cron.minutes for one in times):
            found.add(moment)
        shown_before = shown
    return found


@pytest.mark.parametrize("name", ZONES)
def test_it_is_what_the_clock_shows(name: str, rng: random.Random) -> None:
    zone = ZoneInfo(name)
    starts = changes_of(zone, range(2021, 2027)) or [datetime(2026, 1, 1, tzinfo=UTC)]
    for _ in range(40):
        line, start = random_line(rng), rng.choice(starts) - timedelta(days=1)
        schedule = Schedule.parse(line, zone)
        minutes = 4 * 24 * 60
        expected = sorted(by_looking(line, zone, start, minutes))
        last = start + timedelta(minutes=minutes - 1)
        # The first hours serve the oracle to know what the clock has shown.
        since = start + timedelta(hours=4)
        expected = [due for due in expected if due > since]
        assert schedule.between(since, last) == expected, (line, name, start)


@pytest.mark.parametrize("name", WHOLE_HOURS)
def test_it_agrees_with_cronsim(name: str, rng: random.Random) -> None:
    zone = ZoneInfo(name)
    for _ in range(60):
        line = random_line(rng)
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(366 * 1440))
        theirs, ours = CronSim(line.upper(), start.astimezone(zone)), Schedule.parse(line, zone)
        moment = start
        for _ in range(60):
            due = next(theirs).astimezone(UTC)
            while due <= moment:
                due = next(theirs).astimezone(UTC)
            assert ours.next_after(moment) == due, (line, name, moment)
            moment = due


@pytest.mark.parametrize("name", ZONES)
def test_back_is_forth(name: str, rng: random.Random) -> None:
    for _ in range(30):
        schedule = Schedule.parse(random_line(rng), ZoneInfo(name))
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(366 * 1440))
        due = schedule.next_after(moment)
        before = schedule.previous_at_or_before(moment)
        assert before <= moment < due
        assert schedule.previous_at_or_before(due) == due
        assert schedule.next_after(before) == due
        assert schedule.between(before, due) == [due]
        assert schedule.previous_at_or_before(due - timedelta(seconds=1)) == before


NEW_YORK, LORD_HOWE, SANTIAGO = "America/New_York", "Australia/Lord_Howe", "America/Santiago"


@pytest.mark.parametrize(
    ("line", "name", "after", "expected"),
    [
        # The clock goes from 02:00 to 03:00 in New York on 2026-03-08, and from 02:00 back to 01:00 on 2026-11-01.
        ("30 2 * * *", NEW_YORK, "2026-03-08T00:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
        ("*/30 2 * * *", NEW_YORK, "2026-03-08T00:00-05:00", ["2026-03-09T02:00-04:00"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T00:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
        ("30 * 1 11 *", NEW_YORK, "2026-11-01T01:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00"]),
        # Half an hour on Lord Howe: from 02:00 to 02:30 on 2026-10-04, and from 02:00 back to 01:30 on 2026-04-05.
        ("15 2 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-05T00:00+11:00", ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
        # In Santiago the hour after midnight is skipped on 2026-09-06.
        ("0 0 * * *", SANTIAGO, "2026-09-05T12:00-04:00", ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]),
        # Samoa had no 30 December 2011 at all.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T13:00-10:00", ["2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"]),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00+00:00", ["2104-02-29T00:00+00:00"]),
    ],
)  # fmt: skip
def test_where_clocks_change(line: str, name: str, after: str, expected: list[str]) -> None:
    schedule, moment = schedule_of(line, name), datetime.fromisoformat(after)
    for one in expected:
        moment = schedule.next_after(moment)
        assert moment == datetime.fromisoformat(one)
        assert moment.tzinfo is UTC


def test_words() -> None:
    noon = datetime(2026, 5, 14, 12, tzinfo=UTC)
    due = {word: schedule_of(word, "UTC").next_after(noon).isoformat()[:16] for word in (*WORDS, "@daily", "@yearly")}
    assert due == {
        "hourly": "2026-05-14T13:00", "daily": "2026-05-15T02:00", "weekly": "2026-05-17T03:00",
        "monthly": "2026-06-01T04:00", "@daily": "2026-05-15T00:00", "@yearly": "2027-01-01T00:00",
    }  # fmt: skip
    assert not any(map(schedule_problem, (*WORDS, *ALIASES)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "five fields"), ("* * * *", "five fields"), ("* * * * * *", "five fields"), ("@reboot", "five fields"),
        ("60 * * * *", "no minute"), ("* 24 * * *", "no hour"), ("* * 0 * *", "no day of the month"),
        ("* * * 13 *", "no month"), ("* * * * 8", "no day of the week"), ("5/15 * * * *", "no minute"),
        ("9-5 * * * *", "no minute"), ("*/0 * * * *", "no minute"), ("٣ * * * *", "no minute"),
        ("0 0 31 4,6 *", "no month among these"), ("0 0 30 2 */2", "no month among these"),
    ],
)  # fmt: skip
def test_what_is_no_schedule(line: str, said: str) -> None:
    assert said in str(schedule_problem(line))
    with pytest.raises(ValueError, match=said):
        Schedule.parse(line, UTC)


def test_every_schedule_that_passes_comes_again(rng: random.Random) -> None:
    for _ in range(100):
        schedule = Schedule.parse(random_line(rng), UTC)
        assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)


def test_the_spread_is_stable_and_even() -> None:
    names = [f"host{number}" for number in range(1000)]
    spread = [spread_s("shop", "nightly", name, 600) for name in names]
    assert spread == [spread_s("shop", "nightly", name, 600) for name in names]
    assert all(0 <= one < 600 for one in spread)
    tenths = [sum(tenth * 60 <= one < (tenth + 1) * 60 for one in spread) for tenth in range(10)]
    assert min(tenths) > 60
    assert spread_s("shop", "nightly", "host", 0) == 0
    assert spread_s("a", "bc", "host", 600) != spread_s("ab", "c", "host", 600)
