"""The real program, killed at system calls: what was committed is there, and nobody has to unlock anything."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from faults.real_runs import PASSWORD, Killing, RealRepository
from holdfast.model.ids import SnapshotId
from holdfast.runtime import host

POINTS = 4


class Command(NamedTuple):
    """A command to be killed; `forgets` how many of the two snapshots; whether it makes the repository."""

    name: str
    arguments: tuple[str, ...]
    forgets: int = 0
    makes: bool = False
    passwords: tuple[bytes, ...] = (PASSWORD,)


COMMANDS = [
    Command("init", ("init",), makes=True),
    Command("backup", ("backup", "SOURCE")),
    Command("forget and prune", ("forget", "--keep-last", "1", "--prune", "--max-unused", "0"), forgets=1),
    Command("password change", ("key", "passwd", "--new-password-file", "NEW"), passwords=(PASSWORD, b"changed")),
    Command("prune", ("prune", "--max-unused", "0", "--repack-small")),
]
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name.replace(" ", "-"))


@pytest.fixture
def original(tmp_path: Path, rng: random.Random) -> RealRepository:
    """The repository that every trial starts with a copy of."""
    assert shutil.which("strace"), "these tests need strace; scripts/system_packages installs it"
    home = tmp_path / "original"
    home.mkdir()
    return RealRepository(home).prepare(rng)


def arguments_of(command: Command, original: RealRepository) -> list[str]:
    places = {"SOURCE": str(original.source), "NEW": str(original.home / "new-password")}
    return [places.get(argument, argument) for argument in command.arguments]


def points_of(command: Command, original: RealRepository, tmp_path: Path) -> list[Killing]:
    trial = original.twin(tmp_path / "counting")
    if command.makes:
        shutil.rmtree(trial.url)
    return trial.points(*arguments_of(command, original))


def kill(command: Command, original: RealRepository, home: Path, killing: Killing) -> bool:
    """One trial. Returns whether the program was killed before its end."""
    trial = original.twin(home)
    if command.makes:
        shutil.rmtree(trial.url)
        trial.known = {}
    killed = trial.run_and_kill(killing, *arguments_of(command, original))
    if command.makes and not trial.exists():
        done = trial.run("init")
        assert done.returncode == 0, done.stderr
    kept: list[SnapshotId] = list(trial.known)[command.forgets :]
    password = trial.require(set(kept), command.passwords)
    trial.password_file = home / "password"
    trial.password_file.write_bytes(password)
    trial.require_unattended()
    trial.require(set(kept), (password,))
    shutil.rmtree(home)
    return killed


def report(command: Command, killing: Killing) -> str:
    return f"{command.name} was killed at {killing.call} number {killing.number}"


@every_command
def test_killed_at_some_system_calls(
    command: Command, original: RealRepository, tmp_path: Path, rng: random.Random
) -> None:
    points = points_of(command, original, tmp_path)
    lively = [point for point in points if point.call != "mkdir"]
    killed = 0
    for killing in rng.sample(lively, min(POINTS, len(lively))):
        print(report(command, killing))
        killed += kill(command, original, tmp_path / "trial", killing)
    assert killed


@pytest.mark.deep
@every_command
def test_killed_at_every_system_call(command: Command, original: RealRepository, tmp_path: Path) -> None:
    points = points_of(command, original, tmp_path)
    # Of the 256 folders of a new repository, every eighth will do.
    points = [point for point in points if point.call != "mkdir" or point.number % 8 == 0 or point.number < 8]
    for killing in points:
        print(report(command, killing))
        kill(command, original, tmp_path / "trial", killing)


def wait_for_lock(trial: RealRepository, running: subprocess.Popen[str]) -> None:
    """Until the program holds its lock, or has ended."""
    while running.poll() is None and not list((trial.url / "locks").iterdir()):
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted_at_a_random_moment(
    number: signal.Signals, original: RealRepository, tmp_path: Path, rng: random.Random
) -> None:
    trial = original.twin(tmp_path / "trial")
    for _ in range(3):
        (original.source / "large").write_bytes(rng.randbytes(5_000_000))
        command = trial.command("backup", str(original.source))
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for_lock(trial, running)
        time.sleep(0.3 * rng.random())
        running.send_signal(number)
        _, errors = running.communicate(timeout=60)
        # Its handler is gone when the work is done and the interpreter ends.
        if running.returncode != -number:
            assert running.returncode in (0, 128 + number), errors
            assert "Traceback" not in errors
        assert not list((trial.url / "locks").iterdir()), "the lock stayed behind"
        trial.require(set(trial.known))
    trial.require_unattended()


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "from holdfast.runtime.workers import WorkerPool\n"
        "pool = WorkerPool(2)\n"
        "workers = [pool.submit(os.getpid).result() for _ in range(2)]\n"
        "print(*[*workers, *map(int, open(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read().split())])\n"
        "pool.submit(time.sleep, 600)\n"
        "print(flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = {int(word) for word in parent.stdout.readline().split()}
    parent.stdout.readline()
    assert workers
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(host.pid_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, f"workers {workers} have outlived their parent"
        time.sleep(0.05)
