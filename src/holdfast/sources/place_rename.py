"""Renaming in one step: exchanging two names, taking a name only if it is free, and names for what is replaced."""

from __future__ import annotations

import ctypes
import errno
import os
import shlex
from itertools import count
from pathlib import Path

NAME_BYTES_MAX = 255
_NUMBER_BYTES = 5

_AT_FDCWD = -100
_NOREPLACE = 1
_EXCHANGE = 2
_UNAVAILABLE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP})

_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> bool:
    """Swaps what two names of one file system stand for, in one step.

    Returns:
        False where the system or file system cannot do that; nothing was changed then.

    Raises:
        OSError: it can, and it failed.
    """
    return _renameat2(one, other, _EXCHANGE)


def rename_new(path: Path, name: Path) -> None:
    """Renames something unless the new name is taken.

    Raises:
        FileExistsError: it is.
        OSError: anything else.
    """
    if _renameat2(path, name, _NOREPLACE):
        return
    if os.path.lexists(name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(name))
    os.rename(path, name)


def _renameat2(one: Path, other: Path, flags: int) -> bool:
    call = getattr(_libc, "renameat2", None)
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(flags)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNAVAILABLE:
        return False
    raise OSError(number, os.strerror(number), os.fspath(one), None, os.fspath(other))


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Makes a file of our own durable. Raises `OSError`."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(fd: int) -> None:
    """Makes everything written to a file system durable: for a great many files that is much cheaper than one by one.

    Raises:
        OSError: something written earlier was lost, or cannot be written.
    """
    if _libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def safety_name(path: Path, stamp: str) -> Path:
    """A free name beside a path for what a restore replaces: `<name>.before-restore-<stamp>`, numbered if taken."""
    ending = f".before-restore-{stamp}"
    stem = os.fsencode(path.name)[: NAME_BYTES_MAX - len(ending) - _NUMBER_BYTES]
    return _free(path.with_name(os.fsdecode(stem) + ending))


def shell_word(path: Path) -> str:
    """A path as a person types it in any shell: what cannot be shown on one line is given by its numbers."""
    text = os.fspath(path)
    if text.isprintable():
        return shlex.quote(text)
    numbers = "".join(f"\\{byte:04o}" for byte in os.fsencode(text))
    return f"\"$(printf '%b' '{numbers}')\""


def inner_safety_name(folder: Path, stamp: str) -> Path:
    """A free name within a folder for what a restore replaces in it; no backup contains it."""
    return _free(folder / f".holdfast-before-restore-{stamp}")


def _free(name: Path) -> Path:
    numbered = (name.with_name(f"{name.name}-{number}") for number in count(2))
    return name if not os.path.lexists(name) else next(other for other in numbered if not os.path.lexists(other))
