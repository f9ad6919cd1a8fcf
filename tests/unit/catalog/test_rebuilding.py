"""A catalog comes back from what the targets list."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast.catalog import Catalog, RunFilter, rebuild
from holdfast.model.backup import Outcome
from holdfast.model.run import Run, RunState, Trigger
from unit.catalog.kit import NOON, a_backup, a_run, after


def test_copies_and_runs_come_back(catalog: Catalog) -> None:
    partial = a_backup(3)
    partial = replace(partial, manifest=replace(partial.manifest, outcome=Outcome.PARTIAL))
    listings = {"local": [a_backup(1), a_backup(2), partial], "offsite": [a_backup(1, "offsite")], "empty": []}
    assert _numbers(rebuild(catalog, "shop", listings, NOON)) == (4, 3)
    runs = catalog.runs.find(RunFilter(app="shop", operations=("create",)))
    assert [run.backup_id for run in runs] == [a_backup(number).backup_id for number in (3, 2, 1)]
    assert [run.state for run in runs] == [RunState.PARTIAL, RunState.SUCCEEDED, RunState.SUCCEEDED]
    assert (runs[2].created_at, runs[2].finished_at) == (after(60), after(90))
    assert (runs[2].content_bytes, runs[2].stored_bytes, runs[2].type) == (5, 101, "full")
    assert catalog.copies.totals("shop").backups == 3
    assert catalog.copies.refreshed_at("shop", "empty") == NOON
    assert _numbers(rebuild(catalog, "shop", listings, after(1))) == (4, 0), "again changes nothing"
    assert catalog.runs.find(RunFilter(app="shop")) == runs


def test_what_is_known_stays(catalog: Catalog) -> None:
    known = a_run(backup_id=a_backup(1).backup_id, state=RunState.SUCCEEDED, trigger=Trigger.REQUEST, due_at=NOON)
    failed = a_run(state=RunState.FAILED, created_at=after(9))
    catalog.runs.add_many([known, failed])
    catalog.settings.put("a", 1)
    catalog.copies.put("shop", a_backup(7, "away"))
    assert _numbers(rebuild(catalog, "shop", {"local": [a_backup(1)]}, NOON)) == (1, 0)
    assert set(_ids(catalog.runs.find(RunFilter()))) == {known.run_id, failed.run_id}
    assert catalog.settings.all() == {"a": 1}
    assert catalog.copies.page("shop", target="away") == [a_backup(7, "away")], "a target that was not asked"


def test_a_policy_is_not_taken_for_run(catalog: Catalog) -> None:
    """A rebuilt run belongs to no policy and no moment, so that it keeps no planned run from being added."""
    rebuild(catalog, "shop", {"local": [a_backup(1)]}, NOON)
    assert catalog.runs.last_due("shop", "nightly") is None
    assert catalog.runs.add(a_run(due_at=after(60)))


def _numbers(made: object) -> tuple[int, int]:
    return made.copies, made.runs  # type: ignore[attr-defined]


def _ids(runs: list[Run]) -> list[str]:
    return [run.run_id for run in runs]
