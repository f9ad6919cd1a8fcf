"""Workloads whose every step a crash may follow, recorded once each."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from faults.machine import Machine, Recording, change_source, write_source
from holdfast.testing.crash_states import settled
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.sim_filesystem import SimFileSystem

Workload = Callable[[Machine], None]


class Stage:
    """Where workloads begin: a source folder, and a disk with a repository of two snapshots.

    Args:
        folder: an empty folder for the source.
        rng: makes the source.
        files: how many files it has, besides an empty one and a twin.
        file_system: the kind of simulated file system, for planting bugs.
    """

    def __init__(
        self, folder: Path, rng: random.Random, *, files: int = 7, file_system: type[SimFileSystem] = SimFileSystem
    ) -> None:
        self.source = folder
        self.file_system = file_system
        write_source(folder, rng, files=files)
        first = Machine(folder, file_system=SimFileSystem)
        first.init()
        first.backup()
        change_source(folder, rng)
        first.backup()
        change_source(folder, rng)
        self._prepared = first

    def machine(self) -> Machine:
        """A machine on a disk of its own with the repository on it."""
        done = self._prepared
        return Machine(
            self.source,
            settled(done.files.disk),
            promise=done.promise,
            known=done.known,
            clock=FakeClock(ns=done.clock.now().ns),
            file_system=self.file_system,
        )

    def empty_machine(self) -> Machine:
        """A machine without a repository."""
        return Machine(self.source, file_system=self.file_system)

    def machine_for(self, workload: Workload) -> Machine:
        """A machine on which the workload can begin, and which is about to crash."""
        machine = self.empty_machine() if workload in EMPTY else self.machine()
        machine.doomed = True
        return machine

    def record(self, workload: Workload) -> Recording:
        """Runs a workload on a machine that is about to crash."""
        machine = self.machine_for(workload)
        workload(machine)
        return machine.recording(workload.__name__)


# --- workloads ---------------------------------------------------------------------------------------


def init(machine: Machine) -> None:
    machine.init()


def init_and_first_backup(machine: Machine) -> None:
    machine.init()
    machine.backup()


def another_backup(machine: Machine) -> None:
    machine.backup()


def two_backups(machine: Machine) -> None:
    machine.backup()
    (machine.source / "later").write_bytes(b"later" * 300)
    machine.backup()
    (machine.source / "later").unlink()


def forget_one(machine: Machine) -> None:
    machine.forget(machine.oldest())


def forget_and_prune(machine: Machine) -> None:
    machine.forget(machine.oldest())
    machine.prune()


def forget_killed_before_prune(machine: Machine) -> None:
    """The removal of a snapshot has not been synchronised by anybody when another process prunes."""
    machine.forget(*machine.promise.snapshots, orderly=False)
    machine.prune()


def backup_after_prune(machine: Machine) -> None:
    machine.forget(*machine.promise.snapshots)
    machine.prune()
    machine.backup()


def key_added_and_removed(machine: Machine) -> None:
    key_id = machine.add_key(b"another")
    machine.remove_key(key_id, b"another")


def password_changed(machine: Machine) -> None:
    machine.change_password(b"changed")


def copied_in(machine: Machine) -> None:
    """Two snapshots of another repository."""
    elsewhere = Machine(machine.source)
    elsewhere.init()
    elsewhere.backup()
    (machine.source / "later").write_bytes(b"elsewhere" * 200)
    elsewhere.backup()
    (machine.source / "later").unlink()
    machine.copy_from(elsewhere.open(elsewhere.backend()))


EMPTY: tuple[Workload, ...] = (init, init_and_first_backup)
PREPARED: tuple[Workload, ...] = (
    another_backup,
    two_backups,
    forget_one,
    forget_and_prune,
    forget_killed_before_prune,
    backup_after_prune,
    key_added_and_removed,
    password_changed,
    copied_in,
)
