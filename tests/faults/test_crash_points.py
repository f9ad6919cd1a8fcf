"""Power cuts anywhere in any operation: what was committed is there, what is there is whole, and work goes on."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.crash_workloads import EMPTY, PREPARED, Stage, Workload, another_backup, init
from faults.machine import Machine
from faults.recovery import crash_at_random, crash_everywhere, crash_in_recovery
from holdfast.testing.crash_states import settled
from holdfast.testing.sim_disk import Kind
from holdfast.testing.stand_in import standing_in

POINTS = 1_000
POINTS_DEEP = 10_000
POINTS_TWICE = 5
WORKLOADS = (*EMPTY, *PREPARED)
every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.__name__)


@pytest.fixture(scope="module", autouse=True)
def scratch_in_memory() -> Iterator[None]:
    """Index databases of thousands of short processes are kept off the disk."""
    with contextlib.ExitStack() as stack:
        if Path("/dev/shm").is_dir():
            stack.enter_context(standing_in(tempfile, tempdir="/dev/shm"))
        yield


def test_the_prune_that_is_cut_repacks(tmp_path: Path, rng: random.Random) -> None:
    machine = Stage(tmp_path, rng, files=20).machine()
    machine.forget(machine.oldest())
    assert machine.prune().copied_blobs


@every_workload
def test_random_crash_points(tmp_path: Path, rng: random.Random, workload: Workload) -> None:
    stage = Stage(tmp_path, rng)
    crash_at_random(stage.record(workload), rng, -(-POINTS // len(WORKLOADS)), stage.source)


@every_workload
def test_a_crash_while_recovering_from_a_crash(tmp_path: Path, rng: random.Random, workload: Workload) -> None:
    stage = Stage(tmp_path, rng)
    crash_in_recovery(stage.record(workload), rng, POINTS_TWICE, stage.source)


def test_what_a_crash_leaves_half_written_is_collected(tmp_path: Path, rng: random.Random) -> None:
    stage = Stage(tmp_path, rng)
    recording = stage.record(another_backup)
    for cut, step in enumerate(recording.log):
        if step.kind is Kind.RENAME:
            machine = Machine(stage.source, settled(recording.disk_at(cut)), promise=recording.promise_at(cut))
            assert [path for path in machine.files.disk.paths() if "-tmp-" in path]
            machine.clock.advance(49 * 3600.0)
            machine.prune()
            assert not [path for path in machine.files.disk.paths() if "-tmp-" in path]


@pytest.mark.deep
@every_workload
@pytest.mark.parametrize("part", range(10))
def test_many_random_crash_points(tmp_path: Path, rng: random.Random, workload: Workload, part: int) -> None:
    del part
    stage = Stage(tmp_path, rng)
    crash_at_random(stage.record(workload), rng, -(-POINTS_DEEP // 10 // len(WORKLOADS)), stage.source)


@pytest.mark.parametrize("workload", [one for one in WORKLOADS if one is not init], ids=lambda one: one.__name__)
def test_every_state_after_every_step_of_a_small_workload(
    tmp_path: Path, rng: random.Random, workload: Workload
) -> None:
    stage = Stage(tmp_path, rng, files=2)
    crash_everywhere(stage.record(workload), stage.source)
