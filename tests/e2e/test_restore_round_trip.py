"""Backups of real files, restored: everything comes back as it was."""

from __future__ import annotations

import os
import random
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.backends.local import LocalBackend
from holdfast.model.snapshot import Snapshot
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.repository import Repository
from holdfast.repository.restore.report import RestoreOptions, RestoreReport
from holdfast.repository.restore.run import restore_snapshot
from holdfast.runtime.workers import WorkerPool
from holdfast.testing.zoo import differences, fingerprint, make_zoo
from repository_kit import new_repository


class Kit:
    """A repository on disk."""

    def __init__(self, folder: Path, processes: int = 0) -> None:
        self.pool = WorkerPool(processes)
        self.repository: Repository = new_repository(LocalBackend(str(folder / "repository")))
        self.index = Index(self.repository)

    def backup(self, source: Path) -> Snapshot:
        with acquire(self.repository, False) as lock:
            self.index.sync()
            report = backup(self.repository, self.index, lock, [source], BackupOptions(), pool=self.pool)
        assert report.problems == ()
        assert report.snapshot is not None
        return report.snapshot

    def restore(self, snapshot: Snapshot, source: Path, target: Path, **options: object) -> RestoreReport:
        chosen = RestoreOptions(subfolder=os.fsencode(source), **options)  # type: ignore[arg-type]
        report = restore_snapshot(self.repository, self.index, snapshot, target, chosen, pool=self.pool)
        assert report.problems == []
        return report

    def close(self) -> None:
        self.index.close()
        self.pool.close()


@pytest.mark.parametrize("processes", [0, 2])
def test_the_zoo_comes_back(tmp_path: Path, processes: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    make_zoo(str(source))
    kit = Kit(tmp_path, processes)
    snapshot = kit.backup(source)
    report = kit.restore(snapshot, source, target, verify=True)
    assert differences(fingerprint(str(source)), fingerprint(str(target))) == []
    assert report.verified == report.files
    for name in ("sparse", "all-hole", "zeros"):
        blocks = (target / "contents" / name).stat().st_blocks
        assert blocks <= (source / "contents" / name).stat().st_blocks + 4096
    again = kit.restore(snapshot, source, target, delete=True)
    assert differences(fingerprint(str(source)), fingerprint(str(target))) == []
    assert again.deleted == 0
    kit.close()


def test_acls_and_attributes_come_back_and_others_go(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
        (folder / "f").write_bytes(b"x")
        (folder / "d").mkdir()
    access = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, permissions, identifier)
        for tag, permissions, identifier in (
            (1, 6, 0xFFFFFFFF), (2, 4, 1234), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)
        )
    )  # fmt: skip
    os.setxattr(source / "f", "system.posix_acl_access", access)
    os.setxattr(source / "d", "system.posix_acl_default", access)
    os.setxattr(source / "f", "user.large", os.urandom(3000))
    os.setxattr(target / "f", "user.stray", b"1")
    os.setxattr(target, "system.posix_acl_default", access)
    kit = Kit(tmp_path)
    snapshot = kit.backup(source)
    kit.restore(snapshot, source, target)
    assert differences(fingerprint(str(source)), fingerprint(str(target))) == []
    fresh = tmp_path / "inherits"
    fresh.mkdir()
    os.setxattr(fresh, "system.posix_acl_default", access)
    kit.restore(snapshot, source, fresh)
    assert differences(fingerprint(str(source)), fingerprint(str(fresh))) == []
    kit.close()


def test_far_times_come_back(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for seconds in (-2_145_916_800, -1, 0, 2**31, 2**32, 15_000_000_000):
        (source / str(seconds)).symlink_to("x")
        os.utime(source / str(seconds), ns=(1, seconds * 10**9 + 987_654_321), follow_symlinks=False)
    kit = Kit(tmp_path)
    kit.restore(kit.backup(source), source, target)
    assert differences(fingerprint(str(source)), fingerprint(str(target))) == []
    kit.close()


NAMES = st.binary(min_size=1, max_size=40).filter(lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b".."))
SIZES = st.sampled_from([0, 1, 100, 4096, 70_000, 600_000])
TREES = st.recursive(
    st.one_of(SIZES, st.just("link"), st.just("fifo")),
    lambda children: st.dictionaries(NAMES, children, max_size=5),
    max_leaves=15,
)


@given(st.dictionaries(NAMES, TREES, max_size=5), st.integers(0, 2**32))
@settings(max_examples=15)
def test_random_trees_come_back(tmp_path_factory: pytest.TempPathFactory, tree: dict[bytes, object], seed: int) -> None:
    folder = tmp_path_factory.mktemp("random")
    source, target = folder / "source", folder / "target"
    _make(os.fsencode(source), tree, random.Random(seed))
    kit = Kit(folder)
    kit.restore(kit.backup(source), source, target, verify=True)
    assert differences(fingerprint(str(source)), fingerprint(str(target))) == []
    kit.close()


def _make(path: bytes, entry: object, rng: random.Random) -> None:
    if isinstance(entry, dict):
        os.mkdir(path)
        for name, child in entry.items():
            _make(path + b"/" + name, child, rng)
    elif entry == "link":
        os.symlink(rng.randbytes(rng.randint(1, 30)).replace(b"\0", b"0"), path)
    elif entry == "fifo":
        os.mkfifo(path)
    else:
        assert isinstance(entry, int)
        with open(path, "wb") as file:
            file.write(rng.randbytes(entry) if rng.random() < 0.7 else bytes(entry))
    if not os.path.islink(path):
        os.chmod(path, stat.S_IMODE(rng.choice([0o755, 0o640, 0o777, 0o700])))
    os.utime(path, ns=(1, rng.randint(-(10**18), 3 * 10**18)), follow_symlinks=False)
