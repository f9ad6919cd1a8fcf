import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from holdfast.backends.leftovers import collect_leftovers
from holdfast.backends.local import LocalBackend
from holdfast.backends.local_files import LocalFileSystem
from holdfast.backends.memory import MemoryBackend
from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    HoldfastError,
    ObjectExists,
    OutOfSpace,
    RepositoryNotFound,
)
from holdfast.model.buffer import Buffer
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle
from holdfast.testing.backend_suite import handle_for, listed, store
from holdfast.testing.fake_clock import FakeClock


class Disk(LocalFileSystem):
    """A real disk that notes every call and fails where it is told to.

    `faults` maps a method to the numbers of its calls that fail and with which errno; call 0 stands for all of them.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []
        self.faults: dict[str, dict[int, int]] = {}
        self.most_a_write = 1 << 30

    def _step(self, name: str, what: object) -> None:
        self.log.append((name, what))
        faults = self.faults.get(name, {})
        number = faults.get(0) or faults.get(sum(1 for called, _ in self.log if called == name))
        if number:
            raise OSError(number, os.strerror(number))

    def count(self, name: str) -> int:
        return sum(1 for called, _ in self.log if called == name)

    def open_temp(self, path: str, mode: int) -> int:
        self._step("open_temp", path)
        return super().open_temp(path, mode)

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        self._step("write", len(buffers))
        view = memoryview(b"".join(buffers))
        return super().write(fd, [view[: self.most_a_write]])

    def fsync(self, fd: int) -> None:
        self._step("fsync", fd)
        super().fsync(fd)

    def close(self, fd: int) -> None:
        super().close(fd)
        self._step("close", fd)

    def chmod(self, path: str, mode: int) -> None:
        self._step("chmod", mode)
        super().chmod(path, mode)

    def rename(self, src: str, dst: str) -> None:
        self._step("rename", dst)
        super().rename(src, dst)

    def link(self, src: str, dst: str) -> None:
        self._step("link", dst)
        super().link(src, dst)

    def fsync_dir(self, path: str) -> None:
        self._step("fsync_dir", path)
        super().fsync_dir(path)

    def unlink(self, path: str) -> None:
        self._step("unlink", path)
        super().unlink(path)

    def read(self, path: str, offset: int, length: int | None) -> bytes:
        self._step("read", path)
        return super().read(path, offset, length)

    def listdir(self, path: str) -> list[tuple[str, int]]:
        self._step("listdir", path)
        return super().listdir(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def backend(root: Path, disk: Disk) -> LocalBackend:
    made = LocalBackend(str(root), files=disk)
    made.create()
    made.save(CONFIG_HANDLE, [b"config"])
    disk.log.clear()
    return made


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_create_makes_every_folder_private_and_durable(root: Path, disk: Disk) -> None:
    LocalBackend(str(root / "deep"), files=disk).create()
    folders = [path for path in root.rglob("*") if path.is_dir()]
    assert len(folders) == 1 + 5 + 256
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    synced = [path for name, path in disk.log if name == "fsync_dir"]
    assert {str(root.parent), str(root), str(root / "deep"), str(root / "deep/data")} <= set(synced)


def test_the_steps_of_a_save_are_in_the_durable_order(backend: LocalBackend, disk: Disk, root: Path) -> None:
    handle = store(backend, b"content")
    path = root / "data" / handle.name[:2] / handle.name
    assert [name for name, _ in disk.log] == ["open_temp", "write", "chmod", "fsync", "close", "rename", "fsync_dir"]
    assert str(dict(disk.log)["open_temp"]).startswith(f"{path}-tmp-")
    assert dict(disk.log)["fsync_dir"] == str(path.parent)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_the_config_is_linked_not_renamed(root: Path, disk: Disk) -> None:
    backend = LocalBackend(str(root), files=disk)
    backend.create()
    backend.save(CONFIG_HANDLE, [b"config"])
    assert disk.count("link") == 1
    assert disk.count("rename") == 0
    assert files_below(root) == {"config"}


def test_where_there_are_no_hard_links_the_config_is_still_created_once(root: Path, disk: Disk) -> None:
    disk.faults["link"] = {0: errno.EPERM}
    backend = LocalBackend(str(root), files=disk)
    backend.create()
    backend.save(CONFIG_HANDLE, [b"config"])
    with pytest.raises(ObjectExists):
        backend.save(CONFIG_HANDLE, [b"another"])
    assert (root / "config").read_bytes() == b"config"
    assert files_below(root) == {"config"}


def test_a_config_readable_for_its_group_opens_everything_to_the_group(root: Path) -> None:
    first = LocalBackend(str(root))
    first.create()
    first.save(CONFIG_HANDLE, [b"config"])
    os.chmod(root / "config", 0o440)
    os.rmdir(root / "data" / "6b")
    former = os.umask(0o002)
    try:
        handle = store(LocalBackend(str(root)), b"1")
    finally:
        os.umask(former)
    path = root / "data" / handle.name[:2] / handle.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o770


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_short_writes_are_continued(backend: LocalBackend, disk: Disk, most: int) -> None:
    disk.most_a_write = most
    content = os.urandom(2000)
    handle = handle_for(content)
    backend.save(handle, [content[:7], b"", content[7:1500], memoryview(content)[1500:]])
    assert backend.load(handle) == content


def test_a_disk_that_takes_nothing_is_an_error_not_a_loop(backend: LocalBackend, disk: Disk) -> None:
    disk.most_a_write = 0
    with pytest.raises(BackendError):
        store(backend, b"content")


def test_after_one_failed_fsync_another_file_is_written(backend: LocalBackend, disk: Disk, root: Path) -> None:
    disk.faults["fsync"] = {1: errno.EIO}
    handle = store(backend, b"content")
    opened = [path for name, path in disk.log if name == "open_temp"]
    assert len(set(opened)) == len(opened) == 2
    assert disk.count("fsync") == 2
    assert backend.load(handle) == b"content"
    assert files_below(root) == {"config", f"data/{handle.name[:2]}/{handle.name}"}


@pytest.mark.parametrize("step", ["open_temp", "write", "fsync", "close", "rename"])
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, BackendError),
        (errno.ENOSPC, OutOfSpace),
        (errno.EDQUOT, OutOfSpace),
        (errno.EFBIG, OutOfSpace),
        (errno.EROFS, AccessDenied),
        (errno.EACCES, AccessDenied),
        (errno.EPERM, AccessDenied),
        (errno.ESTALE, BackendUnavailable),
    ],
)
def test_a_failed_step_leaves_nothing(
    backend: LocalBackend, disk: Disk, root: Path, step: str, number: int, expected: type[HoldfastError]
) -> None:
    before = files_below(root)
    disk.faults[step] = {0: number}
    with pytest.raises(BackendError) as caught:
        store(backend, b"content")
    assert type(caught.value) is expected
    assert caught.value.transient is (expected is BackendUnavailable)
    assert files_below(root) == before
    assert disk.count("fsync") <= 2


@pytest.mark.parametrize("step", ["open_temp", "write", "fsync", "close", "link"])
def test_a_failed_config_leaves_nothing(root: Path, disk: Disk, step: str) -> None:
    backend = LocalBackend(str(root), files=disk)
    backend.create()
    disk.faults[step] = {0: errno.EIO}
    with pytest.raises(BackendError):
        backend.save(CONFIG_HANDLE, [b"config"])
    assert files_below(root) == set()


def test_an_object_that_was_there_survives_a_failed_second_save(backend: LocalBackend, disk: Disk) -> None:
    handle = store(backend, b"content")
    disk.faults["fsync_dir"] = {0: errno.EIO}
    with pytest.raises(BackendError):
        store(backend, b"content")
    assert backend.load(handle) == b"content"


def test_read_errors_are_told(backend: LocalBackend, disk: Disk) -> None:
    handle = store(backend, b"content")
    disk.faults["read"] = {0: errno.EIO}
    with pytest.raises(BackendError, match="Input/output error"):
        backend.load(handle)
    disk.faults["listdir"] = {0: errno.EIO}
    with pytest.raises(BackendError):
        listed(backend, FileKind.SNAPSHOT)


@pytest.mark.parametrize("kind", [FileKind.PACK, FileKind.LOCK])
def test_a_missing_folder_is_made_and_made_durable(
    backend: LocalBackend, disk: Disk, root: Path, kind: FileKind
) -> None:
    handle = handle_for(b"content", kind)
    folder = root / ("data" if kind is FileKind.PACK else "locks") / (handle.name[:2] if kind is FileKind.PACK else "")
    folder.rmdir()
    store(backend, b"content", kind)
    assert ("fsync_dir", str(folder.parent)) in disk.log
    assert backend.load(handle) == b"content"


def test_an_empty_mount_point_does_not_become_a_repository(tmp_path: Path) -> None:
    for kind in (FileKind.LOCK, FileKind.PACK):
        with pytest.raises(RepositoryNotFound):
            store(LocalBackend(str(tmp_path)), b"content", kind)
    assert list(tmp_path.iterdir()) == []


def test_removals_are_durable_before_packs_go_and_at_the_end(backend: LocalBackend, disk: Disk, root: Path) -> None:
    snapshots = [store(backend, bytes([number]), FileKind.SNAPSHOT) for number in range(3)]
    pack = store(backend, b"pack")
    index = store(backend, b"index", FileKind.INDEX)
    disk.log.clear()
    for handle in snapshots:
        backend.remove(handle)
    assert disk.count("fsync_dir") == 0
    backend.remove(pack)
    # The index folder is synced as well: a process that was killed may have removed something there.
    assert sorted(disk.log[-3:-1]) == [("fsync_dir", str(root / "index")), ("fsync_dir", str(root / "snapshots"))]
    assert disk.log[-1] == ("unlink", str(root / "data" / pack.name[:2] / pack.name))
    backend.remove(index)
    backend.close()
    assert disk.log[-1] == ("fsync_dir", str(root / "index"))


def test_leftovers_are_collected_when_they_are_old(root: Path) -> None:
    clock = FakeClock()
    backend = LocalBackend(str(root), clock=clock)
    backend.create()
    handle = store_with_config(backend)
    old = [root / "config-tmp-0a1b", root / "data" / "00" / f"{'0' * 64}-tmp-ff", root / "index" / f"{'1' * 64}-tmp-1"]
    kept = [root / "notes-tmp-ff", root / "index" / f"{'2' * 64}-tmp-xyz", root / "data" / "00" / "x"]
    young = root / "locks" / f"{'3' * 64}-tmp-0a"
    now_s = clock.now().ns / 1_000_000_000
    for path in (*old, *kept, young):
        path.write_bytes(b"half")
        os.utime(path, (now_s - (10 if path == young else 100),) * 2)
    assert backend.collect_garbage(50) == 3
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*kept, young))
    assert backend.load(handle) == b"content"


def test_leftovers_are_reached_through_wrappers_but_not_through_the_read_only_one(root: Path) -> None:
    store_with_config(open_prepared(root))
    leftover = root / "index" / f"{'1' * 64}-tmp-1a"
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    assert collect_leftovers(open_backend(str(root), options=BackendOptions(read_only=True))) == 0
    assert collect_leftovers(MemoryBackend()) == 0
    assert collect_leftovers(open_backend(str(root), options=BackendOptions(upload_bytes_per_s=10**9))) == 1
    assert not leftover.exists()


def open_prepared(root: Path) -> LocalBackend:
    backend = LocalBackend(str(root))
    backend.create()
    return backend


def store_with_config(backend: LocalBackend) -> Handle:
    backend.save(CONFIG_HANDLE, [b"config"])
    return store(backend, b"content")


def test_the_file_of_an_object_can_be_opened(backend: LocalBackend) -> None:
    handle = store(backend, b"content")
    path = backend.local_path(handle)
    assert path is not None
    assert path.read_bytes() == b"content"


def test_a_directory_in_place_of_an_object(backend: LocalBackend, root: Path) -> None:
    handle = Handle(FileKind.SNAPSHOT, "0d" * 32)
    (root / "snapshots" / handle.name).mkdir()
    calls: list[Callable[[], object]] = [lambda: backend.load(handle), lambda: backend.size(handle)]
    for call in calls:
        with pytest.raises(BackendError):
            call()


def test_a_real_full_disk(small_disk: Path) -> None:
    backend = LocalBackend(str(small_disk / "repository"))
    backend.create()
    first = store_with_config(backend)
    with pytest.raises(OutOfSpace):
        fill(backend, 150_000)
    assert backend.load(first) == b"content"
    assert not list(small_disk.rglob("*-tmp-*"))
    assert all(
        backend.size(Handle(FileKind.PACK, entry.name)) == entry.size_bytes for entry in backend.list(FileKind.PACK)
    )


def test_a_real_disk_without_inodes(small_disk: Path) -> None:
    backend = LocalBackend(str(small_disk / "repository"))
    backend.create()
    with pytest.raises(OutOfSpace):
        fill(backend, 10)
    assert not list(small_disk.rglob("*-tmp-*"))


def fill(backend: LocalBackend, size_bytes: int) -> None:
    for _ in range(1000):
        store(backend, os.urandom(size_bytes))
