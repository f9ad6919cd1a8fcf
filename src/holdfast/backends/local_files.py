"""The system calls a repository on a local disk is made of.

One method is one step that a crash can separate from the next, so that a simulator can stand in for this class,
cut the sequence anywhere and build every state a power loss may leave.
"""

from __future__ import annotations

import errno
import os
import stat as stat_module
from collections.abc import Sequence
from typing import Protocol

from holdfast.model.buffer import Buffer

_NO_SYNC = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_FOLDER_SYNC = _NO_SYNC | {errno.EINVAL}


class FileSystem(Protocol):
    """What `LocalBackend` asks of a disk. Every method raises `OSError` as the operating system would."""

    def mkdir(self, path: str, mode: int) -> None:
        """Makes one folder; its parent must exist. `FileExistsError` if the name is taken."""
        ...

    def open_temp(self, path: str, mode: int) -> int:
        """Creates a file that did not exist, for writing. Returns a descriptor."""
        ...

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        """Appends bytes of the buffers, in order, and returns how many; it may be fewer than all."""
        ...

    def size(self, fd: int) -> int:
        """Bytes in an open file."""
        ...

    def fsync(self, fd: int) -> None:
        """Makes the content and mode of an open file durable."""
        ...

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        ...

    def chmod(self, path: str, mode: int) -> None:
        """Sets permissions."""
        ...

    def rename(self, src: str, dst: str) -> None:
        """Gives a file another name, replacing what had it."""
        ...

    def link(self, src: str, dst: str) -> None:
        """Gives a file a second name. `FileExistsError` if the name is taken."""
        ...

    def fsync_dir(self, path: str) -> None:
        """Makes the names in a folder durable."""
        ...

    def unlink(self, path: str) -> None:
        """Removes a name."""
        ...

    def read(self, path: str, offset: int, length: int | None) -> bytes:
        """Up to `length` bytes from `offset` on, or all from there; fewer only at the end of the file."""
        ...

    def stat(self, path: str) -> int:
        """Bytes in a file."""
        ...

    def mode(self, path: str) -> int:
        """Permission bits."""
        ...

    def modified_s(self, path: str) -> float:
        """When the content last changed, in seconds since 1970."""
        ...

    def listdir(self, path: str) -> list[tuple[str, int]]:
        """Name and size of every regular file of a folder; other entries are left out."""
        ...


class LocalFileSystem:
    """The file systems of this machine."""

    def mkdir(self, path: str, mode: int) -> None:
        """Makes one folder; its parent must exist."""
        os.mkdir(path, mode)

    def open_temp(self, path: str, mode: int) -> int:
        """Creates a file that did not exist, for writing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        """Appends bytes of the buffers, as many as the system takes in one call."""
        return os.writev(fd, buffers)

    def size(self, fd: int) -> int:
        """Bytes in an open file."""
        return os.fstat(fd).st_size

    def fsync(self, fd: int) -> None:
        """Makes an open file durable, where the file system can."""
        try:
            os.fsync(fd)
        except OSError as error:
            # DURABILITY: some network file systems know no fsync at all; there the close is the promise.
            if error.errno not in _NO_SYNC:
                raise

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        os.close(fd)

    def chmod(self, path: str, mode: int) -> None:
        """Sets permissions."""
        os.chmod(path, mode)

    def rename(self, src: str, dst: str) -> None:
        """Gives a file another name, replacing what had it."""
        os.rename(src, dst)

    def link(self, src: str, dst: str) -> None:
        """Gives a file a second name."""
        os.link(src, dst)

    def fsync_dir(self, path: str) -> None:
        """Makes the names in a folder durable, where the file system can."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise
        finally:
            os.close(fd)

    def unlink(self, path: str) -> None:
        """Removes a name."""
        os.unlink(path)

    def read(self, path: str, offset: int, length: int | None) -> bytes:
        """Up to `length` bytes from `offset` on, or all from there."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if length is None:
                length = max(0, os.fstat(fd).st_size - offset)
            first = os.pread(fd, length, offset)
            return first if len(first) == length or not first else _read_on(fd, first, offset, length)
        finally:
            os.close(fd)

    def stat(self, path: str) -> int:
        """Bytes in a file. `IsADirectoryError` and `FileNotFoundError` for what holds no bytes."""
        status = os.stat(path)
        if not stat_module.S_ISREG(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return status.st_size

    def mode(self, path: str) -> int:
        """Permission bits."""
        return stat_module.S_IMODE(os.stat(path).st_mode)

    def modified_s(self, path: str) -> float:
        """When the content last changed."""
        return os.stat(path).st_mtime

    def listdir(self, path: str) -> list[tuple[str, int]]:
        """Name and size of every regular file of a folder."""
        found: list[tuple[str, int]] = []
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    if entry.is_file():
                        found.append((entry.name, entry.stat().st_size))
                except FileNotFoundError:
                    continue  # removed between the two calls
        return found


def _read_on(fd: int, first: bytes, offset: int, length: int) -> bytes:
    """Reads the rest after a short read, which is not the end of the file unless nothing more comes."""
    parts = [first]
    got = len(first)
    while got < length:
        part = os.pread(fd, length - got, offset + got)
        if not part:
            break
        parts.append(part)
        got += len(part)
    return b"".join(parts)
