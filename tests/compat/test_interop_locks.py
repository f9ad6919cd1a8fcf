"""Locks of one program hold the other back, and the locks of the dead hold nobody back for good."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from compat.engine import PASSWORD, make_repository
from compat.reference import Restic
from compat.tools import OURS
from holdfast.backends.local import LocalBackend
from holdfast.errors import RepositoryLocked
from holdfast.format import lock as lock_format
from holdfast.model.lock import Lock
from holdfast.protocols import FileKind
from holdfast.repository.locks import acquire, read_locks, unlock
from holdfast.repository.opening import open_repository
from holdfast.repository.repository import Repository
from holdfast.runtime import host
from holdfast.runtime.cancel import CancelToken, install_signal_handlers

PATIENCE_S = 60.0
DIES_LOCKED = """
import os, sys
from holdfast.backends.local import LocalBackend
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
acquire(open_repository(LocalBackend(sys.argv[1]), sys.argv[2].encode()), sys.argv[3] == "exclusive")
os._exit(0)
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """This process stands for one of ours: restic sends it SIGHUP to see whether it is alive."""
    restore = install_signal_handlers(CancelToken())
    yield
    restore()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    make_repository(folder)
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    OURS.backup(folder, source)
    return folder


@pytest.fixture
def repository(repo: Path) -> Iterator[Repository]:
    opened = open_repository(LocalBackend(str(repo)), PASSWORD)
    yield opened
    opened.close()


def refused(restic: Restic, *args: str | Path, repo: Path) -> bool:
    """Whether restic finds the repository locked."""
    done = restic.run(*args, repo=repo, check=False)
    if done.returncode == 0:
        return False
    assert b"locked" in done.stderr
    assert done.returncode == (11 if restic.at_least("0.17") else 1)
    return True


def locks_of(repo: Path) -> list[Path]:
    return list((repo / "locks").iterdir())


def test_our_exclusive_lock_holds_restic_back(restic: Restic, repo: Path, repository: Repository) -> None:
    with acquire(repository, True) as lock:
        assert refused(restic, "backup", repo / "config", repo=repo)
        assert refused(restic, "check", repo=repo)
        assert refused(restic, "snapshots", repo=repo)
        restic.run("snapshots", "--no-lock", repo=repo)
        # A lock in use is none that `unlock` clears away.
        restic.run("unlock", repo=repo)
        assert len(locks_of(repo)) == 1
        lock.ensure_held()
    restic.run("check", repo=repo)


def test_our_shared_lock_lets_restic_share(restic: Restic, repo: Path, repository: Repository) -> None:
    with acquire(repository, False) as lock:
        restic.run("backup", repo / "config", repo=repo)
        restic.run("snapshots", repo=repo)
        assert refused(restic, "prune", repo=repo)
        assert refused(restic, "forget", "--keep-last", "1", repo=repo)
        lock.ensure_held()
    assert not locks_of(repo)
    restic.run("prune", repo=repo)


