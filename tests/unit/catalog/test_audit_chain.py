"""Any sequence of changes to a log is found, unless it leaves the log as it was."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.catalog.audit_chain import GENESIS, Chain, Head
from holdfast.model.access import AuditEntry, AuditVerdict
from unit.catalog.kit import KEY, after

CHAIN = Chain(KEY)
WORDS = ("root", "done", "", "0" * 64)
Log = list[AuditEntry]
Change = Callable[[Log], Log]


def whole(count: int) -> tuple[Log, Head]:
    """A log as it is written."""
    log: Log = []
    for number in range(1, count + 1):
        draft = AuditEntry(number=number, at=after(number // 2), actor=WORDS[number % 2], action="a", detail={"n": "1"})
        log.append(replace(draft, chain=CHAIN.link(log[-1].chain if log else GENESIS, draft)))
    return log, CHAIN.head(count, log[-1].chain if log else GENESIS)


def judge(log: Log, head: Head | None, expected: str = "") -> AuditVerdict:
    return CHAIN.judge(lambda: iter(log), head, expected)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Something that somebody does to a log without the key."""
    kind = draw(st.sampled_from(["edit", "remove", "swap", "copy", "renumber"]))
    one, other = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    field = draw(st.sampled_from(["actor", "action", "subject", "outcome", "address", "chain"]))
    word = draw(st.sampled_from(WORDS))

    def change(log: Log) -> Log:
        if not log:
            return log
        first, second = one % len(log), other % len(log)
        changed = list(log)
        if kind == "edit":
            changed[first] = replace(log[first], **{field: word})
        elif kind == "remove":
            del changed[first]
        elif kind == "swap":
            changed[first], changed[second] = log[second], log[first]
        elif kind == "copy":
            changed.insert(second, log[first])
        return [replace(entry, number=number) for number, entry in enumerate(changed, 1)] if one % 2 else changed

    return change


@given(st.integers(0, 12), st.lists(changes(), max_size=4), st.booleans())
def test_only_the_log_that_was_written_is_whole(count: int, done: list[Change], cut_head: bool) -> None:
    log, head = whole(count)
    changed = log
    for change in done:
        changed = change(changed)
    verdict = judge(changed, None if cut_head else head)
    assert verdict.whole == (changed == log and not cut_head)
    assert verdict.entries == len(changed)
    if not verdict.whole:
        assert 1 <= verdict.first_bad <= len(changed) + 1
        right = verdict.first_bad - 1
        assert changed[:right] == log[:right], "what comes before the first bad entry is as it was written"


@given(st.integers(1, 12), st.integers(0, 11))
def test_a_head_of_its_own_does_not_help_without_the_key(count: int, kept: int) -> None:
    log, head = whole(count)
    shorter = log[: min(kept, count - 1)]
    last = shorter[-1].chain if shorter else GENESIS
    assert not judge(shorter, head._replace(entries=len(shorter), chain=last)).whole
    assert not judge(shorter, Chain(b"guess" * 8).head(len(shorter), last)).whole
    assert not judge(shorter, head).whole


@given(st.integers(0, 12), st.integers(0, 12))
def test_an_older_log_is_whole_but_for_a_head_that_was_noted(count: int, more: int) -> None:
    log, _head = whole(count + more)
    older, head = whole(count)
    noted = log[-1].chain if log else GENESIS
    assert judge(older, head).whole
    assert judge(older, head, noted).whole == (more == 0)
    assert judge(log, CHAIN.head(len(log), noted), older[-1].chain if older else "").whole
