"""Crashes, what the next scheduled run does after them, and what must hold before and after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from faults.machine import Machine, Recording
from holdfast.errors import HoldfastError, RepositoryNotFound
from holdfast.repository.opening import open_repository
from holdfast.testing.crash_states import CrashState, every_state, fingerprint, random_state
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.oracles import Promise, Violation, opened, require_clean_check, require_snapshots
from holdfast.testing.sim_disk import Kind


def crash_at_random(recording: Recording, rng: random.Random, points: int, source: Path) -> None:
    """So many power cuts at random steps, each with a random outcome and a full recovery."""
    # Making the 256 folders of an empty repository is most of the steps and least of the danger.
    dull = [cut for cut in range(len(recording.log)) if recording.log[cut].kind is Kind.MKDIR]
    lively = [cut for cut in range(len(recording.log) + 1) if cut not in set(dull)]
    for _ in range(points):
        cut = rng.choice(dull if dull and rng.random() < 0.1 else lively)
        hold(recording, cut, random_state(recording.disk_at(cut), rng), source)


def crash_in_recovery(recording: Recording, rng: random.Random, points: int, source: Path) -> None:
    """A power cut, and another one while the next runs are recovering from it."""
    for _ in range(points):
        cut = rng.randrange(len(recording.log) + 1)
        machine = Machine(
            source,
            random_state(recording.disk_at(cut), rng).disk,
            promise=recording.promise_at(cut),
            known=recording.known,
            clock=_minutes_later(),
        )
        machine.doomed = True
        _recover(machine, strangers=False)
        crash_at_random(machine.recording(f"recovery from {recording.name}, cut at {cut}"), rng, 1, source)


def crash_everywhere(recording: Recording, source: Path) -> int:
    """Every outcome of a power cut after every step. Returns how many different ones there were."""
    disk = recording.base.copy()
    seen: set[tuple[bytes, Promise]] = set()
    for cut in range(len(recording.log) + 1):
        if cut:
            disk.apply(recording.log[cut - 1])
        promise = recording.promise_at(cut)
        for state in every_state(disk):
            key = fingerprint(state.disk), promise
            if key not in seen:
                seen.add(key)
                hold(recording, cut, state, source)
    return len(seen)


def hold(recording: Recording, cut: int, state: CrashState, source: Path, *, strangers: bool = False) -> None:
    """Holds one state to the promises; a failure comes with everything needed to see why."""
    try:
        require_recovery(recording, recording.promise_at(cut), state, source, strangers=strangers)
    except Violation as violation:
        steps = "\n".join(f"{number:5} {step}" for number, step in enumerate(recording.log[:cut], 1))
        violation.add_note(f"{recording.name} was cut after step {cut}: {state.how}\n{steps}")
        raise


def require_recovery(
    recording: Recording, promise: Promise, state: CrashState, source: Path, *, strangers: bool = False
) -> Machine:
    """Holds a state that a crash left to every promise, runs the next backup and prune, and looks again.

    Args:
        strangers: a whole snapshot that nobody has heard of may be there, as after a commit that failed late.

    Returns:
        The machine that recovered, with the log of how it did.

    Raises:
        Violation: a promise is broken.
    """
    machine = Machine(source, state.disk, promise=promise, known=recording.known, clock=_minutes_later())
    _recover(machine, strangers)
    return machine


def _minutes_later() -> FakeClock:
    """After everything recorded, and before a lock is stale by its age: its holder must be seen to be dead."""
    return FakeClock(ns=FakeClock().now().ns + 600 * 10**9)


def _recover(machine: Machine, strangers: bool) -> None:
    if not machine.promise.exists and _is_missing(machine):
        _attempt(machine.init, "init")
    else:
        machine.promised(exists=True)
    _look(machine, strangers)
    _attempt(machine.backup, "backup")
    _attempt(machine.prune, "prune")
    _look(machine, strangers)


def _is_missing(machine: Machine) -> bool:
    try:
        open_repository(machine.backend(), machine.password, clock=machine.clock)
    except RepositoryNotFound:
        return True
    except HoldfastError as error:
        raise Violation(f"an interrupted init left a repository that does not open: {error}") from error
    return False


def _attempt(operation: Callable[[], object], name: str) -> None:
    try:
        operation()
    except HoldfastError as error:
        raise Violation(f"the next {name} failed: {error}") from error


def _look(machine: Machine, strangers: bool) -> None:
    repository, machine.password = opened(machine.backend(), machine.promise, machine.clock)
    require_snapshots(repository, machine.promise.snapshots, machine.known, strangers=strangers)
    require_clean_check(repository)