@contextlib.contextmanager
def reading_standard_input(restic: Restic, repo: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A restic that backs up its input, which does not end: it holds a shared lock."""
    environment = restic._environment(repo, None, {})
    process = subprocess.Popen(
        [restic.path, "backup", "--stdin"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            wait_for_lock(repo)
            yield process
        finally:
            process.kill()


def wait_for_lock(repo: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not [path for path in locks_of(repo) if len(path.name) == 64]:
        assert time.monotonic() < ends, "no lock appeared"
        time.sleep(0.002)


@contextlib.contextmanager
def stopped_in_exclusive_lock(restic: Restic, repo: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A restic that checks, and is stopped as soon as its exclusive lock is there."""
    environment = restic._environment(repo, None, {})
    process = subprocess.Popen(
        [restic.path, "check"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            # It waits for 200 ms after it has written its lock.
            wait_for_lock(repo)
            process.send_signal(signal.SIGSTOP)
            yield process
            process.send_signal(signal.SIGCONT)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def test_a_running_command_of_ours_survives_unlock(restic: Restic, repo: Path) -> None:
    command = [sys.executable, "-m", "holdfast", "repo", "backup", "--stdin", "--no-cache"]
    variables = {"RESTIC_REPOSITORY": str(repo), "RESTIC_PASSWORD": PASSWORD.decode()}
    with subprocess.Popen(
        command, env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        wait_for_lock(repo)
        restic.run("unlock", repo=repo)
        assert len(locks_of(repo)) == 1
        process.communicate(b"content", timeout=PATIENCE_S)
    assert process.returncode == 0
    assert len(OURS.snapshots(repo)) == 2


def test_restics_shared_lock_lets_us_share(restic: Restic, repo: Path, repository: Repository) -> None:
    with reading_standard_input(restic, repo) as process:
        with acquire(repository, False) as lock:
            lock.ensure_held()
        with pytest.raises(RepositoryLocked) as caught:
            acquire(repository, True)
        assert str(process.pid) in str(caught.value)
        # In use: not ours to clear away.
        assert not unlock(repository).removed
        assert len(locks_of(repo)) == 1
        assert process.stdin is not None
        process.stdin.write(b"data")
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
    assert not locks_of(repo)
    with acquire(repository, True) as lock:
        lock.ensure_held()


def test_restics_exclusive_lock_holds_us_back(restic: Restic, repo: Path, repository: Repository) -> None:
    with stopped_in_exclusive_lock(restic, repo):
        for exclusive in (True, False):
            with pytest.raises(RepositoryLocked):
                acquire(repository, exclusive)
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", "repo", "prune", "--no-cache"],
            env=os.environ | {"RESTIC_REPOSITORY": str(repo), "RESTIC_PASSWORD": PASSWORD.decode()},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 11, done.stderr
        assert len(locks_of(repo)) == 1
    with acquire(repository, True) as lock:
        lock.ensure_held()


def test_we_take_over_what_a_killed_restic_left(restic: Restic, repo: Path, repository: Repository) -> None:
    with reading_standard_input(restic, repo) as process:
        process.kill()
        process.wait()
    assert len(locks_of(repo)) == 1
    with acquire(repository, True):
        assert len(locks_of(repo)) == 1
    assert not locks_of(repo)


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_restic_unlocks_what_our_dead_left(restic: Restic, repo: Path, kind: str) -> None:
    subprocess.run([sys.executable, "-c", DIES_LOCKED, repo, PASSWORD.decode(), kind], check=True)
    assert len(locks_of(repo)) == 1
    # COMPAT(restic): it clears no lock away until it is told to.
    assert refused(restic, "check", repo=repo)
    restic.run("unlock", repo=repo)
    assert not locks_of(repo)
    restic.run("check", repo=repo)


def test_both_find_an_old_lock_of_another_host_dead(restic: Restic, repo: Path, repository: Repository) -> None:
    for age, dead in ((timedelta(minutes=31), True), (timedelta(minutes=29), False)):
        write_lock(repository, age, hostname="elsewhere")
        restic.run("unlock", repo=repo)
        assert len(locks_of(repo)) == (0 if dead else 1)
        if dead:
            write_lock(repository, age, hostname="elsewhere")
        assert len(unlock(repository).removed) == (1 if dead else 0)


def write_lock(repository: Repository, age: timedelta, *, hostname: str) -> None:
    now = repository.clock.now()
    lock = Lock(
        time=type(now)(ns=now.ns - int(age.total_seconds()) * 10**9, offset_s=now.offset_s),
        exclusive=True,
        hostname=hostname,
        username="somebody",
        pid=1,
        uid=0,
        gid=0,
    )
    repository.save_unpacked(FileKind.LOCK, lock_format.encode(lock))


def test_each_reads_what_the_other_says_about_itself(restic: Restic, repo: Path, repository: Repository) -> None:
    with reading_standard_input(restic, repo) as process:
        (found,) = read_locks(repository)
        assert found.lock is not None
        assert (found.lock.pid, found.lock.exclusive) == (process.pid, False)
        assert found.lock.hostname == host.hostname()
        assert abs(found.lock.time.ns - time.time_ns()) < PATIENCE_S * 10**9
    unlock(repository)
    with acquire(repository, True):
        (name,) = restic.run("list", "locks", "--no-lock", repo=repo).stdout.split()
        told = json.loads(restic.run("cat", "lock", name.decode(), "--no-lock", repo=repo).stdout)
        assert told["pid"] == os.getpid()
        assert told["hostname"] == host.hostname()
        assert told["exclusive"] is True
        assert datetime.fromisoformat(told["time"][:19]) is not None
