"""Opening below a root and nowhere else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import RestoreError, RestoreImpossible, UnsafePath
from holdfast.repository.restore.safe_fs import (
    Folders,
    Root,
    check_name,
    open_by_openat2,
    open_by_steps,
    open_folder,
    restore_error,
)

Opener = Callable[[int, bytes], int]


@pytest.fixture(params=[open_by_openat2, open_by_steps, open_folder], ids=["openat2", "steps", "either"])
def opener(request: pytest.FixtureRequest) -> Opener:
    found: Opener = request.param
    return found


@pytest.fixture
def root_fd(tmp_path: Path) -> int:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "in").symlink_to("a")
    (tmp_path / "root" / "file").write_bytes(b"x")
    return os.open(tmp_path / "root", os.O_PATH)


def test_real_directories_open(opener: Opener, root_fd: int, tmp_path: Path) -> None:
    fd = opener(root_fd, b"a/b")
    assert os.fstat(fd).st_ino == (tmp_path / "root/a/b").stat().st_ino
    os.close(fd)
    os.close(root_fd)


@pytest.mark.parametrize("path", [b"out", b"in", b"in/b", b"file", b"a/../../outside", b"..", b"/etc", b"gone"])
def test_nothing_else_opens(opener: Opener, root_fd: int, path: bytes) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises((OSError, UnsafePath)):
        opener(root_fd, path)
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(root_fd)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b", b"\0"])
def test_a_name_is_one_component(name: bytes) -> None:
    with pytest.raises(UnsafePath):
        check_name(name)


@pytest.mark.parametrize("name", [b"...", b"..a", b" ", b"\n", b"\xff", b"-rf", b"~", b"a" * 255])
def test_odd_names_are_names(name: bytes) -> None:
    check_name(name)


def test_paths_longer_than_the_system_takes(tmp_path: Path) -> None:
    name = b"n" * 200
    fd = os.open(tmp_path, os.O_PATH)
    for _ in range(60):
        os.mkdir(name, dir_fd=fd)
        deeper = os.open(name, os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = deeper
    root = os.open(tmp_path, os.O_PATH)
    opened = open_folder(root, b"/".join([name] * 60))
    assert os.fstat(opened).st_ino == os.fstat(fd).st_ino
    for each in (fd, root, opened):
        os.close(each)


def test_a_root_that_was_replaced_does_not_open(tmp_path: Path) -> None:
    root = Root.prepare(os.fsencode(tmp_path / "new" / "target"))
    assert (tmp_path / "new" / "target").stat().st_mode & 0o777 == 0o700
    os.close(root.open())
    (tmp_path / "new" / "target").rename(tmp_path / "moved")
    (tmp_path / "new" / "target").mkdir()
    with pytest.raises(UnsafePath):
        root.open()


def test_a_root_must_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RestoreError):
        Root.prepare(os.fsencode(tmp_path / "file"))


def test_folders_keeps_a_bounded_number_open(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).mkdir()
    before = len(os.listdir("/proc/self/fd"))
    with Folders(Root.prepare(os.fsencode(tmp_path)), keep=5) as folders:
        for number in (*range(20), 3, 19):
            assert os.fstat(folders.get(b"%d" % number).fd).st_ino == (tmp_path / str(number)).stat().st_ino
        assert len(os.listdir("/proc/self/fd")) == before + 6
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ELOOP, "x"), UnsafePath),
        (OSError(errno.EXDEV, "x"), UnsafePath),
        (OSError(errno.ENOSPC, "x"), RestoreImpossible),
        (OSError(errno.EROFS, "x"), RestoreImpossible),
        (OSError(errno.EACCES, "x"), RestoreError),
        (ValueError("embedded null byte"), RestoreError),
    ],
)
def test_errors_are_named(error: Exception, kind: type[RestoreError]) -> None:
    assert type(restore_error(b"p", error)) is kind
