"""Any order of operations: every snapshot restores as it was backed up until it is forgotten."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import WrongPassword
from holdfast.model.ids import SnapshotId
from holdfast.protocols import FileKind
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.blobs import Compression
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.index import Index
from holdfast.repository.keys import add_key, change_password, remove_key
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import prune
from holdfast.repository.repository import Repository
from holdfast.repository.restore.report import Overwrite, RestoreOptions
from holdfast.repository.restore.run import restore_snapshot
from holdfast.repository.snapshots import load_snapshot, load_snapshots
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.zoo import differences, fingerprint
from properties.tree_strategies import CONTENTS, Piece, write_pieces
from repository_kit import CHEAP, new_repository

NAMES = [b"a", b"b", b"sub/a", b"sub/c", b"sub/deeper/d", b"other/\xff"]
FILES = st.sampled_from(NAMES)
PACK_SIZES = st.sampled_from([1000, 300_000, 16 << 20])


class RepositoryMachine(RuleBasedStateMachine):
    """A folder that changes and a repository of it; each rule is a process of its own."""

    snapshots: Bundle[str] = Bundle("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.source = self.base / "source"
        self.source.mkdir()
        self.cache = self.base / "cache"
        self.backend = MemoryBackend()
        self.clock = FakeClock()
        self.password = "first"
        self.keys: dict[str, bytes] = {}
        self.model: dict[str, dict[bytes, dict[str, Any]]] = {}
        self.ticks = 1_000_000_000 * 10**9

    @initialize(version=st.sampled_from([1, 2, 2]))
    def init(self, version: int) -> None:
        repository = new_repository(self.backend, password=b"first", version=version, clock=self.clock)
        self.keys["first"] = repository.key_id
        repository.close()

    @contextmanager
    def session(self, *, exclusive: bool = False) -> Iterator[tuple[Repository, Index, RepositoryLock]]:
        """As a command would open it: with the cache that earlier ones left."""
        self.clock.advance(61)
        repository = open_repository(self.backend, self.password.encode(), cache_root=self.cache, clock=self.clock)
        with closing(repository), acquire(repository, exclusive) as lock, Index(repository) as index:
            index.sync()
            yield repository, index, lock

    # --- the folder ------------------------------------------------------------------------------

    @rule(name=FILES, content=CONTENTS)
    def write(self, name: bytes, content: tuple[Piece, ...]) -> None:
        path = self.path(name)
        write_pieces(path, content)
        self.touch(path)

    @rule(name=FILES, seed=st.integers(0, 99))
    def change_a_bit(self, name: bytes, seed: int) -> None:
        path = self.path(name)
        rng = random.Random(seed)
        with open(path, "ab") as file:
            file.truncate(rng.randrange(file.tell() + 1) if rng.random() < 0.3 else None)
            file.write(rng.randbytes(rng.randrange(5000)))
        self.touch(path)

    @rule(name=FILES, other=FILES)
    def move(self, name: bytes, other: bytes) -> None:
        if os.path.exists(self.path(name)):
            os.replace(self.path(name), self.path(other))

    @rule(name=FILES, other=FILES)
    def link(self, name: bytes, other: bytes) -> None:
        if os.path.exists(self.path(name)) and not os.path.exists(self.path(other)):
            os.link(self.path(name), self.path(other))

    @rule(name=st.sampled_from([b"a", b"sub", b"sub/deeper", b"other"]))
    def delete(self, name: bytes) -> None:
        path = os.fsencode(self.source) + b"/" + name
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)

    @rule(name=FILES, mode=st.sampled_from([0o600, 0o644, 0o4755]))
    def chmod(self, name: bytes, mode: int) -> None:
        if os.path.exists(self.path(name)):
            os.chmod(self.path(name), mode)

    def path(self, name: bytes) -> bytes:
        path = os.fsencode(self.source) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def touch(self, path: bytes) -> None:
        """Moves the time of change on, as the kernel's clock does only every few milliseconds."""
        self.ticks += 10**6 + 1
        os.utime(path, ns=(self.ticks, self.ticks))

    # --- the repository --------------------------------------------------------------------------

    @rule(
        target=snapshots,
        pack_bytes=PACK_SIZES,
        compression=st.sampled_from(Compression),
        force=st.booleans(),
        tag=st.sampled_from(["", "x"]),
    )
    def backup(self, pack_bytes: int, compression: Compression, force: bool, tag: str) -> str:
        options = BackupOptions(pack_bytes=pack_bytes, compression=compression, force=force, tags=(tag,) if tag else ())
        with self.session() as (repository, index, lock):
            report = backup(repository, index, lock, [self.source], options)
        assert not report.problems
        assert report.snapshot is not None
        assert report.snapshot.id is not None
        name = report.snapshot.id.hex()
        self.model[name] = fingerprint(str(self.source))
        return name

    @rule(gone=consumes(snapshots))
    def forget(self, gone: str) -> None:
        with self.session(exclusive=True) as (repository, _, lock):
            snapshot = load_snapshot(repository, SnapshotId(bytes.fromhex(gone)))
            report = forget(repository, lock, plan_by_name([snapshot]))
        assert report.removed == (snapshot.id,)
        del self.model[gone]

    @rule(
        pack_bytes=PACK_SIZES,
        percent=st.sampled_from([0.0, 5.0, 100.0]),
        small=st.booleans(),
        uncompressed=st.booleans(),
        no_space=st.booleans(),
    )
    def prune(self, pack_bytes: int, percent: float, small: bool, uncompressed: bool, no_space: bool) -> None:
        with self.session(exclusive=True) as (repository, index, lock):
            options = PruneOptions(
                pack_bytes=pack_bytes,
                max_unused=MaxUnused(percent=percent),
                repack_small=small,
                repack_uncompressed=uncompressed and repository.config.version >= 2,
                unsafe_recover_no_free_space=no_space,
            )
            assert not prune(repository, index, lock, options).failed
            if not self.model:
                assert not list(self.backend.list(FileKind.PACK))

    @rule(chosen=snapshots, sparse=st.booleans())
    def restore(self, chosen: str, sparse: bool) -> None:
        self.restore_into(chosen, RestoreOptions(verify=True, sparse=sparse), clean=True)

    @rule(chosen=snapshots, overwrite=st.sampled_from([Overwrite.ALWAYS, Overwrite.IF_CHANGED]))
    def restore_over_another(self, chosen: str, overwrite: Overwrite) -> None:
        """The folder holds what an earlier restore left there."""
        self.restore_into(chosen, RestoreOptions(delete=True, overwrite=overwrite), clean=False)

    def restore_into(self, chosen: str, options: RestoreOptions, *, clean: bool) -> None:
        target = self.base / ("clean" if clean else "used")
        if clean:
            shutil.rmtree(target, ignore_errors=True)
        with self.session() as (repository, index, _):
            snapshot = load_snapshot(repository, SnapshotId(bytes.fromhex(chosen)))
            assert not restore_snapshot(repository, index, snapshot, target, options).problems
        assert not differences(self.model[chosen], fingerprint(str(target) + str(self.source)))

    @rule(read_data=st.booleans())
    def check(self, read_data: bool) -> None:
        with self.session(exclusive=True) as (repository, _, lock):
            report = check(repository, lock, CheckOptions(read_data=read_data))
        assert report.whole, report.errors
        assert report.snapshots == len(self.model)

    # --- keys ------------------------------------------------------------------------------------

    @rule(word=st.integers(0, 9))
    def change_password(self, word: int) -> None:
        new = f"changed {word}"
        if new in self.keys:
            return
        with self.session(exclusive=True) as (repository, _, _lock):
            key_id = change_password(repository, new.encode(), parameters=CHEAP, allow_weak=True)
        del self.keys[self.password]
        with pytest.raises(WrongPassword):
            open_repository(self.backend, self.password.encode())
        self.keys[new] = key_id
        self.password = new

    @rule(word=st.integers(0, 9))
    def add_key(self, word: int) -> None:
        new = f"added {word}"
        if new in self.keys:
            return
        with self.session() as (repository, _, _lock):
            self.keys[new] = add_key(repository, new.encode(), parameters=CHEAP, allow_weak=True)

    @precondition(lambda self: len(self.keys) > 1)
    @rule(number=st.integers(0, 9))
    def use_another_key_and_remove_the_last(self, number: int) -> None:
        former = self.password
        others = sorted(self.keys.keys() - {former})
        self.password = others[number % len(others)]
        with self.session(exclusive=True) as (repository, _, _lock):
            remove_key(repository, self.keys.pop(former))

    # --- what must always hold -------------------------------------------------------------------

    @rule()
    def lose_the_cache(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    @invariant()
    def nothing_is_left_locked(self) -> None:
        assert not list(self.backend.list(FileKind.LOCK))
        assert len(list(self.backend.list(FileKind.KEY))) == len(self.keys)

    @invariant()
    def exactly_these_snapshots_are_there(self) -> None:
        stored = {one.name for one in self.backend.list(FileKind.SNAPSHOT)}
        assert stored == self.model.keys()

    def teardown(self) -> None:
        try:
            if self.keys:
                self.prune(1000, 0.0, False, False, False)
                self.check(True)
                for name in self.model:
                    self.restore_into(name, RestoreOptions(), clean=True)
                with self.session() as (repository, _, _lock):
                    assert len(load_snapshots(repository)) == len(self.model)
        finally:
            shutil.rmtree(self.base, ignore_errors=True)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


class TestAnyOrder(RepositoryMachine.TestCase):  # type: ignore[name-defined,misc]
    """A few short histories."""

    settings = settings(max_examples=30, stateful_step_count=25, suppress_health_check=SLOW, deadline=None)


@pytest.mark.deep
class TestAnyOrderForLong(RepositoryMachine.TestCase):  # type: ignore[name-defined,misc]
    """Many long ones."""

    settings = settings(max_examples=500, stateful_step_count=60, suppress_health_check=SLOW, deadline=None)
