"""Which backups stay: whatever the rules, some always do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.backup import BackupType
from holdfast.policy import durations
from holdfast.policy.backup_retention import BackupFacts, BackupRetentionPlan, KeepRules, plan

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
RULES = ("last", "max_backups", "hourly", "daily", "weekly", "monthly", "yearly", "days")


def fact(days: float, kind: BackupType = BackupType.FULL, **more: object) -> BackupFacts:
    created_at = NOW - timedelta(days=days)
    return BackupFacts(backup_id=f"{kind.value}-{days:g}", type=kind, created_at=created_at, **more)  # type: ignore[arg-type]


def kept(decided: BackupRetentionPlan) -> set[str]:
    return {decision.backup_id for decision in decided.keep}


def test_seven_newest_are_kept() -> None:
    decided = plan([fact(day) for day in range(10)], KeepRules(max_backups=7), NOW)
    assert [decision.backup_id for decision in decided.remove] == ["full-7", "full-8", "full-9"]
    assert decided.keep[0].reasons == ("newest complete full backup", "last 1 of 7")


def test_no_rule_removes_nothing() -> None:
    decided = plan([fact(day) for day in range(1000)], KeepRules(), NOW)
    assert not decided.remove
    assert decided.refused


def test_partial_and_damaged_backups_push_out_no_good_one() -> None:
    facts = [fact(0, complete=False), fact(1, damaged=True), fact(2), fact(3), fact(4, complete=False), fact(5)]
    decided = plan(facts, KeepRules(last=2), NOW)
    assert kept(decided) == {"full-0", "full-1", "full-2", "full-3"}


def test_without_a_complete_one_all_of_a_type_stay() -> None:
    facts = [fact(day, complete=False) for day in range(5)]
    assert not plan(facts, KeepRules(last=1), NOW).remove


def test_a_clock_that_went_wrong_removes_nothing() -> None:
    decided = plan([fact(-0.01), fact(100), fact(200)], KeepRules(days=30), NOW)
    assert not decided.remove
    assert "future" in decided.refused


def test_the_newest_stays_however_old_it_is() -> None:
    decided = plan([fact(1000), fact(1001), fact(1002, verified=True)], KeepRules(days=30), NOW)
    assert kept(decided) == {"full-1000", "full-1002"}


def test_a_chain_is_kept_to_its_end() -> None:
    increments = [
        fact(day, BackupType.INCREMENTAL, base_id=f"incremental-{day + 1}" if day < 3 else "full-4") for day in range(4)
    ]
    facts = [*increments, fact(4), fact(5), fact(3.5)]
    decided = plan(facts, KeepRules(last=1), NOW)
    assert kept(decided) == {"incremental-0", "incremental-1", "incremental-2", "incremental-3", "full-4", "full-3.5"}


def test_a_chain_that_leads_in_a_circle_ends() -> None:
    facts = [fact(1, base_id="full-2"), fact(2, base_id="full-1"), fact(3, base_id="full-3")]
    assert kept(plan(facts, KeepRules(last=1), NOW)) == {"full-1", "full-2"}


def test_a_hold_keeps_one_backup_and_not_all_bad_ones_since() -> None:
    facts = [fact(0), fact(50, complete=False), fact(100, hold_reason="audit")]
    decided = plan(facts, KeepRules(last=1), NOW)
    assert kept(decided) == {"full-0", "full-100"}


@pytest.mark.parametrize(("rules", "count"), [(KeepRules(daily=3), 3), (KeepRules(within=durations.parse("2d")), 8)])
def test_tiers(rules: KeepRules, count: int) -> None:
    facts = [fact(quarter / 4) for quarter in range(40)]
    assert len(kept(plan(facts, rules, NOW))) == count


def _facts() -> st.SearchStrategy[list[BackupFacts]]:
    one = st.builds(
        BackupFacts,
        backup_id=st.integers(0, 10**9).map(str),
        type=st.sampled_from(BackupType),
        created_at=st.integers(0, 4000).map(lambda hours: NOW - timedelta(hours=hours)),
        complete=st.booleans(),
        hold_reason=st.sampled_from(["", "", "", "audit"]),
        verified=st.booleans(),
        damaged=st.sampled_from([False, False, True]),
    )

    def chained(facts: list[BackupFacts], picks: list[int]) -> list[BackupFacts]:
        ordered = sorted(facts, key=lambda each: (each.created_at, each.backup_id))
        return [
            each if pick >= position else msgspec.structs.replace(each, base_id=ordered[pick].backup_id)
            for position, (each, pick) in enumerate(zip(ordered, picks, strict=False))
        ]

    return st.builds(
        chained,
        st.lists(one, max_size=25, unique_by=lambda each: each.backup_id),
        st.lists(st.integers(0, 60), min_size=25, max_size=25),
    )


def _rules() -> st.SearchStrategy[KeepRules]:
    counts = {name: st.sampled_from([0, 0, 0, 1, 2, 5, 100]) for name in RULES}
    return st.builds(KeepRules, within=st.sampled_from(["", "", "5h", "3d", "1m"]).map(durations.parse), **counts)


@given(_facts(), _rules())
def test_every_backup_has_a_decision_with_a_reason(facts: list[BackupFacts], rules: KeepRules) -> None:
    decided = plan(facts, rules, NOW)
    decisions = [*decided.keep, *decided.remove]
    assert sorted(decision.backup_id for decision in decisions) == sorted(each.backup_id for each in facts)
    assert all(all(decision.reasons) and decision.reasons for decision in decisions)


@given(_facts(), _rules())
def test_some_always_stay(facts: list[BackupFacts], rules: KeepRules) -> None:
    decided = plan(facts, rules, NOW)
    stay = kept(decided)
    by_id = {each.backup_id: each for each in facts}
    newest_first = sorted(facts, key=lambda each: (each.created_at, each.backup_id), reverse=True)
    for kind in BackupType:
        good = [each for each in newest_first if each.type is kind and each.complete and not each.damaged]
        floor = [*good[:1], *[each for each in good if each.verified][:1]]
        assert {each.backup_id for each in floor} <= stay
    assert {each.backup_id for each in facts if each.hold_reason} <= stay
    for backup_id in stay:
        base = by_id[backup_id].base_id
        assert not base or base in stay


@given(_facts(), _rules(), _rules())
def test_a_further_rule_removes_nothing_more(facts: list[BackupFacts], rules: KeepRules, more: KeepRules) -> None:
    wider = {name: max(getattr(rules, name), getattr(more, name)) for name in RULES}
    within = rules.within or more.within
    if rules.empty:
        return
    first, second = plan(facts, rules, NOW), plan(facts, KeepRules(within=within, **wider), NOW)
    assert kept(first) <= kept(second)


@given(_facts(), _rules())
def test_applying_a_plan_twice_removes_nothing_more(facts: list[BackupFacts], rules: KeepRules) -> None:
    stay = kept(plan(facts, rules, NOW))
    again = plan([each for each in facts if each.backup_id in stay], rules, NOW)
    assert not again.remove


@given(_facts(), _rules(), st.integers(0, 10**6))
def test_time_alone_never_empties_a_target(facts: list[BackupFacts], rules: KeepRules, hours: int) -> None:
    decided = plan(facts, rules, NOW + timedelta(hours=hours))
    assert not facts or decided.keep
