"""Copies on this machine of a repository that lies elsewhere, and clearing old ones away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.backends.local import LocalBackend
from holdfast.backends.memory import MemoryBackend
from holdfast.model.blob import BlobType
from holdfast.protocols import FileKind, Handle
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.index import Index
from holdfast.repository.local_caches import list_caches, remove_caches
from holdfast.repository.local_copies import LocalCopies
from holdfast.repository.locks import acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots
from holdfast.runtime.clock import SystemClock
from holdfast.testing.faulty_backend import FaultyBackend, Operation
from repository_kit import new_repository


@pytest.fixture
def storage(tmp_path: Path) -> FaultyBackend:
    """Holds one snapshot of a folder with a file."""
    backend = MemoryBackend("elsewhere")
    repository = new_repository(backend)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(os.urandom(1000))
    with Index(repository) as index, acquire(repository, False) as lock:
        index.sync()
        backup(repository, index, lock, [os.fsencode(tmp_path / "source")], BackupOptions())
    return FaultyBackend(backend)


def read_everything(storage: FaultyBackend, cache: Path) -> int:
    """Reads each blob there is, as a new process would. Returns how often the storage was asked for content."""
    repository = open_repository(storage, b"secret", cache_root=cache)
    copies = LocalCopies(repository)
    before = storage.count(Operation.LOAD)
    with Index(repository) as index:
        copies.follow(index)
        index.sync()
        load_snapshots(repository)
        reader = Reader(repository, index)
        for kind in BlobType:
            for blob_id in index.ids(kind):
                reader.load_blob(kind, blob_id)
    return storage.count(Operation.LOAD) - before


def test_only_data_is_fetched_again(storage: FaultyBackend, tmp_path: Path) -> None:
    first = read_everything(storage, tmp_path / "cache")
    again = read_everything(storage, tmp_path / "cache")
    assert first > again == 1, "the one blob of data"


def test_without_an_index_no_pack_is_kept(storage: FaultyBackend, tmp_path: Path) -> None:
    repository = open_repository(storage, b"secret", cache_root=tmp_path / "cache")
    LocalCopies(repository)
    (pack, *_rest) = repository.names(FileKind.PACK)
    before = storage.count(Operation.LOAD)
    for _ in range(2):
        repository.backend.load(Handle(FileKind.PACK, pack.hex()))
    assert storage.count(Operation.LOAD) - before == 2


def test_nothing_is_kept_of_a_local_repository_nor_without_a_cache(tmp_path: Path) -> None:
    local = LocalBackend(str(tmp_path / "repository"))
    new_repository(local)
    opened = open_repository(local, b"secret", cache_root=tmp_path / "cache")
    LocalCopies(opened)
    assert opened.backend is local
    remote = MemoryBackend("elsewhere")
    uncached: Repository = new_repository(remote)
    LocalCopies(uncached)
    assert uncached.backend is remote


def test_caches_are_listed_by_age_and_removed(storage: FaultyBackend, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    read_everything(storage, root)
    (root / "keys").mkdir(exist_ok=True)
    old = root / ("a" * 64)
    old.mkdir()
    (old / "something").write_bytes(b"12345")
    os.utime(old, (0, 0))
    young, aged = list_caches(root, SystemClock())
    assert (young.age_days, aged.folder, aged.size_bytes) == (0, old, 5)
    remove_caches([aged])
    assert [cache.folder for cache in list_caches(root, SystemClock(), with_sizes=False)] == [young.folder]
    assert list_caches(tmp_path / "nowhere", SystemClock()) == []
