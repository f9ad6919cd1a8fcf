"""Raising the format version of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import AccessDenied, BackendError, BackendUnavailable, ConfigNotRestored, LockLost
from holdfast.format.config import with_version
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle, Payload
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.migrate import MigrationReport, upgrade_repo_v2
from holdfast.repository.opening import open_repository
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from repository_kit import new_repository
from snapshot_kit import Tree, read_snapshot, store_snapshot

TREE: Tree = {"file": b"content" * 30}


def upgrade(repository: Repository, folder: Path) -> MigrationReport:
    with acquire(repository, True) as lock:
        return upgrade_repo_v2(repository, lock, copy_folder=folder)


def test_version_1_becomes_version_2(tmp_path: Path) -> None:
    repository = new_repository(version=1)
    with Index(repository) as index:
        old = store_snapshot(repository, index, TREE)
        assert upgrade(repository, tmp_path) == MigrationReport(1, 2)
        assert repository.config.version == 2
        again = open_repository(repository.backend, b"secret")
        assert again.config == repository.config
        new = store_snapshot(again, index, TREE | {"more": b"text" * 100}, time_ns=1)
        assert read_snapshot(Reader(again, index), old) == TREE
        assert read_snapshot(Reader(again, index), new) == TREE | {"more": b"text" * 100}
    assert list(tmp_path.iterdir()) == []


def test_version_2_stays_as_it_is(tmp_path: Path) -> None:
    repository = new_repository(version=2)
    before = repository.backend.load(CONFIG_HANDLE)
    assert upgrade(repository, tmp_path) == MigrationReport(2, 2)
    assert repository.backend.load(CONFIG_HANDLE) == before


def test_fields_of_other_programs_stay() -> None:
    config = b'{"version":1,"id":"%s","chunker_polynomial":"3da3358b4dc173","is_hot":true,"x":[1, 2]}' % (b"ab" * 32)
    assert with_version(config, 2) == config.replace(b'"version":1', b'"version":2')


class Refusing(MemoryBackend):
    """Refuses so many times to save a config once one was deleted, or to delete it at all."""

    refusals = 0
    keeps = False
    mangles = False
    mumbles = 0

    def remove(self, handle: Handle) -> None:
        if handle.kind is FileKind.CONFIG and self.keeps:
            raise AccessDenied(url=self.url, object=handle, reason="append-only")
        super().remove(handle)
        if handle.kind is FileKind.CONFIG and self.mumbles:
            self.mumbles -= 1
            raise BackendUnavailable(url=self.url, object=handle, reason="the answer was lost")

    def save(self, handle: Handle, data: Payload) -> None:
        if handle.kind is FileKind.CONFIG:
            if self.refusals:
                self.refusals -= 1
                raise AccessDenied(url=self.url, object=handle, reason="refused")
            if self.mangles:
                self.mangles = False
                data = [b"mangled"]
        super().save(handle, data)


@pytest.fixture
def backend() -> Refusing:
    return Refusing("test")


@pytest.fixture
def old(backend: Refusing) -> Repository:
    return new_repository(backend, version=1)


def test_config_that_cannot_be_deleted_stays(backend: Refusing, old: Repository, tmp_path: Path) -> None:
    backend.keeps = True
    with pytest.raises(AccessDenied):
        upgrade(old, tmp_path)
    assert open_repository(backend, b"secret").config.version == old.config.version == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["refusals", "mangles", "mumbles"])
def test_config_is_put_back_when_the_new_one_is_not_taken(
    backend: Refusing, old: Repository, tmp_path: Path, how: str
) -> None:
    before = backend.load(CONFIG_HANDLE)
    setattr(backend, how, 1)
    with pytest.raises(BackendError):
        upgrade(old, tmp_path)
    assert backend.load(CONFIG_HANDLE) == before
    assert open_repository(backend, b"secret").config.version == old.config.version == 1
    assert list(tmp_path.iterdir()) == []


def test_copy_is_left_where_nothing_can_be_put_back(backend: Refusing, old: Repository, tmp_path: Path) -> None:
    before = backend.load(CONFIG_HANDLE)
    backend.refusals = 2
    with pytest.raises(ConfigNotRestored) as failure:
        upgrade(old, tmp_path)
    (copy,) = tmp_path.iterdir()
    assert copy.read_bytes() == before
    assert str(copy) in str(failure.value)
    backend.save(CONFIG_HANDLE, [copy.read_bytes()])
    assert open_repository(backend, b"secret").config.version == 1


def test_lock_must_be_exclusive_and_held(old: Repository, tmp_path: Path) -> None:
    with acquire(old, False) as lock, pytest.raises(ValueError, match="exclusive"):
        upgrade_repo_v2(old, lock, copy_folder=tmp_path)
    with acquire(old, True) as lock:
        lock.release()
        with pytest.raises(LockLost):
            upgrade_repo_v2(old, lock, copy_folder=tmp_path)
    assert open_repository(old.backend, b"secret").config.version == 1
