"""A machine with a simulated disk that runs operations on a repository and notes what was promised when."""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.backends.local import LocalBackend
from holdfast.errors import BackendError, OutOfSpace
from holdfast.model.ids import SnapshotId, short
from holdfast.protocols import Backend, Handle
from holdfast.repository.backup.report import BackupOptions, BackupReport
from holdfast.repository.backup.run import backup
from holdfast.repository.copy import CopyOptions, copy
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.index import Index
from holdfast.repository.keys import add_key, change_password, remove_key
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import init_repository, open_repository
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import PruneReport, prune
from holdfast.repository.removal import RemovalFailure
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot, load_snapshots
from holdfast.testing.crash_states import replay
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.oracles import Digests, Promise, Violation, all_digests
from holdfast.testing.sim_disk import SimDisk, Step
from holdfast.testing.sim_filesystem import CHANGING, FailAt, SimFileSystem
from holdfast.testing.stand_in import doomed_process
from repository_kit import CHEAP

PASSWORD = b"secret"
FOLDER = "/srv/repository"
PACK_BYTES = 2048
_PROCESSES = itertools.count(1)


class SimulatedBackend(LocalBackend):
    """A local backend whose files nobody can open past it."""

    def local_path(self, handle: Handle) -> Path | None:
        """None: the file system is a simulation."""
        del handle
        return None


class Session(NamedTuple):
    """What one process has in hands."""

    repository: Repository
    index: Index
    lock: RepositoryLock


class Recording(NamedTuple):
    """Everything that happened to a disk, and the promises that had been made after each number of steps."""

    name: str
    base: SimDisk
    log: list[Step]
    promises: list[tuple[int, Promise]]
    known: Digests
    password: bytes

    def promise_at(self, cut: int) -> Promise:
        return next(promise for position, promise in reversed(self.promises) if position <= cut)

    def disk_at(self, cut: int) -> SimDisk:
        return replay(self.base, self.log[:cut])


