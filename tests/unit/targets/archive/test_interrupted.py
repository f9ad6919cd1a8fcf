"""Runs that fail or die at any step: what was there stays, what was not finished goes, and nothing else does."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.backends.folders.local import LocalFolder
from holdfast.backends.local_files import LocalFileSystem
from holdfast.errors import BackendError, HoldfastError, SealVerificationFailed
from holdfast.model.backup import Marks, StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.event import ignore
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.target_content import (
    NOON,
    Made,
    database,
    directory,
    file,
    make_backup,
    manifest_for,
    small_tree,
    tables,
    tree,
)  # fmt: skip

LAYOUTS = ["typed", "flat", "directory", "bundle"]
LATER = NOON + timedelta(days=1)
TINY = [
    database(b"SQLite format 3\0", "database"),
    tables({"users": b"[]"}),
    tree([directory(b"storage"), file(b"storage/a", b"1")]),
]


class Died(BaseException):
    """The machine stopped."""


class CountingDisk(LocalFileSystem):
    """Fails, or dies for good, at the n-th step that changes something."""

    def __init__(self, last: int | None = None, error: BaseException | None = None, *, for_good: bool = False) -> None:
        self.steps = 0
        self._last = last
        self._error = error
        self._for_good = for_good

    def _step(self) -> None:
        self.steps += 1
        if self._last is None or self._error is None:
            return
        if self.steps == self._last or (self._for_good and self.steps > self._last):
            raise self._error

    def mkdir(self, path: str, mode: int) -> None:
        self._step()
        super().mkdir(path, mode)

    def open_temp(self, path: str, mode: int) -> int:
        self._step()
        return super().open_temp(path, mode)

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        self._step()
        return super().write(fd, buffers)

    def fsync(self, fd: int) -> None:
        self._step()  # a disk that really syncs would make hundreds of runs slow and prove no more

    def rename(self, src: str, dst: str) -> None:
        self._step()
        super().rename(src, dst)

    def link(self, src: str, dst: str) -> None:
        self._step()
        super().link(src, dst)

    def unlink(self, path: str) -> None:
        self._step()
        super().unlink(path)

    def fsync_dir(self, path: str) -> None:
        self._step()


def opened(tmp_path: Path, layout: str, files: LocalFileSystem | None = None) -> ArchiveTarget:
    folder = LocalFolder(str(tmp_path / "backups"), files=CountingDisk() if files is None else files)
    return ArchiveTarget("local", ArchiveOptions(url="backups", layout=layout), tmp_path, "app", folder=folder)  # type: ignore[arg-type]


def kept_backup(tmp_path: Path, layout: str) -> StoredBackup:
    target = opened(tmp_path, layout)
    target.prepare()
    return make_backup(target, TINY)


def run(target: ArchiveTarget, made: Sequence[Made] = TINY) -> None:
    """A run as operations does it: an error leads to `abort`; death to nothing at all."""
    from msgspec.structs import replace

    from holdfast.testing.target_content import give

    target.prepare()
    manifest = manifest_for(LATER, made)
    writer = target.begin(manifest)
    try:
        done = {one.component.name: give(writer.component(one.component), one) for one in made}
        writer.commit(replace(manifest, components=done))
    except HoldfastError:
        with contextlib.suppress(HoldfastError):
            writer.abort()
        raise


def steps_of(tmp_path: Path, layout: str) -> int:
    disk = CountingDisk()
    run(opened(tmp_path / "count", layout, disk))
    return disk.steps


def some_steps(tmp_path: Path, layout: str, rng: random.Random) -> list[int]:
    """The last ones, around which the record appears, and some before; all of them in deep runs."""
    total = steps_of(tmp_path, layout)
    assert total > 30
    if os.environ.get("HYPOTHESIS_PROFILE") == "deep":
        return list(range(1, total + 1))
    return sorted({*range(total - 25, total + 1), *rng.sample(range(1, total), 20)})


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk_at_any_step_leaves_the_old_backup_and_nothing_new(
    tmp_path: Path, layout: str, rng: random.Random
) -> None:
    for step in some_steps(tmp_path, layout, rng):
        place = tmp_path / str(step)
        place.mkdir()
        kept = kept_backup(place, layout)
        before = files_of(place / "backups")
        disk = CountingDisk(step, OSError(errno.ENOSPC, "full"))
        with contextlib.suppress(BackendError):
            run(opened(place, layout, disk))
        after = opened(place, layout)
        after.prepare()
        listed = {backup.backup_id: backup for backup in after.backups()}
        assert listed.pop(kept.backup_id) == kept
        assert all(after.verify(backup, ignore) == [] for backup in [kept, *listed.values()])
        if not listed:
            assert files_of(place / "backups") == before, step
            run(after)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_death_at_any_step_leaves_the_old_backup_and_the_next_run_succeeds(
    tmp_path: Path, layout: str, rng: random.Random
) -> None:
    for step in some_steps(tmp_path, layout, rng):
        place = tmp_path / str(step)
        place.mkdir()
        kept = kept_backup(place, layout)
        before = files_of(place / "backups")
        with contextlib.suppress(Died):
            run(opened(place, layout, CountingDisk(step, Died(), for_good=True)))
        after = opened(place, layout)
        listed = {backup.backup_id for backup in after.backups()}
        after.prepare()
        assert {backup.backup_id for backup in after.backups()} == listed
        assert all(after.verify(backup, ignore) == [] for backup in after.backups())
        if listed == {kept.backup_id}:
            assert files_of(place / "backups") == before, step
            run(after)
        assert len(after.backups()) == 2


class FailsThenDies(CountingDisk):
    """A disk that is full at one step and gone some steps later."""

    def __init__(self, full: int, dead: int) -> None:
        super().__init__()
        self._full, self._dead = full, dead

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._full:
            raise OSError(errno.ENOSPC, "full")
        if self.steps >= self._dead:
            raise Died


@pytest.mark.parametrize("layout", LAYOUTS)
def test_death_while_giving_up_lists_nothing_that_is_not_whole(tmp_path: Path, layout: str) -> None:
    total = steps_of(tmp_path, layout)
    for full in range(total - 8, total + 1):
        for dead in range(full + 1, full + 12):
            place = tmp_path / f"{full}-{dead}"
            place.mkdir()
            with contextlib.suppress(Died, BackendError):
                run(opened(place, layout, FailsThenDies(full, dead)))
            after = opened(place, layout)
            for backup in after.backups():
                assert after.verify(backup, ignore) == [], (full, dead)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_death_while_removing_leaves_all_of_a_backup_or_nothing(tmp_path: Path, layout: str) -> None:
    for step in range(1, 60):
        place = tmp_path / str(step)
        place.mkdir()
        kept = kept_backup(place, layout)
        before = files_of(place / "backups")
        target = opened(place, layout)
        going = make_backup(target, TINY, moment=LATER)
        target.mark(going, Marks(damage="x"))
        disk = CountingDisk(step, Died(), for_good=True)
        with contextlib.suppress(Died):
            opened(place, layout, disk).remove([going])
        after = opened(place, layout)
        for backup in after.backups():
            assert after.verify(backup, ignore) == []
        after.prepare()
        if len(after.backups()) == 1:
            assert after.backups() == [kept]
            assert files_of(place / "backups") == before, step
        if disk.steps < step:
            return
    raise AssertionError("removing takes more steps than were tried")


def test_files_of_others_and_our_own_that_somebody_copied_are_never_removed(tmp_path: Path) -> None:
    root = tmp_path / "backups"
    target = opened(tmp_path, "typed")
    target.prepare()
    foreign = [
        "docker_volume_backup.tar.gz",
        "database/db_backup_20230101_120000.db.backup",
        "database/db_backup_20230101_120000.db",
        "storage/storage_backup_20230101_120000.tar.gz",
        "storage/storage_backup_20230101_120000.json",
        "full/full_backup_20230101_120000.json",
        "backup.log",
        "manifest_20230101_120000.json",
        "notes.txt",
    ]
    for name in foreign:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("not json")
    with contextlib.suppress(Died):
        run(opened(tmp_path, "typed", CountingDisk(60, Died(), for_good=True)))
    after = opened(tmp_path, "typed")
    after.prepare()
    stored = make_backup(after, TINY)
    after.remove([stored])
    assert files_of(root) == set(foreign)


def test_the_files_of_a_damaged_record_are_kept(tmp_path: Path) -> None:
    kept = kept_backup(tmp_path, "typed")
    root = tmp_path / "backups"
    record = root / "full/full_backup_20240101_120000.json"
    whole = record.read_bytes()
    record.write_bytes(whole[:100])
    # Even a journal that a run left behind must not make them go.
    (root / ".holdfast/pending").mkdir(exist_ok=True)
    names = ",".join(f'"{file.name}"' for one in kept.manifest.components.values() for file in one.files)
    pending = root / f".holdfast/pending/{kept.backup_id}.json"
    pending.write_text(f'{{"backup_id": "{kept.backup_id}", "names": [{names}]}}')
    target = opened(tmp_path, "typed")
    target.prepare()
    assert target.backups() == []
    assert [problem.code for problem in target.problems] == ["record-damaged"]
    record.write_bytes(whole)
    assert target.backups() == [kept]
    assert target.verify(kept, ignore) == []


def test_a_journal_cannot_be_used_to_delete_other_things(tmp_path: Path) -> None:
    kept = kept_backup(tmp_path, "typed")
    root = tmp_path / "backups"
    (root / "precious.txt").write_text("1")
    victim = "database/db_backup_20240101_120000.db"
    pending = root / ".holdfast/pending/backup_2024_06_06_06_06_06.json"
    pending.parent.mkdir(exist_ok=True)
    names = f'"precious.txt", "../outside_20240606_060606", "{victim}"'
    (tmp_path / "outside_20240606_060606").write_text("1")
    pending.write_text(f'{{"backup_id": "backup_2024_06_06_06_06_06", "names": [{names}]}}')
    target = opened(tmp_path, "typed")
    target.prepare()
    assert (root / "precious.txt").exists()
    assert (tmp_path / "outside_20240606_060606").exists()
    assert target.verify(kept, ignore) == []


def test_a_record_that_was_changed_is_listed_and_told(tmp_path: Path) -> None:
    kept = kept_backup(tmp_path, "typed")
    record = tmp_path / "backups/full/full_backup_20240101_120000.json"
    record.write_bytes(record.read_bytes().replace(b'"app_data.db"', b'"APP_data.db"'))
    target = opened(tmp_path, "typed")
    assert [backup.backup_id for backup in target.backups()] == [kept.backup_id]
    assert "record-changed" in {problem.code for problem in target.verify(kept, ignore)}


def test_backups_of_another_app_are_not_listed(tmp_path: Path) -> None:
    kept_backup(tmp_path, "flat")
    other = ArchiveTarget("local", ArchiveOptions(url="backups", layout="flat"), tmp_path, "another")
    assert other.backups() == []
    assert [problem.code for problem in other.problems] == ["another-app"]


def test_marks_that_cannot_be_read_hold_a_backup(tmp_path: Path) -> None:
    kept = kept_backup(tmp_path, "typed")
    (tmp_path / f"backups/.holdfast/{kept.backup_id}.json").write_text("{")
    assert opened(tmp_path, "typed").backups()[0].marks.held


class LyingDisk(LocalFileSystem):
    """Stores another bit than it was given, and says nothing."""

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        content = bytearray(b"".join(bytes(buffer) for buffer in buffers))
        if len(content) > 20_000:
            content[10_000] ^= 1
        return super().write(fd, [content])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_that_stores_something_else_is_found_out_before_the_backup_counts(tmp_path: Path, layout: str) -> None:
    target = opened(tmp_path, layout, LyingDisk())
    with pytest.raises(SealVerificationFailed):
        run(target, [small_tree()])
    assert target.backups() == []
    assert files_of(tmp_path / "backups") == set()


_VICTIM = """
import sys, time
from pathlib import Path
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.target_content import *
target = ArchiveTarget("local", ArchiveOptions(url="backups", layout=sys.argv[2]), Path(sys.argv[1]), "app")
target.prepare()
made = [database(b"1" * 1000), small_tree()]
writer = target.begin(manifest_for(NOON, made))
give(writer.component(made[0].component), made[0])
component = writer.component(made[1].component)
for item in made[1].items[:3]:
    component.begin(Entry(path=item.path, node=item.node))
component.write(b"x" * 5_000_000)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("layout", ["typed", "bundle"])
def test_a_process_that_was_killed_leaves_nothing_after_the_next_prepare(tmp_path: Path, layout: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(tmp_path), layout], stdout=subprocess.PIPE, env=environment
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"ready\n"
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    assert files_of(tmp_path / "backups") != set()
    target = opened(tmp_path, layout)
    assert target.backups() == []
    target.prepare()
    assert files_of(tmp_path / "backups") == set()
    assert target.verify(make_backup(target, TINY), ignore) == []
