"""Several at work on one repository: whoever gets in each other's way, nothing is lost and nothing is hollow."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.machine import PACK_BYTES, write_source
from holdfast.backends.memory import MemoryBackend
from holdfast.errors import LockLost, RepositoryLocked
from holdfast.model.event import Event, Progress
from holdfast.model.ids import SnapshotId
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import prune
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots
from holdfast.runtime.clock import SystemClock
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.oracles import all_digests, require_clean_check, require_snapshots
from repository_kit import new_repository

ROUNDS = 12
PRUNING = PruneOptions(max_unused=MaxUnused(percent=0), pack_bytes=PACK_BYTES)
Outcome = SnapshotId | None


class HurriedClock(SystemClock):
    """Sleeps a twentieth of the time; storage in memory is that much faster, too."""

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds / 20))


@contextmanager
def process(backend: MemoryBackend, *, exclusive: bool) -> Iterator[tuple[Repository, Index, RepositoryLock]]:
    repository = open_repository(backend, b"secret", clock=HurriedClock())
    with acquire(repository, exclusive) as lock, Index(repository, persistent=False) as index:
        index.sync()
        yield repository, index, lock


def back_up(backend: MemoryBackend, source: Path) -> Outcome:
    with process(backend, exclusive=False) as parts:
        report = backup(*parts, [source], BackupOptions(pack_bytes=PACK_BYTES))
        assert report.snapshot is not None
        return report.snapshot.id


def prune_all(backend: MemoryBackend, _: Path) -> Outcome:
    with process(backend, exclusive=True) as parts:
        prune(*parts, PRUNING)
    return None


def forget_oldest(backend: MemoryBackend, _: Path) -> Outcome:
    with process(backend, exclusive=True) as (repository, _index, lock):
        forget(repository, lock, plan_by_name(load_snapshots(repository)[:1]))
    return None


def together(
    backend: MemoryBackend, rng: random.Random, actions: list[tuple[Callable[[MemoryBackend, Path], Outcome], Path]]
) -> list[Outcome | RepositoryLocked]:
    """Starts all at nearly the same moment. Returns what each did, or that it was locked out."""
    gate = threading.Barrier(len(actions))
    delays = [rng.random() * 0.02 for _ in actions]

    def run(action: Callable[[MemoryBackend, Path], Outcome], source: Path, delay: float) -> Outcome | RepositoryLocked:
        gate.wait()
        time.sleep(delay)
        try:
            return action(backend, source)
        except RepositoryLocked as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        started = [threads.submit(run, *action, delay) for action, delay in zip(actions, delays, strict=True)]
        return [future.result() for future in started]


@pytest.fixture
def sources(tmp_path: Path, rng: random.Random) -> list[Path]:
    """Two folders with much in common."""
    folders = [tmp_path / "one", tmp_path / "two"]
    state = rng.getstate()
    for folder in folders:
        rng.setstate(state)
        write_source(folder, rng)
    (folders[1] / "file0").write_bytes(rng.randbytes(3000))
    return folders


def require_whole(backend: MemoryBackend, committed: set[SnapshotId]) -> None:
    repository = open_repository(backend, b"secret")
    found = all_digests(repository)
    require_snapshots(repository, committed, found)
    require_clean_check(repository)
    assert not list(repository.names(FileKind.LOCK))


def test_backups_run_side_by_side(sources: list[Path], rng: random.Random) -> None:
    backend = MemoryBackend("shared")
    new_repository(backend)
    committed: set[SnapshotId] = set()
    for _ in range(ROUNDS):
        outcomes = together(backend, rng, [(back_up, sources[0]), (back_up, sources[1]), (back_up, sources[0])])
        assert all(isinstance(outcome, bytes) for outcome in outcomes)
        committed |= set(outcomes)  # type: ignore[arg-type]
    require_whole(backend, committed)


def test_a_backup_and_a_prune_exclude_each_other(sources: list[Path], rng: random.Random) -> None:
    backend = MemoryBackend("shared")
    new_repository(backend)
    committed: set[SnapshotId] = set()
    for number in range(ROUNDS):
        source = sources[number % 2]
        (source / "changing").write_bytes(rng.randbytes(2000))
        outcomes = together(backend, rng, [(back_up, source), (prune_all, source)])
        committed |= {outcome for outcome in outcomes if isinstance(outcome, bytes)}  # type: ignore[misc]
        require_whole(backend, committed)


def test_prunes_and_forgets_exclude_each_other(sources: list[Path], rng: random.Random) -> None:
    backend = MemoryBackend("shared")
    new_repository(backend)
    for _ in range(ROUNDS // 2):
        for source in sources:
            (source / "changing").write_bytes(rng.randbytes(2000))
            back_up(backend, source)
        together(backend, rng, [(prune_all, source), (forget_oldest, source), (prune_all, source)])
        require_whole(backend, set())


# --- losing the lock ---------------------------------------------------------------------------------


class Thief:
    """A listener that takes the lock away once a phase has begun, as one does that takes us for dead."""

    def __init__(self, repository: Repository, clock: FakeClock, phase: str) -> None:
        self.repository = repository
        self.clock = clock
        self.phase = phase
        self.objects: dict[object, bytes] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress) and event.phase == self.phase and not self.objects:
            for name in list(self.repository.names(FileKind.LOCK)):
                self.repository.remove(FileKind.LOCK, name)
            self.clock.advance(60.0)
            self.objects = {
                (kind, name): b"" for kind in (FileKind.PACK, FileKind.SNAPSHOT) for name in self.repository.names(kind)
            }


def test_a_backup_that_lost_its_lock_commits_nothing(tmp_path: Path, rng: random.Random) -> None:
    clock = FakeClock()
    repository = new_repository(clock=clock)
    write_source(tmp_path / "source", rng)
    thief = Thief(repository, clock, "backup")
    with (
        Index(repository, persistent=False) as index,
        acquire(repository, exclusive=False) as lock,
        pytest.raises(LockLost),
    ):
        backup(repository, index, lock, [tmp_path / "source"], BackupOptions(), listener=thief)
    assert not list(repository.names(FileKind.SNAPSHOT))
    assert not list(repository.names(FileKind.INDEX))
    require_clean_check(repository)


@pytest.mark.parametrize("phase", ["repack", "index", "remove-index", "remove-data"])
def test_a_prune_that_lost_its_lock_deletes_nothing_more(tmp_path: Path, rng: random.Random, phase: str) -> None:
    clock = FakeClock()
    repository = new_repository(clock=clock)
    source = tmp_path / "source"
    write_source(source, rng, files=20)
    with Index(repository, persistent=False) as index:
        snapshots = [_changed_backup(repository, index, source, rng) for _ in range(3)]
        thief = Thief(repository, clock, phase)
        with acquire(repository, exclusive=True) as lock:
            forget(repository, lock, plan_by_name(snapshots[:2]))
            with pytest.raises(LockLost):
                prune(repository, index, lock, PRUNING, listener=thief)
    assert thief.objects
    left = {(kind, name) for kind in (FileKind.PACK, FileKind.SNAPSHOT) for name in repository.names(kind)}
    assert left >= set(thief.objects)
    require_clean_check(repository)


def _changed_backup(repository: Repository, index: Index, source: Path, rng: random.Random) -> Snapshot:
    for number in range(0, 20, 2):
        (source / f"changing{number}").write_bytes(rng.randbytes(300))
    with acquire(repository, exclusive=False) as lock:
        report = backup(repository, index, lock, [source], BackupOptions(pack_bytes=PACK_BYTES, force=True))
    assert report.snapshot is not None
    return report.snapshot


def test_a_backup_that_slept_goes_on_if_nobody_came(tmp_path: Path, rng: random.Random) -> None:
    clock = FakeClock()
    repository = new_repository(clock=clock)
    write_source(tmp_path / "source", rng)

    def sleepy(event: Event) -> None:
        if isinstance(event, Progress):
            clock.advance(3600.0)

    with Index(repository, persistent=False) as index, acquire(repository, exclusive=False) as lock:
        report = backup(repository, index, lock, [tmp_path / "source"], BackupOptions(), listener=sleepy)
    assert report.snapshot is not None
    require_clean_check(repository)