class Machine:
    """Every operation runs as a process of its own: with its own backend, lock and index.

    Args:
        disk: what is on the disk; it is changed.
        source: the folder to back up.
        promise: what has been promised before.
        known: digests of all snapshots ever made.
        file_system: the kind of simulated file system, for planting bugs.

    Attributes:
        doomed: its processes are those of a machine that is about to crash.
    """

    def __init__(
        self,
        source: Path,
        disk: SimDisk | None = None,
        *,
        promise: Promise | None = None,
        known: Digests | None = None,
        password: bytes = PASSWORD,
        clock: FakeClock | None = None,
        file_system: type[SimFileSystem] = SimFileSystem,
    ) -> None:
        disk = disk if disk is not None else new_disk()
        self.base = disk.copy()
        self.clock = clock or FakeClock()
        self.files = file_system(disk, clock=self.clock)
        self.source = source
        self.password = password
        self.promise = promise or Promise(exists=False, passwords=((password,),))
        self.promises = [(0, self.promise)]
        self.known: Digests = dict(known or {})
        self.doomed = False

    def recording(self, name: str) -> Recording:
        """What has happened so far."""
        return Recording(name, self.base, list(self.files.log), list(self.promises), dict(self.known), self.password)

    def oldest(self) -> SnapshotId:
        """The first of the snapshots that are to be kept."""
        return next(name for name in self.known if name in self.promise.snapshots)

    def promised(self, **changes: object) -> None:
        """Notes that from this step on other things hold."""
        self.promise = msgspec.structs.replace(self.promise, **changes)
        self.promises.append((len(self.files.log), self.promise))

    # --- processes ------------------------------------------------------------------------------

    def backend(self) -> Backend:
        return SimulatedBackend(FOLDER, files=self.files, clock=self.clock, connections=1)

    def open(self, backend: Backend) -> Repository:
        return open_repository(backend, self.password, clock=self.clock)

    @contextlib.contextmanager
    def process(self, *, exclusive: bool = False, orderly: bool = True) -> Iterator[Session]:
        """A process with the repository open and locked. One that is not orderly dies when its work is done."""
        self.clock.advance(1.0)
        with doomed_process(next(_PROCESSES)) if self.doomed else contextlib.nullcontext():
            yield from self._process(exclusive=exclusive, orderly=orderly)

    def _process(self, *, exclusive: bool, orderly: bool) -> Iterator[Session]:
        backend = self.backend()
        repository = self.open(backend)
        with Index(repository, persistent=False) as index:
            index.sync()
            with acquire(repository, exclusive) as lock:
                yield Session(repository, index, lock)
                if not orderly:
                    self.files.fault = FailAt(1, errno.EIO, for_good=True, methods=CHANGING)
        if orderly:
            backend.close()
        else:
            self.files.fault = None

    # --- operations -----------------------------------------------------------------------------

    def init(self) -> None:
        init_repository(self.backend(), self.password, parameters=CHEAP, allow_weak=True, clock=self.clock)
        self.promised(exists=True)

    def backup(self) -> SnapshotId:
        with self.process() as session:
            report = self.run_backup(session)
            assert report.snapshot is not None
            assert report.snapshot.id is not None
            assert not report.problems
            done = report.snapshot.id
            self.promised(snapshots=self.promise.snapshots | {done})
            self.note_digests()
        return done

    def run_backup(self, session: Session) -> BackupReport:
        return backup(*session, [self.source], BackupOptions(pack_bytes=PACK_BYTES))

    def note_digests(self) -> None:
        """Reads every snapshot there is, as the truth that later states are held to."""
        for name, digest in all_digests(self.open(self.backend())).items():
            if self.known.setdefault(name, digest) != digest:
                raise Violation(f"snapshot {short(name)} has changed")

    def forget(self, *names: SnapshotId, orderly: bool = True) -> None:
        self.promised(snapshots=self.promise.snapshots - set(names))
        with self.process(exclusive=True, orderly=orderly) as session:
            plan = plan_by_name(load_snapshot(session.repository, name) for name in names)
            report = forget(session.repository, session.lock, plan)
            require_removed(report.failed)

    def prune(self) -> PruneReport:
        with self.process(exclusive=True) as session:
            report = self.run_prune(session)
            require_removed(report.failed)
        return report

    def run_prune(self, session: Session) -> PruneReport:
        return prune(*session, PruneOptions(max_unused=MaxUnused(percent=0), pack_bytes=PACK_BYTES))

    def copy_from(self, source: Repository) -> None:
        with self.process() as session, Index(source, private=True) as source_index:
            source_index.sync()
            snapshots = load_snapshots(source)
            options = CopyOptions(pack_bytes=PACK_BYTES)
            report = copy(source, source_index, *session, snapshots, options)
            assert len(report.snapshots) == len(snapshots)
            self.promised(snapshots=self.promise.snapshots | {copied.target for copied in report.snapshots})
            self.note_digests()

    def add_key(self, password: bytes) -> bytes:
        with self.process() as session:
            key_id = add_key(session.repository, password, parameters=CHEAP, allow_weak=True)
            self.promised(passwords=(*self.promise.passwords, (password,)))
        return key_id

    def remove_key(self, key_id: bytes, password: bytes) -> None:
        self.promised(passwords=tuple(group for group in self.promise.passwords if group != (password,)))
        with self.process(exclusive=True) as session:
            remove_key(session.repository, key_id)

    def change_password(self, password: bytes) -> None:
        others = tuple(group for group in self.promise.passwords if group != (self.password,))
        with self.process(exclusive=True) as session:
            self.promised(passwords=(*others, (self.password, password)))
            change_password(session.repository, password, parameters=CHEAP, allow_weak=True)
            self.promised(passwords=(*others, (password,)))
        self.password = password


def require_removed(failures: Iterable[RemovalFailure]) -> None:
    """Raises what kept a file from being removed, as a command does that reports it."""
    for failure in failures:
        kind = OutOfSpace if failure.code == OutOfSpace.code else BackendError
        raise kind(url=FOLDER, object=short(failure.name), reason=failure.detail)


def new_disk() -> SimDisk:
    """A disk with the folder above the repository in place."""
    files = SimFileSystem()
    files.mkdir("/srv", 0o755)
    files.fsync_dir("/")
    return files.disk


def write_source(folder: Path, rng: random.Random, *, files: int = 7) -> None:
    """A small tree with an empty file, text, noise and duplicates."""
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "empty").touch()
    for number in range(files):
        noise = rng.randbytes(rng.randrange(1, 700))
        _file(folder, number).write_bytes(noise if number % 2 else b"some text\n" * rng.randrange(1, 200) + noise)
    (folder / "twin").write_bytes(_file(folder, 0).read_bytes())


def change_source(folder: Path, rng: random.Random) -> None:
    """Changes every other file, so that packs of the snapshot before are half needed."""
    for number, path in enumerate(sorted(folder.rglob("file*"))):
        if number % 2 == 0:
            path.write_bytes(rng.randbytes(rng.randrange(1, 700)))


def _file(folder: Path, number: int) -> Path:
    return folder / ("", "inner", "inner/deep")[number % 3] / f"file{number}"
