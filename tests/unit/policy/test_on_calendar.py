"""systemd itself says when the lines we write for it are due."""

from __future__ import annotations

import random
import re
import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from holdfast.errors import Phrase
from holdfast.policy.on_calendar import on_calendar, same_clock
from holdfast.policy.schedule import Schedule

ZONES = ("UTC", "Europe/Istanbul", "Asia/Tehran", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = {
    "Europe/Berlin": ("2026-03-28", "2027-03-27", "2026-10-24"),
    "America/New_York": ("2026-03-07", "2028-03-11", "2026-10-31"),
    "Australia/Lord_Howe": ("2026-10-03", "2027-10-02", "2026-04-04"),
}


def asked(lines: tuple[str, ...], start: datetime, number: int) -> list[datetime]:
    """The next moments at which any of the lines elapses, as systemd says."""
    command = ["systemd-analyze", "calendar", f"--iterations={number}", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC"]
    said = subprocess.run(
        [*command, *lines], capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    )
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", said.stdout)
    assert found, said
    return sorted({datetime.fromisoformat(one).replace(tzinfo=UTC) for one in found})[:number]


def random_line(rng: random.Random) -> str:
    minute = rng.choice(["*/15", "0", "30", "0,30", "5-50/15", str(rng.randrange(60))])
    hour = rng.choice(["*", "*/6", "0", "1", "2", "3", "1-3", "2,14", str(rng.randrange(24))])
    day = rng.choice(["*", "*", "*", "*/2", "1", "8-14", "25-31"])
    month = rng.choice(["*", "*", "*", "3-11", "jan,mar,oct"])
    weekday = rng.choice(["*", "*", "*", "0", "mon-fri", "sun", "*/3"])
    return f"{minute} {hour} {day} {month} {weekday}"


@pytest.mark.parametrize("name", ZONES)
def test_systemd_means_the_same(name: str, rng: random.Random) -> None:
    said = refused = 0
    for _ in range(25):
        schedule = Schedule.parse(random_line(rng), ZoneInfo(name))
        lines = on_calendar(schedule, name, NOW)
        if isinstance(lines, Phrase):
            refused += 1
            continue
        start = NOW + timedelta(minutes=rng.randrange(366 * 1440))
        if name in CHANGES and rng.random() < 0.8:
            start = datetime.fromisoformat(rng.choice(CHANGES[name])).replace(tzinfo=UTC)
        theirs = asked(lines, start, 30)
        assert schedule.between(start, theirs[-1]) == theirs, (schedule.text, lines, start)
        said += 1
    print(name, "said", said, "refused", refused)
    assert said > 10


def test_a_gap_gets_a_line_of_its_own() -> None:
    lines = on_calendar(Schedule.parse("30 2 * * *", ZoneInfo("America/New_York")), "America/New_York", NOW)
    assert lines == ("*-*-* 2:30:0 America/New_York", "Sun *-3-8..14 3:0:0 America/New_York")
    lines = on_calendar(Schedule.parse("daily", ZoneInfo("Europe/Berlin")), "Europe/Berlin", NOW)
    assert lines == ("*-*-* 2:0:0 Europe/Berlin", "Sun *-3-25..31 3:0:0 Europe/Berlin")


def test_either_day_makes_two_lines() -> None:
    lines = on_calendar(Schedule.parse("0 4 1 * mon", UTC), "UTC", NOW)
    assert lines == ("*-*-1 4:0:0 UTC", "Mon *-*-* 4:0:0 UTC")


def test_every_hour_is_said_in_utc() -> None:
    for name, minute in (("America/New_York", 0), ("America/St_Johns", 30)):
        lines = on_calendar(Schedule.parse("hourly", ZoneInfo(name)), name, NOW)
        assert lines == (f"*-*-* *:{minute}:0 UTC",)


@pytest.mark.parametrize(
    ("line", "name"),
    [("0 */2 * * *", "Europe/Berlin"), ("30 * * * *", "Australia/Lord_Howe"), ("30 2 * * *", "Africa/Casablanca")],
)
def test_what_systemd_cannot_say_is_refused(line: str, name: str) -> None:
    assert isinstance(on_calendar(Schedule.parse(line, ZoneInfo(name)), name, NOW), Phrase)


def test_clocks_that_agree() -> None:
    utc, gmt, tehran, kolkata = map(ZoneInfo, ("UTC", "Etc/GMT", "Asia/Tehran", "Asia/Kolkata"))
    assert same_clock("daily", utc, gmt, NOW)
    assert not same_clock("daily", utc, tehran, NOW)
    assert not same_clock("hourly", tehran, utc, NOW)
    assert same_clock("hourly", tehran, kolkata, NOW)
