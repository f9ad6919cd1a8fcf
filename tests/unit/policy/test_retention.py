"""Properties of every retention decision, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InvalidDuration, RetentionRefused
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy import calendar, durations, retention
from holdfast.policy.durations import CalendarDuration
from holdfast.policy.retention import KeepPolicy

NOW = Instant(ns=1_800_000_000 * 10**9)
instants = st.builds(
    lambda second, offset: Instant(ns=second * 10**9, offset_s=offset * 900),
    st.integers(-62_135_596_800 + 10**6, 253_402_300_799 - 10**6),
    st.integers(-48, 56),
)
recent = st.builds(lambda age: Instant(ns=NOW.ns - age * 10**9), st.integers(0, 3 * 10**7))


def snapshot(number: int, time: Instant) -> Snapshot:
    return Snapshot(time=time, tree=BlobId(bytes(32)), paths=("/",), id=SnapshotId(number.to_bytes(32, "big")))


histories = st.lists(st.one_of(recent, recent, instants), min_size=1, max_size=25).map(
    lambda times: [snapshot(number, time) for number, time in enumerate(times)]
)
counts = st.sampled_from([0, 0, 1, 2, 5, retention.UNLIMITED])
policies = st.builds(
    KeepPolicy,
    last=st.sampled_from([1, 3, retention.UNLIMITED]),
    hourly=counts, daily=counts, weekly=counts, monthly=counts, yearly=counts,
    within=st.sampled_from(["", "3d", "1y"]).map(durations.parse),
    within_daily=st.sampled_from(["", "3d", "1y"]).map(durations.parse),
)  # fmt: skip


@given(histories, policies)
def test_every_snapshot_is_decided_once_with_a_reason(history: list[Snapshot], policy: KeepPolicy) -> None:
    plan = retention.apply(history, policy, now=NOW)
    decided = [kept.snapshot for kept in plan.keep] + list(plan.remove)
    assert sorted(one.id or b"" for one in decided) == sorted(one.id or b"" for one in history)
    assert all(kept.reasons for kept in plan.keep)
    assert plan.keep[0].snapshot.time.ns == max(one.time.ns for one in history), "last ≥ 1 keeps the newest"


@given(histories, policies)
def test_deciding_again_removes_nothing_more(history: list[Snapshot], policy: KeepPolicy) -> None:
    kept = [one.snapshot for one in retention.apply(history, policy, now=NOW).keep]
    assert not retention.apply(kept, policy, now=NOW).remove


@given(histories, policies, st.randoms())
def test_order_of_listing_does_not_matter(history: list[Snapshot], policy: KeepPolicy, rng: st.DataObject) -> None:
    plan = retention.apply(history, policy, now=NOW)
    rng.shuffle(history)  # type: ignore[attr-defined]
    assert retention.apply(history, policy, now=NOW) == plan


@given(histories, policies, policies)
def test_rules_add_up(history: list[Snapshot], policy: KeepPolicy, other: KeepPolicy) -> None:
    more = KeepPolicy(last=policy.last, daily=policy.daily, yearly=other.yearly, within=other.within)
    less = KeepPolicy(last=policy.last, daily=policy.daily)
    kept_by_less = {one.snapshot.id for one in retention.apply(history, less, now=NOW).keep}
    assert kept_by_less <= {one.snapshot.id for one in retention.apply(history, more, now=NOW).keep}


def test_empty_policy_is_refused() -> None:
    history = [snapshot(1, NOW)]
    with pytest.raises(RetentionRefused):
        retention.apply(history, KeepPolicy(), now=NOW)
    assert retention.apply(history, KeepPolicy(), now=NOW, allow_remove_all=True).remove == tuple(history)


def test_removing_everything_is_refused() -> None:
    policy = KeepPolicy(tags=(("never",),))
    with pytest.raises(RetentionRefused):
        retention.apply([snapshot(1, NOW)], policy, now=NOW)
    assert retention.apply([], policy, now=NOW).remove == ()
    assert len(retention.apply([snapshot(1, NOW)], policy, now=NOW, allow_remove_all=True).remove) == 1


@given(instants)
def test_calendar_agrees_with_datetime(instant: Instant) -> None:
    shown = instant.at()
    local = calendar.local_time(instant)
    assert local[:4] == (shown.year, shown.month, shown.day, shown.hour)
    assert calendar.iso_week(local.day_number) == shown.isocalendar()[:2]
    assert calendar.day_number_of(*local[:3]) == local.day_number


@given(st.integers(-(10**8), 10**8))
def test_calendar_has_no_end(day_number: int) -> None:
    assert calendar.day_number_of(*calendar.civil_of(day_number)) == day_number


@given(instants, st.integers(0, 500), st.integers(0, 500))
def test_days_and_hours_have_fixed_lengths(instant: Instant, days: int, hours: int) -> None:
    moved = CalendarDuration(days=days, hours=hours).before(instant)
    assert instant.ns - moved.ns == (days * 24 + hours) * 3600 * 10**9
    assert moved.offset_s == instant.offset_s


def test_months_are_steps_in_the_calendar() -> None:
    newest = Instant.of(datetime(2024, 3, 31, 1, tzinfo=UTC))
    assert durations.parse("1m").before(newest).at() == datetime(2024, 3, 2, 1, tzinfo=UTC)
    assert durations.parse("1y1m").before(newest).at() == datetime(2023, 3, 3, 1, tzinfo=UTC)
    assert durations.parse("13m").before(newest) == durations.parse("1y1m").before(newest)
    newest = Instant.of(datetime(2026, 1, 1, 0, 30, tzinfo=UTC) - timedelta(0))
    assert durations.parse("1m1h").before(newest).at() == datetime(2025, 11, 30, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"), [("1y5m7d2h", "1y5m7d2h"), ("2h1y", "1y2h"), ("90d", "90d"), ("0d", "0h"), ("", "0h")]
)
def test_durations_are_read_and_shown(text: str, shown: str) -> None:
    assert str(durations.parse(text)) == shown


@pytest.mark.parametrize("text", ["1", "d", "1w", "-1d", "1d1d", "1d ", "1.5d", "１d", "99999999d", "unlimited"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(InvalidDuration, match="is not a duration"):
        durations.parse(text)
