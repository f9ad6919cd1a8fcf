"""Worst cases against a clock that is followed minute by minute, and proposals that are proven again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from holdfast.model.backup import BackupType
from holdfast.policy.objectives import Measured, Promises, prove, span, worst_loss
from holdfast.policy.planned import PlannedPolicy
from holdfast.policy.timeline import Timing, timeline

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Istanbul", "America/New_York", "Australia/Lord_Howe")
HOUR = 3600.0
ALL = {"": ["db", "files"], "nightly": ["db", "files"], "often": ["db", "files"]}


def policy(name: str = "nightly", schedule: str = "0 2 * * *", **more: object) -> PlannedPolicy:
    return PlannedPolicy(name=name, schedule=schedule, **more)  # type: ignore[arg-type]


def measured(**durations: float) -> Measured:
    return Measured(duration_s=durations)


def minute_by_minute(
    policies: list[PlannedPolicy], timings: dict[str, Timing], days: int
) -> list[tuple[str, datetime, datetime]]:
    """The same as `timeline`, found by looking every minute; everything is in whole minutes."""
    due_at = {one.name: set(one.due.between(NOW, NOW + timedelta(days=days))) for one in policies}
    waiting: dict[str, tuple[datetime, datetime]] = {}
    runs: list[tuple[str, datetime, datetime]] = []
    busy_until = NOW
    for minute in range(days * 1440 + 1):
        now = NOW + timedelta(minutes=minute)
        for one in policies:
            if now in due_at[one.name]:
                waiting[one.name] = (now, one.due.start_of(now, timings[one.name].spread_s))
        if now < busy_until:
            continue
        ready = sorted((due, name) for name, (due, starts) in waiting.items() if starts <= now)
        if ready:
            _, name = ready[0]
            del waiting[name]
            busy_until = now + timedelta(seconds=timings[name].duration_s)
            runs.append((name, now, busy_until))
    return runs


def whole_minutes(rng: random.Random, most: int) -> float:
    return 60.0 * rng.randrange(1, most)


@pytest.mark.parametrize("zone", ZONES)
def test_brute_force_finds_the_same_worst_case(zone: str, rng: random.Random) -> None:
    lines = ["0 2 * * *", "30 */6 * * *", "15 * * * *", "0 3 * * sun", "*/20 8-18 * * mon-fri", "0 1,13 * * *"]
    policies = [
        policy("nightly", rng.choice(lines), timezone=zone),
        policy("often", rng.choice(lines), timezone=zone, type=BackupType.INCREMENTAL),
    ]
    timings = {one.name: Timing(whole_minutes(rng, 9), whole_minutes(rng, 90)) for one in policies}
    found = timeline(policies, timings, NOW, NOW + timedelta(days=366))
    looked = minute_by_minute(policies, timings, 366)
    assert [(run.policy, run.began_at, run.ended_at) for run in found] == looked
    worst = worst_loss(found, {one.name: one for one in policies}, Measured())
    assert worst is not None
    # Every minute: how much would be lost now?
    by_looking = max((after[2] - before[1]).total_seconds() for before, after in pairwise(looked))
    assert worst[0] == by_looking


@pytest.mark.parametrize(
    ("zone", "worst_h"),
    [("UTC", 24.0), ("Europe/Istanbul", 24.0), ("America/New_York", 25.0), ("Australia/Lord_Howe", 24.5)],
)
def test_a_daily_backup_where_clocks_change(zone: str, worst_h: float) -> None:
    proof = prove([policy(timezone=zone)], ALL, measured(nightly=600), Promises(rpo_s=24 * HOUR), NOW)
    assert {finding.worst_s for finding in proof.findings} == {worst_h * HOUR + 600}
    assert {finding.kept for finding in proof.findings} == {False}


def test_what_was_not_measured_keeps_no_promise() -> None:
    proof = prove([policy()], ALL, Measured(), Promises(rpo_s=25 * HOUR, rto_s=HOUR), NOW)
    assert [(one.promise, one.kept, one.measured) for one in proof.findings] == [
        ("rpo", None, False), ("rpo", None, False), ("rto", None, False),
    ]  # fmt: skip
    assert not proof.broken
    assert prove([policy()], ALL, Measured(), Promises(rpo_s=23 * HOUR), NOW).broken


def test_repetitions_count() -> None:
    patient = policy(retries=2, retry_delay_s=600)
    proof = prove([patient], ALL, measured(nightly=300), Promises(rpo_s=25 * HOUR), NOW)
    assert proof.findings[0].worst_s == 24 * HOUR + 300 + (600 + 300) + (1200 + 300)
    # Those of an hourly run are overtaken by the run of the next hour.
    hourly = policy(schedule="hourly", retries=9, retry_delay_s=600)
    proof = prove([hourly], ALL, measured(nightly=300), Promises(rpo_s=25 * HOUR), NOW)
    assert proof.findings[0].worst_s == 2 * HOUR + 300


@pytest.mark.parametrize("rpo_h", [0.5, 2, 7, 25, 100])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_change_that_is_proposed_is_enough_and_no_more(rpo_h: float, zone: str, rng: random.Random) -> None:
    policies = [policy(schedule="0 4 1 * *", timezone=zone), policy("often", "0 5 * * 0", type=BackupType.INCREMENTAL)]
    known = measured(nightly=whole_minutes(rng, 8), often=60)
    promises = Promises(rpo_s=rpo_h * HOUR)
    proof = prove(policies, ALL, known, promises, NOW)
    assert proof.broken
    [change] = proof.change
    assert change.key == "policies.often.schedule"
    changed = [policies[0], msgspec.structs.replace(policies[1], schedule=change.proposed)]
    again = prove(changed, ALL, known, promises, NOW)
    assert not again.broken
    assert all(finding.kept for finding in again.findings)


def test_where_no_schedule_helps_the_promise_is_to_be_changed() -> None:
    proof = prove([policy()], ALL, measured(nightly=2 * HOUR), Promises(rpo_s=HOUR), NOW)
    assert [(change.key, change.former) for change in proof.change] == [("objectives.rpo", "1h")]
    slow = Measured(duration_s={"nightly": 60}, restore_s=5000)
    proof = prove([policy()], ALL, slow, Promises(rpo_s=30 * HOUR, rto_s=HOUR), NOW)
    assert [(one.promise, one.kept) for one in proof.broken] == [("rto", False)]
    assert [(change.key, change.former, change.proposed) for change in proof.change] == [
        ("objectives.rto", "1h", "1h24m")
    ]


def test_a_source_that_no_policy_covers_breaks_the_promise() -> None:
    covers = {"": ["db", "files"], "nightly": ["db"]}
    proof = prove([policy()], covers, measured(nightly=60), Promises(rpo_s=30 * HOUR), NOW)
    assert [(one.source, one.worst_s, one.kept) for one in proof.broken] == [("files", None, False)]


def test_ages_by_source() -> None:
    promises = Promises(rpo_s=30 * HOUR, max_age_s={"": 30 * HOUR, "files": 2 * HOUR})
    proof = prove([policy()], ALL, measured(nightly=60), promises, NOW)
    assert [(one.promise, one.source) for one in proof.broken] == [("max_age", "files")]


def test_disabled_policies_do_not_count() -> None:
    assert prove([policy(enabled=False)], ALL, measured(nightly=60), Promises(rpo_s=30 * HOUR), NOW).broken


def test_spans() -> None:
    assert [span(one) for one in (0, 59, 3600, 90_060, 5040)] == ["0s", "59s", "1h", "1d1h1m", "1h24m"]
