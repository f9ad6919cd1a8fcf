"""How one object gets onto a local disk so that a crash leaves all of it or none of it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Generator
from typing import NamedTuple

from holdfast.backends.local_files import FileSystem
from holdfast.protocols import Payload

_TEMPORARY_MODE = 0o600
_BUFFERS_A_CALL = 512  # the kernel takes 1024 at most
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_CHMOD = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NOT_CURED_BY_ANOTHER_FILE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


class Modes(NamedTuple):
    """Permissions of folders and of stored objects."""

    folder: int
    object: int

    @staticmethod
    def private() -> Modes:
        """For the owner alone."""
        return Modes(0o700, 0o400)

    @staticmethod
    def shared() -> Modes:
        """For the owner and the group."""
        return Modes(0o770, 0o440)


class _SyncFailed(OSError):
    """fsync failed: the kernel may have dropped the pages and will not say so a second time."""


def write_object(files: FileSystem, path: str, data: Payload, modes: Modes, *, once: bool) -> None:
    """Writes an object under its final name, durably.

    The order is: temporary file in the same folder, all bytes, length, permissions, fsync, close, rename (or link),
    fsync of the folder. Whatever fails, the temporary file is removed.

    Args:
        files: the system calls.
        path: the final name.
        data: what to write; read once more if the first fsync fails.
        modes: permissions.
        once: refuse if the final name is taken.

    Raises:
        FileExistsError: `once`, and the name is taken.
        OSError: anything else; then the final name is as it was.
    """
    temporary = _write_temporary(files, path, data, modes)
    try:
        if once:
            _link_once(files, temporary, path)
        else:
            files.rename(temporary, path)
    except BaseException:
        _discard(files, temporary)
        raise
    # DURABILITY: without this a power cut may take the new name away.
    files.fsync_dir(os.path.dirname(path))


def _write_temporary(files: FileSystem, path: str, data: Payload, modes: Modes) -> str:
    try:
        return _write_one(files, path, data, modes)
    except _SyncFailed as error:
        if error.errno in _NOT_CURED_BY_ANOTHER_FILE:
            raise
        # DURABILITY: an fsync repeated on the same file would report success for pages that are gone. The bytes
        # are still in memory, so they are written to another file, once.
        return _write_one(files, path, data, modes)


def _write_one(files: FileSystem, path: str, data: Payload, modes: Modes) -> str:
    temporary = f"{path}-tmp-{os.urandom(8).hex()}"
    with _open(files, temporary) as fd:
        wanted = write_all(files, fd, data)
        if files.size(fd) != wanted:
            raise OSError(errno.EIO, "the file does not have the length that was written")
        _restrict(files, temporary, modes.object)
        try:
            files.fsync(fd)
        except OSError as error:
            raise _SyncFailed(error.errno, error.strerror) from error
    return temporary


@contextlib.contextmanager
def _open(files: FileSystem, temporary: str) -> Generator[int]:
    """A new file that is closed in the end, and removed if anything went wrong."""
    fd = files.open_temp(temporary, _TEMPORARY_MODE)
    try:
        yield fd
    except BaseException:
        with contextlib.suppress(OSError):
            files.close(fd)
        _discard(files, temporary)
        raise
    try:
        files.close(fd)
    except BaseException:
        _discard(files, temporary)
        raise


def write_all(files: FileSystem, fd: int, data: Payload) -> int:
    """Writes every byte of every buffer, however few the system takes at a time. Returns how many there were."""
    pending = [view for view in (memoryview(buffer).cast("B") for buffer in data) if view.nbytes]
    total = sum(view.nbytes for view in pending)
    first = 0
    while first < len(pending):
        written = files.write(fd, pending[first : first + _BUFFERS_A_CALL])
        if written <= 0:
            raise OSError(errno.EIO, "the file takes no more bytes")
        while first < len(pending) and written >= pending[first].nbytes:
            written -= pending[first].nbytes
            first += 1
        if written:
            pending[first] = pending[first][written:]
    return total


def _restrict(files: FileSystem, path: str, mode: int) -> None:
    try:
        files.chmod(path, mode)
    except OSError as error:
        # COMPAT(restic): shares without Unix permissions keep objects all the same.
        if error.errno not in _NO_CHMOD:
            raise


def _link_once(files: FileSystem, temporary: str, path: str) -> None:
    try:
        files.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Where there are no hard links, an exclusive creation claims the name and the rename fills it.
        files.close(files.open_temp(path, _TEMPORARY_MODE))
        try:
            files.rename(temporary, path)
        except BaseException:
            _discard(files, path)
            raise
    else:
        _discard(files, temporary)


def _discard(files: FileSystem, path: str) -> None:
    """Removes a leftover; a failure here must not hide the one that led to it."""
    # SAFETY: a name this module made up a moment ago.
    with contextlib.suppress(OSError):
        files.unlink(path)
