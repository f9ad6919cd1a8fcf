"""Runs: added once, claimed once, found again."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.catalog import Catalog, RunFilter
from holdfast.model.run import Run, RunError, RunState, Trigger
from unit.catalog.kit import NOON, a_run, after


def test_a_run_comes_back_as_it_went(catalog: Catalog) -> None:
    run = a_run(
        type="full", actor="user:root", attempt=3, due_at=after(-60), not_before=after(-30), started_at=after(0.000001),
        finished_at=after(9), heartbeat_at=after(8), holder="h:1:2", backup_id="backup_2026_03_01_12_00_00",
        content_bytes=2**40,
        stored_bytes=2**41, seconds={"dump": 1.5, "store": 0.25}, request={"targets": ["a", "b"], "n": 1},
        report={"warnings": [{"code": "x"}], "none": None}, error=RunError(code="c", message="m", context={"a": "b"}),
        state=RunState.FAILED,
    )  # fmt: skip
    assert catalog.runs.add(run)
    assert catalog.runs.get(run.run_id) == run
    assert catalog.runs.get("0" * 32) is None


def test_moments_of_other_zones_are_the_same_moments(catalog: Catalog) -> None:
    local = NOON.astimezone(timezone(timedelta(hours=3, minutes=30)))
    run = a_run(created_at=local)
    catalog.runs.add(run)
    found = catalog.runs.get(run.run_id)
    assert found is not None
    assert found.created_at == NOON
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_moment_without_zone_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Exception, match="naive"):
        catalog.runs.add(a_run(created_at=NOON.replace(tzinfo=None)))


def test_what_is_due_is_added_once(catalog: Catalog) -> None:
    assert catalog.runs.add(a_run(due_at=NOON))
    assert not catalog.runs.add(a_run(due_at=NOON, state=RunState.MISSED))
    assert catalog.runs.add(a_run(due_at=NOON, attempt=2))
    assert catalog.runs.add(a_run(due_at=NOON, policy="weekly"))
    assert catalog.runs.add(a_run(due_at=NOON, app="blog"))
    assert catalog.runs.add_many([a_run(due_at=NOON), a_run(due_at=after(1)), a_run(due_at=after(1))]) == 1


def test_runs_that_were_asked_for_never_collide(catalog: Catalog) -> None:
    assert catalog.runs.add(a_run(trigger=Trigger.REQUEST, policy=""))
    assert catalog.runs.add(a_run(trigger=Trigger.REQUEST, policy=""))


def test_a_run_is_claimed_once(catalog: Catalog) -> None:
    run = a_run()
    catalog.runs.add(run)
    claimed = catalog.runs.claim(run.run_id, "a", after(5))
    assert claimed is not None
    assert (claimed.state, claimed.holder) == (RunState.RUNNING, "a")
    assert claimed.started_at == claimed.heartbeat_at == after(5)
    assert catalog.runs.claim(run.run_id, "b", after(5)) is None
    assert catalog.runs.claim("0" * 32, "b", after(5)) is None


def test_only_the_holder_beats_and_finishes(catalog: Catalog) -> None:
    run = a_run()
    catalog.runs.add(run)
    claimed = catalog.runs.claim(run.run_id, "a", NOON)
    assert claimed is not None
    assert catalog.runs.heartbeat(run.run_id, "a", after(10))
    assert not catalog.runs.heartbeat(run.run_id, "b", after(11))
    lost = replace(claimed, state=RunState.LOST)
    catalog.runs.save(lost)
    assert not catalog.runs.heartbeat(run.run_id, "a", after(12))
    assert not catalog.runs.finish(replace(claimed, state=RunState.SUCCEEDED)), "it was given up as lost meanwhile"
    assert catalog.runs.get(run.run_id) == lost


def test_the_holder_finishes(catalog: Catalog) -> None:
    run = a_run()
    catalog.runs.add(run)
    claimed = catalog.runs.claim(run.run_id, "a", NOON)
    assert claimed is not None
    done = replace(claimed, state=RunState.SUCCEEDED, finished_at=after(20))
    assert catalog.runs.finish(done)
    assert catalog.runs.get(run.run_id) == done


def test_saving_an_unknown_run_adds_it(catalog: Catalog) -> None:
    run = a_run()
    catalog.runs.save(run)
    assert catalog.runs.get(run.run_id) == run


def test_find_restricts_and_pages(catalog: Catalog) -> None:
    runs = [
        a_run(created_at=after(number // 2), operation="verify" if number % 3 else "create") for number in range(20)
    ]
    catalog.runs.add_many(runs)
    newest = sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)
    assert catalog.runs.find(RunFilter(app="shop")) == newest
    assert catalog.runs.find(RunFilter(app="blog")) == []
    assert catalog.runs.find(RunFilter(operations=("create",))) == [run for run in newest if run.operation == "create"]
    assert catalog.runs.find(RunFilter(states=(RunState.FAILED,))) == []
    assert catalog.runs.find(RunFilter(policy="")) == []
    between = catalog.runs.find(RunFilter(since=after(2), until=after(4)))
    assert {run.created_at for run in between} == {after(2), after(3)}
    pages: list[Run] = []
    while page := catalog.runs.find(RunFilter(limit=3, before=pages[-1].run_id if pages else "")):
        pages += page
    assert pages == newest


def test_unfinished_are_queued_and_running_oldest_first(catalog: Catalog) -> None:
    runs = {state: a_run(state=state, created_at=after(-number)) for number, state in enumerate(RunState)}
    catalog.runs.add_many(list(runs.values()))
    assert catalog.runs.unfinished("shop") == [runs[RunState.RUNNING], runs[RunState.QUEUED]]
    assert catalog.runs.unfinished("blog") == []


def test_last_and_last_due(catalog: Catalog) -> None:
    assert catalog.runs.last("shop") is None
    assert catalog.runs.last_due("shop", "nightly") is None
    good = a_run(due_at=after(0), state=RunState.SUCCEEDED)
    bad = a_run(due_at=after(100), created_at=after(100), state=RunState.FAILED)
    other = a_run(due_at=after(200), created_at=after(200), policy="weekly", operation="verify")
    catalog.runs.add_many([bad, good, other])
    assert catalog.runs.last("shop") == other
    assert catalog.runs.last("shop", policy="nightly") == bad
    assert catalog.runs.last("shop", operation="create", states=(RunState.SUCCEEDED, RunState.PARTIAL)) == good
    assert catalog.runs.last_due("shop", "nightly") == after(100)


@given(text=st.text(st.characters(codec=None)), number=st.integers(0, 2**62))
def test_any_text_can_be_kept(memory: Catalog, text: str, number: int) -> None:
    """Names of files may hold what is no text, and errors quote them."""
    run = a_run(
        holder=text,
        content_bytes=number,
        report={text: [text, {"x": text}]},
        error=RunError(code="c", message=text),
    )
    assert memory.runs.add(run)
    found = memory.runs.get(run.run_id)
    assert found is not None
    clean = text.encode("utf-8", "replace").decode()
    assert found.holder == clean.replace("\0", "\ufffd")
    assert found.content_bytes == number
    assert found.error is not None
    if clean == text:
        assert found.report == run.report
        assert found.error == run.error


@pytest.mark.parametrize("text", ["\0", "a\ud800b", "\udcff", "ü\N{PILE OF POO}", "'; DROP TABLE holdfast_runs; --"])
def test_texts_that_databases_refuse(catalog: Catalog, text: str) -> None:
    run = a_run(holder=text, report={"x": text}, error=RunError(code="c", message=text))
    assert catalog.runs.add(run)
    assert catalog.runs.get(run.run_id) is not None
