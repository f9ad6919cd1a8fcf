"""Power cuts: of every state that a disk may be left in, the archive makes something that is true.

Each step of a workload is done on a real folder and noted on a simulated disk; cuts of the notes give the states.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.backends.folders.local import LocalFolder
from holdfast.backends.local_files import LocalFileSystem
from holdfast.model.backup import Marks
from holdfast.model.buffer import Buffer
from holdfast.model.event import ignore
from holdfast.targets.archive import ArchiveTarget
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.testing.crash_states import random_state, replay
from holdfast.testing.sim_disk import File, SimDisk, Step
from holdfast.testing.sim_filesystem import SimFileSystem
from holdfast.testing.target_content import NOON, database, directory, file, make_backup, tables, tree

TINY = [
    database(b"SQLite format 3\0" + bytes(range(256)) * 5),
    tables({"users": b"[]"}),
    tree([directory(b"storage"), file(b"storage/a", b"1")]),
]
LAYOUTS = ["typed", "flat", "directory", "bundle"]


class QuickDisk(LocalFileSystem):
    """The real disk without waiting for it: what would last is known to the simulated one."""

    def fsync(self, fd: int) -> None:
        pass

    def fsync_dir(self, path: str) -> None:
        pass


class NotingDisk(LocalFileSystem):
    """The real disk, with a simulated one beside it that knows what was synchronised."""

    def __init__(self, root: Path) -> None:
        self.sim = SimFileSystem()
        self._root = str(root)
        self._twins: dict[int, int] = {}

    def _inside(self, path: str) -> str:
        return path.removeprefix(self._root) or "/"

    def mkdir(self, path: str, mode: int) -> None:
        super().mkdir(path, mode)
        self.sim.mkdir(self._inside(path), mode)

    def open_temp(self, path: str, mode: int) -> int:
        fd = super().open_temp(path, mode)
        self._twins[fd] = self.sim.open_temp(self._inside(path), mode)
        return fd

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        self.sim.write(self._twins[fd], buffers)
        return super().write(fd, buffers)

    def fsync(self, fd: int) -> None:
        self.sim.fsync(self._twins[fd])

    def close(self, fd: int) -> None:
        super().close(fd)
        self.sim.close(self._twins.pop(fd))

    def chmod(self, path: str, mode: int) -> None:
        super().chmod(path, mode)
        self.sim.chmod(self._inside(path), mode)

    def rename(self, src: str, dst: str) -> None:
        super().rename(src, dst)
        self.sim.rename(self._inside(src), self._inside(dst))

    def link(self, src: str, dst: str) -> None:
        super().link(src, dst)
        self.sim.link(self._inside(src), self._inside(dst))

    def fsync_dir(self, path: str) -> None:
        self.sim.fsync_dir(self._inside(path))

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.sim.unlink(self._inside(path))


class Promise(NamedTuple):
    """From one step of the log on, until another, a backup must be there; after a third it must not."""

    backup_id: str
    since: int
    until: int
    gone: int


def workload(root: Path, layout: str) -> tuple[list[Step], list[Promise], int]:
    """Two backups: the second is held, then the first is removed. Also tells from which step on the hold must last."""
    disk = NotingDisk(root)
    target = opened(root, layout, disk)
    log = disk.sim.log
    target.prepare()
    first = make_backup(target, TINY)
    made_first = len(log)
    second = make_backup(target, TINY, moment=NOON + timedelta(days=1))
    made_second = len(log)
    target.mark(second, Marks(hold_reason="before the move", held_at=NOON))
    marked = len(log)
    target.remove([first])
    never = len(log) + 1
    return (
        log,
        [
            Promise(first.backup_id, made_first, made_second, len(log)),
            Promise(second.backup_id, made_second, never, never),
        ],
        marked,
    )


def opened(root: Path, layout: str, files: LocalFileSystem | None = None) -> ArchiveTarget:
    folder = LocalFolder(str(root / "backups"), files=files or QuickDisk())
    options = ArchiveOptions(url="backups", layout=layout)  # type: ignore[arg-type]
    return ArchiveTarget("local", options, root, "app", folder=folder)


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def known_files(target: ArchiveTarget) -> set[str]:
    """Every file that a listed backup consists of, and what is noted about it."""
    names: set[str] = set()
    for backup in target.backups():
        names.add(str(Path(backup.location).relative_to(target.url)))
        names |= {row.name.partition("!")[0] for one in backup.manifest.components.values() for row in one.files}
        names |= {f".holdfast/{backup.backup_id}.sha256"} if backup.location.endswith(".zip") else set()
        names |= {f".holdfast/{backup.backup_id}.json"} if backup.marks.held else set()
        folder = Path(backup.location).parent
        names |= {f"{folder.name}/backup_summary.txt"} if folder.name.startswith("backup_2024") else set()
    return names


def write_down(disk: SimDisk, root: Path) -> None:
    """Makes a real folder of a simulated disk."""
    for path in disk.paths():
        node = disk.nodes[disk.number_of(path)]
        if isinstance(node, File):
            (root / path[1:]).write_bytes(bytes(node.content))
        else:
            os.makedirs(root / path[1:], exist_ok=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_whatever_a_power_cut_leaves_is_true(tmp_path: Path, layout: str, rng: random.Random) -> None:
    (tmp_path / "work").mkdir()
    log, promises, marked = workload(tmp_path / "work", layout)
    every = range(len(log) + 1)
    deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    cuts = [*every] * 5 if deep else sorted(rng.sample(every, 45))
    for number, cut in enumerate(cuts):
        state = random_state(replay(SimDisk(), log[:cut]), rng)
        root = tmp_path / str(number)
        root.mkdir()
        write_down(state.disk, root)
        where = f"cut after step {cut} of {len(log)}: {state.how}"
        target = opened(root, layout)
        listed = {backup.backup_id for backup in target.backups()}
        for promise in promises:
            if promise.since <= cut <= promise.until:
                assert promise.backup_id in listed, where
            if cut >= promise.gone:
                assert promise.backup_id not in listed, where
        target.prepare()
        assert {backup.backup_id for backup in target.backups()} == listed, where
        assert files_of(root / "backups") == known_files(target), where
        for backup in target.backups():
            assert target.verify(backup, ignore) == [], where
            assert backup.marks.held or cut < marked or backup.backup_id != promises[1].backup_id, where
        again = make_backup(target, TINY, moment=NOON + timedelta(days=2))
        assert target.verify(again, ignore) == [], where
