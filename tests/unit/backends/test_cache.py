import os
import stat
import time
from pathlib import Path

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.backends.wrappers.cache import CacheBackend
from holdfast.errors import ObjectNotFound
from holdfast.protocols import FileKind, Handle
from holdfast.testing.backend_suite import listed, store
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule

ALL = lambda _name: True  # noqa: E731 - a predicate, not a function worth a name
NONE = lambda _name: False  # noqa: E731


@pytest.fixture
def storage() -> FaultyBackend:
    return FaultyBackend(MemoryBackend())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def cached(storage: FaultyBackend, folder: Path, *, packs: bool = True) -> CacheBackend:
    return CacheBackend(storage, str(folder), ALL if packs else NONE)


@pytest.mark.parametrize("kind", [FileKind.SNAPSHOT, FileKind.INDEX, FileKind.PACK])
def test_the_second_read_stays_here(storage: FaultyBackend, folder: Path, kind: FileKind) -> None:
    handle = store(storage.inner, b"0123456789", kind)
    assert cached(storage, folder).load(handle, 2, 3) == b"234"
    assert cached(storage, folder).load(handle) == b"0123456789"
    assert cached(storage, folder).load(handle, 4) == b"456789"
    assert storage.count(Operation.LOAD) == 1


@pytest.mark.parametrize("kind", [FileKind.KEY, FileKind.LOCK])
def test_keys_and_locks_are_never_kept(storage: FaultyBackend, folder: Path, kind: FileKind) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"secret", kind)
    backend.load(handle)
    backend.load(handle)
    assert storage.count(Operation.LOAD) == 2
    assert not any(path.is_file() and path.name != "CACHEDIR.TAG" for path in folder.rglob("*"))


def test_the_caller_decides_on_packs(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder, packs=False)
    handle = store(backend, b"0123456789")
    assert backend.load(handle, 1, 2) == b"12"
    assert backend.load(handle, 1, 2) == b"12"
    assert storage.calls[-1] == (Operation.LOAD, handle)
    assert storage.count(Operation.LOAD) == 2


def test_what_is_saved_is_kept(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"new", FileKind.INDEX)
    assert backend.load(handle) == b"new"
    assert storage.count(Operation.LOAD) == 0


def test_a_save_that_failed_is_not_kept(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    storage.rules.append(Rule(Operation.SAVE, Fault.FAIL))
    with pytest.raises(Exception, match="a fault was asked for"):
        store(backend, b"new", FileKind.INDEX)
    assert not list(folder.rglob("*/*"))


def test_names_and_bytes_are_those_of_the_storage_and_nobody_else_reads_them(
    storage: FaultyBackend, folder: Path
) -> None:
    handle = store(cached(storage, folder), b"sealed bytes", FileKind.SNAPSHOT)
    copy = folder / "snapshots" / handle.name
    assert copy.read_bytes() == b"sealed bytes"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"sealed bytez", b"sealed", b"", b"sealed bytes and more"])
def test_a_damaged_copy_is_dropped_and_fetched_again(storage: FaultyBackend, folder: Path, damage: bytes) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"sealed bytes", FileKind.SNAPSHOT)
    copy = folder / "snapshots" / handle.name
    copy.write_bytes(damage)
    assert backend.load(handle) == b"sealed bytes"
    assert copy.read_bytes() == b"sealed bytes"


def test_a_copy_too_short_for_a_range_is_fetched_again(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"0123456789")
    (folder / "data" / handle.name[:2] / handle.name).write_bytes(b"01234")
    assert backend.load(handle, 4, 4) == b"4567"


def test_damaged_answers_are_not_kept(storage: FaultyBackend, folder: Path) -> None:
    storage.rules.append(Rule(Operation.LOAD, Fault.FLIP, times=1))
    backend = cached(storage, folder)
    handle = store(storage.inner, b"sealed bytes", FileKind.INDEX)
    assert backend.load(handle) != b"sealed bytes"
    assert backend.load(handle) == b"sealed bytes"
    assert backend.load(handle) == b"sealed bytes"
    assert storage.count(Operation.LOAD) == 2


def test_reading_past_the_cache_forgets_the_copy(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"0123456789")
    (folder / "data" / handle.name[:2] / handle.name).write_bytes(b"9876543210")
    assert backend.load(handle, 0, 3) == b"987"
    assert backend.load_uncached(handle, 0, 3) == b"012"
    assert backend.load(handle, 0, 3) == b"012"


def test_copies_of_what_is_gone_are_removed_by_a_complete_listing(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    kept, gone = (store(backend, content, FileKind.INDEX) for content in (b"kept", b"gone"))
    storage.inner.remove(gone)
    next(iter(backend.list(FileKind.INDEX)))
    assert (folder / "index" / gone.name).exists()
    assert [entry.name for entry in listed(backend, FileKind.INDEX)] == [kept.name]
    assert not (folder / "index" / gone.name).exists()
    assert (folder / "index" / kept.name).exists()


def test_removing_forgets_the_copy(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"short-lived", FileKind.SNAPSHOT)
    backend.remove(handle)
    with pytest.raises(ObjectNotFound):
        backend.load(handle)


def test_leftovers_of_dead_writers_are_removed(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    handle = store(backend, b"something", FileKind.INDEX)
    old, new = (folder / "index" / f"{handle.name}-tmp-{age}" for age in ("0a", "0b"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    listed(backend, FileKind.INDEX)
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_used_does_no_harm(storage: FaultyBackend, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_bytes(b"")
    for folder in (occupied, occupied / "below", tmp_path / "link"):
        if folder.name == "link":
            folder.symlink_to(tmp_path)
        backend = cached(storage, folder)
        handle = store(backend, b"something", FileKind.INDEX)
        assert backend.load(handle) == b"something"
        assert [entry.name for entry in listed(backend, FileKind.INDEX)] == [handle.name]
        backend.remove(handle)


def test_a_full_disk_does_no_harm(storage: FaultyBackend, small_disk: Path) -> None:
    backend = cached(storage, small_disk / "cache")
    contents = [os.urandom(300_000) for _ in range(8)]
    handles = [store(backend, content) for content in contents]
    assert [backend.load(handle) for handle in handles] == contents
    assert not list(small_disk.rglob("*-tmp-*"))


def test_a_foreign_name_in_a_handle_reaches_no_file(storage: FaultyBackend, folder: Path) -> None:
    backend = cached(storage, folder)
    with pytest.raises(Exception, match="64 hexadecimal digits"):
        backend.load(Handle(FileKind.SNAPSHOT, "../../outside"))
