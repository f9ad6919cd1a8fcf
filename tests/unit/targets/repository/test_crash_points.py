"""Power cuts and kills at any step of a backup, of a hold and of a removal: committed backups are there and whole."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from faults.machine import FOLDER, PASSWORD, Machine, SimulatedBackend
from holdfast.backends.options import BackendOptions
from holdfast.errors import DamageError, PruneRefused
from holdfast.model.backup import Marks, StoredBackup
from holdfast.model.event import ignore
from holdfast.protocols import Backend
from holdfast.repository.ingest import session
from holdfast.repository.writer import PackWriter
from holdfast.runtime.secret import Secret
from holdfast.targets import repository as target_module
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.testing.crash_states import random_state, settled
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.oracles import Violation
from holdfast.testing.sim_disk import SimDisk
from holdfast.testing.sim_filesystem import SimFileSystem
from holdfast.testing.stand_in import doomed_process, standing_in
from holdfast.testing.target_content import NOON, Made, database, make_backup, read_back, small_tree, tables

POINTS = 25
POINTS_DEEP = 400
MADE = [database(b"SQLite format 3\0" + bytes(3000)), tables({"a": b"1", "b": b"2"}), small_tree(1)]
LATER: list[Made] = [database(b"SQLite format 3\0" + bytes(3001)), small_tree(2)]
HOLD = Marks(hold_reason="keep")


class Host:
    """A machine with a repository on a simulated disk, and targets that use it."""

    def __init__(self, folder: Path, disk: SimDisk | None = None, *, ns: int = FakeClock().now().ns) -> None:
        self.folder = folder
        self.clock = FakeClock(ns=ns)
        if disk is None:
            machine = Machine(folder, clock=self.clock)
            machine.init()
            disk = settled(machine.files.disk)
        self.base = disk.copy()
        self.files = SimFileSystem(disk, clock=self.clock)

    def target(self) -> RepositoryTarget:
        options = RepositoryOptions(url="elsewhere", password=Secret(PASSWORD), cache=False, pack_size=0)
        return RepositoryTarget(
            "sim", options, self.folder, "app", self.folder / "state", self.clock, opener=self._open
        )

    def _open(self, url: str, *, options: BackendOptions) -> Backend:
        del url, options
        return SimulatedBackend(FOLDER, files=self.files, clock=self.clock, connections=1)

    def prepared(self) -> list[StoredBackup]:
        """Makes two backups, an hour apart."""
        target = self.target()
        target.prepare()
        made = [make_backup(target, MADE), make_backup(target, LATER, moment=NOON + timedelta(hours=1))]
        target.close()
        return made


class Workload(NamedTuple):
    """What is done with two backups there are; `loses` says how many of them, the newest first, may be gone."""

    name: str
    run: Callable[[RepositoryTarget, list[StoredBackup]], object]
    loses: int = 0


WORKLOADS = [
    Workload("backup", lambda target, _: make_backup(target, LATER[:1] + MADE[2:], moment=NOON + timedelta(hours=2))),
    Workload("hold", lambda target, made: target.mark(made[0], HOLD)),
    Workload("release", lambda target, made: (target.mark(made[0], HOLD), target.mark(made[0], Marks()))),
    Workload("remove", lambda target, made: target.remove([made[1]]), loses=1),
]
every_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def cut_anywhere(folder: Path, workload: Workload, rng: random.Random, points: int) -> None:
    """Runs a workload, then holds what so many power cuts and kills leave of it to the promises."""
    first = Host(folder)
    made = first.prepared()
    host = Host(folder, settled(first.files.disk))
    with doomed_process(1):
        target = host.target()
        target.prepare()
        workload.run(target, made)
        target.close()
    log = list(host.files.log)
    for _ in range(points):
        cut = rng.randrange(len(log) + 1)
        files = SimFileSystem(host.base.copy(), clock=host.clock)
        for step in log[:cut]:
            files.disk.apply(step)
        killed = rng.random() < 0.5
        disk = settled(files.disk) if killed else random_state(files.disk, rng).disk
        later = host.clock.now().ns + 600 * 10**9
        try:
            look(Host(folder, disk, ns=later), made[: len(made) - workload.loses], made)
        except Exception as error:
            error.add_note(f"{workload.name} was {'killed' if killed else 'cut'} after step {cut} of {len(log)}")
            raise


def look(host: Host, promised: list[StoredBackup], known: list[StoredBackup]) -> None:
    """Everything promised is listed, everything listed is whole, and the next run needs no help."""
    target = host.target()
    listed = {backup.backup_id: backup for backup in target.backups()}
    missing = [one.backup_id for one in promised if one.backup_id not in listed]
    if missing:
        raise Violation(f"lost: {missing}")
    for backup in listed.values():
        problems = target.verify(backup, ignore)
        if problems:
            raise Violation(f"{backup.backup_id} is listed and not whole: {problems}")
    contents = {one.backup_id: made for one, made in zip(known, (MADE, LATER), strict=True)}
    for one in promised:
        for made in contents[one.backup_id]:
            back = read_back(target.content(listed[one.backup_id], made.component.name))
            assert [each.content for each in back] == [item.content for item in made.items]
    target.close()
    target.prepare()
    after = make_backup(target, LATER, moment=NOON + timedelta(hours=3))
    target.remove([one for one in target.backups() if one.backup_id not in {after.backup_id, promised[0].backup_id}])
    assert {one.backup_id for one in target.backups()} == {after.backup_id, promised[0].backup_id}
    assert target.verify(after, ignore) == target.verify(promised[0], ignore) == []
    target.close()


@every_workload
def test_some_crash_points(folder: Path, rng: random.Random, workload: Workload) -> None:
    cut_anywhere(folder, workload, rng, POINTS)


@pytest.mark.deep
@every_workload
def test_many_crash_points(folder: Path, rng: random.Random, workload: Workload) -> None:
    cut_anywhere(folder, workload, rng, POINTS_DEEP)


# --- planted bugs ------------------------------------------------------------------------------------


class _IndexLast(PackWriter):
    """Lists packs in an index file only when the snapshot has been written."""

    def flush(self) -> None:
        keep, self._save_index = self._save_index, lambda: None  # type: ignore[method-assign]
        super().flush()
        self._save_index = keep  # type: ignore[method-assign]

    def close(self) -> None:
        self._save_index()
        super().close()


def test_planted_a_snapshot_before_its_index_is_noticed(folder: Path, rng: random.Random) -> None:
    """By the proof before the commit; without that, by a removal that is refused after a crash."""
    with standing_in(session, PackWriter=_IndexLast), pytest.raises(DamageError):
        cut_anywhere(folder, WORKLOADS[0], rng, 1)
    without_proof = standing_in(session, PackWriter=_IndexLast, ensure_stored=lambda *_: None)
    with without_proof, pytest.raises(PruneRefused):
        cut_anywhere(folder, WORKLOADS[0], rng, 200)


def test_planted_a_hold_that_deletes_first_is_noticed(folder: Path, rng: random.Random) -> None:
    def change_tags(repository: object, lock: object, snapshots: list[object], change: object) -> None:
        from holdfast.repository.forget import forget, plan_by_name
        from holdfast.repository.snapshots import save_snapshot

        forget(repository, lock, plan_by_name(snapshots))  # type: ignore[arg-type]
        for one in snapshots:
            save_snapshot(repository, replace(one, tags=change.apply(one.tags)))  # type: ignore[arg-type, attr-defined, type-var]

    with standing_in(target_module, change_tags=change_tags), pytest.raises(Violation, match="lost"):
        cut_anywhere(folder, WORKLOADS[1], rng, 200)
