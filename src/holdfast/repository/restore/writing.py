"""Writing one blob to all its places."""

from __future__ import annotations

import os
from collections import OrderedDict
from types import TracebackType
from typing import Self

from holdfast.errors import UnsafePath
from holdfast.model.buffer import Buffer
from holdfast.repository.restore.metadata import Metadata, apply
from holdfast.repository.restore.report import detail_of
from holdfast.repository.restore.safe_fs import Folder, Folders, punch_hole, restore_error
from holdfast.repository.restore.work import Failure, Part, Setup, WholeFile

CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE = 0o600

_WRITE_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILES_KEPT = 32
_RUN_BYTES = 64 << 10
_ZEROS = bytes(_RUN_BYTES)
_HOLE_BYTES_MIN = 4096


class Writer:
    """Writes blobs below a restore target. Belongs to one thread and lives as long as one job.

    Attributes:
        written_bytes: content written or left as holes.
        ignored: metadata that could not be set.
        failures: what could not be written.
    """

    def __init__(self, setup: Setup) -> None:
        self._rights = setup.rights
        self._sparse = setup.sparse
        self._folders = Folders(setup.root)
        self._open: OrderedDict[int, int] = OrderedDict()
        self.written_bytes = 0
        self.ignored = 0
        self.failures: list[Failure] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._folders.close()

    def deliver(self, plaintext: Buffer, files: list[WholeFile], parts: list[Part]) -> None:
        """Makes the files that consist of this blob, and writes it into others. Failures are collected."""
        size = len(plaintext)
        hole = size >= _HOLE_BYTES_MIN and is_zero(plaintext)
        for number, directory, name, metadata in files:
            try:
                self._make(self._folders.get(directory), name, metadata, plaintext, hole)
            except (OSError, ValueError, OverflowError) as error:
                self._fail(number, directory, name, error)
            else:
                self.written_bytes += size
        for number, directory, name, inode, offset, blank in parts:
            try:
                fd = self._file(number, directory, name, inode)
                if hole and blank:
                    punch_hole(fd, offset, size)
                else:
                    write_at(fd, plaintext, offset, self._sparse and blank)
            except (OSError, ValueError, OverflowError) as error:
                self._fail(number, directory, name, error)
            else:
                self.written_bytes += size

    def _make(self, folder: Folder, name: bytes, metadata: Metadata, plaintext: Buffer, hole: bool) -> None:
        """Creates a file, with content and metadata, under a name that is free."""
        fd = os.open(name, CREATE_FLAGS, PRIVATE, dir_fd=folder.fd)
        try:
            if hole:
                os.ftruncate(fd, len(plaintext))
            elif self._sparse:
                write_at(fd, plaintext, 0, True)
            elif plaintext and os.write(fd, plaintext) != len(plaintext):
                write_at(fd, plaintext, 0, False)
            if folder.plain is None:
                folder.plain = is_plain(fd, self._rights.uid, self._rights.gid)
            self.ignored += apply(fd, metadata, self._rights, plain=folder.plain)
        finally:
            os.close(fd)

    def _file(self, number: int, directory: bytes, name: bytes, inode: int) -> int:
        """An existing file, open for writing, if it still is the one that was prepared."""
        fd = self._open.get(number)
        if fd is not None:
            self._open.move_to_end(number)
            return fd
        if len(self._open) >= _FILES_KEPT:
            os.close(self._open.popitem(last=False)[1])
        fd = os.open(name, _WRITE_FLAGS, dir_fd=self._folders.get(directory).fd)
        self._open[number] = fd
        if os.fstat(fd).st_ino != inode:
            raise FileExistsError("the file was replaced while it was restored")
        return fd

    def _fail(self, number: int, directory: bytes, name: bytes, error: Exception) -> None:
        if len(self._open) and number in self._open:
            os.close(self._open.pop(number))
        problem = restore_error(directory + b"/" + name if directory else name, error)
        self.failures.append((number, problem.code, detail_of(problem), isinstance(problem, UnsafePath)))


def is_plain(fd: int, uid: int, gid: int) -> bool:
    """Whether a file just made belongs to whom it should by default and inherited no attributes."""
    status = os.fstat(fd)
    if (status.st_uid, status.st_gid) != (uid, gid):
        return False
    try:
        return not os.listxattr(fd)
    except OSError:
        return False


def is_zero(data: Buffer) -> bool:
    """Whether all bytes are zero; says no at the first that is not. There is at least one byte."""
    if data[0] or data[-1]:
        return False
    with memoryview(data) as view:
        # Comparing bytes is many times as fast as comparing memoryviews, even with the copy.
        return all(
            bytes(part) == (_ZEROS if len(part) == _RUN_BYTES else _ZEROS[: len(part)])
            for part in (view[at : at + _RUN_BYTES] for at in range(0, len(view), _RUN_BYTES))
        )


def write_at(fd: int, data: Buffer, offset: int, sparse: bool) -> None:
    """Writes all of the data at an offset; `sparse` leaves runs of zeros unwritten. Raises `OSError`."""
    with memoryview(data) as view:
        if sparse:
            for start, stop in _runs(view, offset):
                _write_all(fd, view[start:stop], offset + start)
            # The file may end in a hole.
            end = offset + len(view)
            if os.fstat(fd).st_size < end:
                os.ftruncate(fd, end)
        else:
            _write_all(fd, view, offset)


def _runs(view: memoryview, offset: int) -> list[tuple[int, int]]:
    """Ranges that are not zero, cut at multiples of 64 KiB in the file, neighbours joined."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(view):
        stop = min(len(view), at + _RUN_BYTES - (offset + at) % _RUN_BYTES)
        if not is_zero(view[at:stop]):
            if found and found[-1][1] == at:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((at, stop))
        at = stop
    return found


def _write_all(fd: int, view: memoryview, offset: int) -> None:
    done = os.pwrite(fd, view, offset)
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)
