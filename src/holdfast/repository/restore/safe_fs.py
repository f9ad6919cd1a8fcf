"""Opening things below the restore target and nowhere else.

A snapshot may come from a hostile writer, and a target may be writable by somebody who swaps directories for
links while a restore runs as root. So no path is ever resolved as a whole by name:

- names are single components, checked before use;
- directories are reached by `openat2` with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or step by step with
  O_NOFOLLOW where the kernel or a sandbox does not allow that;
- everything else happens relative to a directory descriptor got that way, never following a final link.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import OrderedDict
from types import TracebackType
from typing import NamedTuple, Self

from holdfast.errors import RestoreError, RestoreImpossible, UnsafePath

NAME_BYTES_MAX = 255

_SYS_OPENAT2 = 437
_PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS
_FOLDER_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH_BYTES_AT_ONCE = 4000
_UNAVAILABLE = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EAGAIN})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_TRAP = frozenset({errno.ELOOP, errno.EXDEV, errno.ENOTDIR})


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)
_how = _OpenHow(_FOLDER_FLAGS, 0, _RESOLVE)


def check_name(name: bytes) -> None:
    """Refuses a name that is not one component.

    Raises:
        UnsafePath: it is empty, `.`, `..`, or contains a slash or a NUL byte.
    """
    if not name or name in (b".", b"..") or b"/" in name or b"\0" in name:
        raise UnsafePath(path=repr(name), reason="the snapshot contains a name that is none")


def open_folder(root_fd: int, path: bytes) -> int:
    """Opens a directory below `root_fd`, following no link anywhere.

    Args:
        path: components joined by slashes; empty for the root itself. May be longer than the system's limit.

    Returns:
        A descriptor for use with the `*at` calls (O_PATH).

    Raises:
        OSError: ELOOP, EXDEV or ENOTDIR where something on the way is not a directory.
    """
    current = os.dup(root_fd)
    try:
        for part in _portions(path):
            following = _open_portion(current, part)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def _portions(path: bytes) -> list[bytes]:
    """Cuts a path between components into pieces that the system takes in one call."""
    if len(path) <= _PATH_BYTES_AT_ONCE:
        return [path] if path else []
    portions: list[bytes] = []
    start = 0
    while len(path) - start > _PATH_BYTES_AT_ONCE:
        end = path.rindex(b"/", start, start + _PATH_BYTES_AT_ONCE)
        portions.append(path[start:end])
        start = end + 1
    portions.append(path[start:])
    return portions


def _open_portion(fd: int, path: bytes) -> int:
    try:
        return open_by_openat2(fd, path)
    except OSError as error:
        if error.errno not in _UNAVAILABLE:
            raise
        return open_by_steps(fd, path)


def open_by_openat2(fd: int, path: bytes) -> int:
    """One system call for the whole path. Raises `OSError`, ENOSYS on kernels before 5.6."""
    opened = int(_libc.syscall(_SYS_OPENAT2, fd, path, ctypes.byref(_how), ctypes.sizeof(_how)))
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return opened


def open_by_steps(fd: int, path: bytes) -> int:
    """One call for each component. Raises `OSError`."""
    current = os.dup(fd)
    try:
        for name in path.split(b"/"):
            check_name(name)
            following = os.open(name, _FOLDER_FLAGS, dir_fd=current)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def preallocate(fd: int, size: int) -> None:
    """Gives an empty file its size and, where the file system can, its blocks, which makes filling it cheaper.

    Raises:
        OSError: there is no room.
    """
    if _libc.fallocate(fd, 0, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return
    number = ctypes.get_errno()
    if number in _FULL:
        raise OSError(number, os.strerror(number))
    os.ftruncate(fd, size)


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Gives blocks of a file back that read as zeros anyway. Where that is not possible nothing happens."""
    _libc.fallocate(fd, _PUNCH_HOLE, ctypes.c_int64(offset), ctypes.c_int64(length))


def open_child(fd: int, name: bytes) -> int:
    """Opens a directory in a directory, for use with the `*at` calls. Raises `OSError`."""
    check_name(name)
    return os.open(name, _FOLDER_FLAGS, dir_fd=fd)


def restore_error(path: bytes, error: Exception) -> RestoreError:
    """What a failed system call, or a value that the system does not take, means to a person."""
    shown = os.fsdecode(path)
    if not isinstance(error, OSError):
        return RestoreError(path=shown, reason=str(error))
    if error.errno in _TRAP:
        return UnsafePath(path=shown, reason="a directory on the way is a link or was replaced by something else")
    reason = error.strerror or str(error)
    return (
        RestoreImpossible(path=shown, reason=reason)
        if error.errno in _FULL
        else RestoreError(path=shown, reason=reason)
    )


class Root(NamedTuple):
    """The restore target: its path, and what it must still be when it is opened."""

    path: bytes
    device: int
    inode: int

    def open(self) -> int:
        """Opens the target for use with the `*at` calls.

        Raises:
            UnsafePath: the path leads to another directory by now.
        """
        fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != (self.device, self.inode):
            os.close(fd)
            raise UnsafePath(path=os.fsdecode(self.path), reason="the target directory was replaced meanwhile")
        return fd

    @classmethod
    def prepare(cls, path: bytes, *, create: bool = True) -> Root:
        """Makes the target directory if need be; links in the path a person gave are followed.

        Raises:
            RestoreError: it cannot be made or is not a directory.
        """
        try:
            if create:
                os.makedirs(path, 0o700, exist_ok=True)
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RestoreError(path=os.fsdecode(path), reason=error.strerror or str(error)) from error
        status = os.fstat(fd)
        os.close(fd)
        return cls(os.path.abspath(path), status.st_dev, status.st_ino)


class Folder:
    """An open directory and what files made in it turn out like.

    Attributes:
        fd: descriptor for the `*at` calls.
        plain: whether new files get just the owner of this process and no attributes; None until the first one
            was looked at. Set-group-id directories, default ACLs and squashing servers make it False.
    """

    __slots__ = ("fd", "plain")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.plain: bool | None = None


class Folders:
    """Directories below a root by path, the recently used ones kept open. Belongs to one thread."""

    def __init__(self, root: Root, keep: int = 64) -> None:
        self._root_fd = root.open()
        self._keep = keep
        self._open: OrderedDict[bytes, Folder] = OrderedDict()

    def get(self, path: bytes) -> Folder:
        """The directory, open until many others have been asked for. Raises `OSError`."""
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        if len(self._open) >= self._keep:
            os.close(self._open.popitem(last=False)[1].fd)
        folder = self._open[path] = Folder(open_folder(self._root_fd, path))
        return folder

    def close(self) -> None:
        """Closes everything."""
        for folder in self._open.values():
            os.close(folder.fd)
        self._open.clear()
        os.close(self._root_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
