"""Two processes with eight threads each want the same thing at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.catalog import Catalog, open_catalog
from holdfast.model.notice import Delivery, Occasion
from holdfast.model.run import RunState, Trigger
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY, NOON, a_run
from unit.catalog.racer import ROUNDS, THREADS

RACER = Path(__file__).with_name("racer.py")
PROCESSES = 2


def race(url: str, name: str) -> list[str]:
    """What all of them won together."""
    racers = [
        subprocess.Popen(
            [sys.executable, str(RACER), name, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(f"{url}\n")
        racer.stdin.flush()
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    won = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        output, _ = racer.communicate(timeout=120)
        assert racer.returncode == 0
        won += output.splitlines()
    return won


def test_two_processes_make_one_catalog(url: str) -> None:
    """Nobody made it before them: both find no tables, and one makes them."""
    numbers = race(url, "audit")
    with open_catalog(url, clock=FakeClock(), key=KEY) as catalog:
        verdict = catalog.audit.verify()
        assert verdict.whole
        assert verdict.entries == PROCESSES * THREADS * ROUNDS
        assert sorted(map(int, numbers)) == list(range(1, verdict.entries + 1))
        subjects = [(entry.actor, entry.subject) for entry in catalog.audit.entries(10_000)]
        assert len(set(subjects)) == len(subjects)


def test_every_lease_has_one_holder(catalog: Catalog, url: str) -> None:
    assert sorted(race(url, "leases")) == sorted(f"lease {number} 1" for number in range(ROUNDS))


def test_every_run_is_claimed_by_one(catalog: Catalog, url: str) -> None:
    catalog.runs.add_many([a_run(run_id=f"{number:032x}", trigger=Trigger.REQUEST) for number in range(ROUNDS)])
    assert sorted(race(url, "claims")) == sorted(map(str, range(ROUNDS)))
    assert {run.state for run in catalog.runs.unfinished("shop")} == {RunState.RUNNING}


def test_every_moment_has_one_run(catalog: Catalog, url: str) -> None:
    assert sorted(race(url, "due")) == sorted(map(str, range(ROUNDS)))
    assert len(catalog.runs.unfinished("shop")) == ROUNDS


def test_totals_miss_nothing(catalog: Catalog, url: str) -> None:
    race(url, "mirror")
    assert catalog.copies.totals("shop").copies == PROCESSES * THREADS * ROUNDS


@pytest.mark.parametrize("count", [30])
def test_every_delivery_is_taken_by_one(catalog: Catalog, url: str, count: int) -> None:
    ids = [f"{number:032x}" for number in range(count)]
    for one in ids:
        catalog.deliveries.add(
            Delivery(
                delivery_id=one, channel="1:x", occasion=Occasion.TEST, app="shop", created_at=NOON, title="t", body="b"
            )
        )
    assert sorted(race(url, "deliveries")) == ids
