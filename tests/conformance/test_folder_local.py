import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.backends.folders.local import LocalFolder
from holdfast.backends.folders.names import temporary_name
from holdfast.backends.local_files import LocalFileSystem
from holdfast.errors import AccessDenied, BackendError, ObjectNotFound, OutOfSpace
from holdfast.model.buffer import Buffer
from holdfast.protocols.folder import Folder
from holdfast.testing.folder_suite import FolderSuite, fetch, names, store


class TestLocalFolder(FolderSuite):
    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        return str(tmp_path / "deep" / "archive")

    def test_everything_is_for_the_owner_alone_whatever_the_umask(self, folder: Folder, location: str) -> None:
        before = os.umask(0)
        try:
            store(folder, "a/b/data.db", b"1")
            folder.replace("c/marks.json", b"{}")
            unfinished = folder.write("d/unfinished")
            unfinished.write(b"1")
        finally:
            os.umask(before)
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in Path(location).rglob("*")}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
        unfinished.abort()

    def test_what_dead_writers_left_is_cleaned_and_nothing_else(self, folder: Folder, location: str) -> None:
        store(folder, "a/kept.db", b"1")
        for name in (f"a/{temporary_name()}", temporary_name()):
            (Path(location) / name).write_bytes(b"half")
        foreign = Path(location) / "a" / ".holdfast-tmp-notours"
        foreign.write_bytes(b"foreign")
        assert names(folder) == ["a/.holdfast-tmp-notours", "a/kept.db"]
        folder.clean()
        assert sorted(path.name for path in Path(location).rglob("*")) == [".holdfast-tmp-notours", "a", "kept.db"]

    def test_a_fifo_under_the_name_of_a_file_does_not_block(self, folder: Folder, location: str) -> None:
        os.mkfifo(f"{location}/pipe")
        with pytest.raises(BackendError):
            folder.read("pipe")
        assert names(folder) == []

    def test_a_folder_that_was_unmounted_is_not_made_again(self, folder: Folder, location: str) -> None:
        os.rmdir(location)
        with pytest.raises(ObjectNotFound):
            folder.write("database/x.db")
        assert not os.path.exists(location)

    def test_an_empty_directory_can_be_removed_and_a_full_one_not(self, folder: Folder, location: str) -> None:
        assert isinstance(folder, LocalFolder)
        store(folder, "one/a", b"1")
        folder.remove_directory("one")
        assert names(folder) == ["one/a"]
        folder.remove("one/a")
        folder.remove_directory("one")
        folder.remove_directory("one")
        assert os.listdir(location) == []

    def test_free_space_of_a_folder_that_is_not_there_yet(self, tmp_path: Path) -> None:
        assert (LocalFolder(str(tmp_path / "not" / "yet")).free_bytes() or 0) > 0


class _FailingDisk(LocalFileSystem):
    """Fails at the n-th step of one kind."""

    def __init__(self, step: str, number: int = errno.ENOSPC) -> None:
        self._step = step
        self._number = number

    def _maybe(self, step: str) -> None:
        if step == self._step:
            raise OSError(self._number, os.strerror(self._number))

    def open_temp(self, path: str, mode: int) -> int:
        self._maybe("open_temp")
        return super().open_temp(path, mode)

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        self._maybe("write")
        return super().write(fd, buffers)

    def fsync(self, fd: int) -> None:
        self._maybe("fsync")
        super().fsync(fd)

    def close(self, fd: int) -> None:
        super().close(fd)
        self._maybe("close")

    def link(self, src: str, dst: str) -> None:
        self._maybe("link")
        super().link(src, dst)


@pytest.mark.parametrize("step", ["open_temp", "write", "fsync", "close", "link"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, step: str) -> None:
    folder = LocalFolder(str(tmp_path / "full"), files=_FailingDisk(step))
    folder.create()
    with pytest.raises(OutOfSpace):
        store(folder, "database/x.db", b"1" * 1000)
    assert [path for path in (tmp_path / "full").rglob("*") if path.is_file()] == []


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path), files=_FailingDisk("open_temp", errno.EROFS))
    with pytest.raises(AccessDenied):
        folder.write("x")


def test_where_there_are_no_hard_links_a_file_is_still_not_replaced(tmp_path: Path) -> None:
    folder = LocalFolder(str(tmp_path), files=_FailingDisk("link", errno.EPERM))
    store(folder, "x", b"first")
    with pytest.raises(BackendError):
        store(folder, "x", b"second")
    assert fetch(folder, "x") == b"first"
    assert os.listdir(tmp_path) == ["x"]
