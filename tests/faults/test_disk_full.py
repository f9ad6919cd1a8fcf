"""Storage that fails at any call: a named error, nothing promised is lost, and work goes on when it works again."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.crash_workloads import Stage, Workload
from faults.machine import Machine
from faults.recovery import hold
from holdfast.errors import BackendError, HoldfastError, OutOfSpace
from holdfast.testing.crash_states import random_state
from holdfast.testing.sim_filesystem import CHANGING, TAKING_SPACE, FailAt


class Trial:
    """One operation on one disk that fails at one call."""

    def __init__(self, stage: Stage, operation: Workload, fault: FailAt) -> None:
        self.stage = stage
        self.machine = stage.machine_for(operation)
        self.machine.files.fault = fault
        self.fault = fault
        self.error: HoldfastError | None = None
        try:
            operation(self.machine)
        except HoldfastError as error:
            self.error = error
        self.machine.files.fault = None

    def require_recovery(self, rng: random.Random) -> None:
        """Whatever came of it, and even if the power is cut now: what was promised holds."""
        recording = self.machine.recording("an operation on a failing disk")
        state = random_state(self.machine.files.disk, rng)
        hold(recording, len(recording.log), state, self.stage.source, strangers=True)


def trials(
    stage: Stage, operation: Workload, error: int, *, for_good: bool, methods: frozenset[str]
) -> Iterator[Trial]:
    """The operation with its first call failing, then its second, and so on until it needs no more calls."""
    number = 0
    while True:
        number += 1
        trial = Trial(stage, operation, FailAt(number, error, for_good=for_good, methods=methods))
        if not trial.fault.fired:
            assert trial.error is None
            assert number > 1
            return
        assert trial.error is not None or number > 1, "the first call failed and nobody was told"
        yield trial


def backup(machine: Machine) -> None:
    machine.backup()


def forget(machine: Machine) -> None:
    machine.forget(machine.oldest())


def prune(machine: Machine) -> None:
    """With something to repack and something to delete, which is what another process left to do."""
    machine.forget(machine.oldest())
    machine.prune()


def key_added(machine: Machine) -> None:
    machine.add_key(b"another")


def password_changed(machine: Machine) -> None:
    machine.change_password(b"changed")


OPERATIONS: list[Workload] = [backup, forget, prune, key_added, password_changed]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)


@every_operation
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_disk_that_fills_up(tmp_path: Path, rng: random.Random, operation: Workload, number: int) -> None:
    for trial in trials(Stage(tmp_path, rng), operation, number, for_good=True, methods=TAKING_SPACE):
        # Once everything is committed, a lock file that cannot be deleted is only worth a warning.
        assert trial.error is None or isinstance(trial.error, OutOfSpace)
        trial.require_recovery(rng)


@every_operation
@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_disk_that_dies(tmp_path: Path, rng: random.Random, operation: Workload, number: int) -> None:
    for trial in trials(Stage(tmp_path, rng), operation, number, for_good=True, methods=CHANGING):
        assert trial.error is None or isinstance(trial.error, BackendError)
        trial.require_recovery(rng)


@every_operation
def test_one_call_that_fails(tmp_path: Path, rng: random.Random, operation: Workload) -> None:
    for trial in trials(Stage(tmp_path, rng), operation, errno.EIO, for_good=False, methods=CHANGING):
        trial.require_recovery(rng)
