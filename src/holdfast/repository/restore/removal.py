"""Deleting what a restore with `--delete`, or a name of another kind, puts out of the way."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

_LEVELS_HELD = 200
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(dir_fd: int, name: bytes) -> int:
    """Deletes whatever a name stands for, directories with all they contain, following no link.

    SAFETY: works relative to descriptors, so that of a directory swapped for a link meanwhile the link is removed.

    Returns:
        How many entries were removed.

    Raises:
        OSError: something could not be removed.
    """
    if _unlink(dir_fd, name):
        return 1
    removed = 0
    waiting = [name]
    while waiting:
        removed += _remove_folder(dir_fd, waiting.pop(), waiting)
    return removed


def _unlink(dir_fd: int, name: bytes) -> bool:
    """Removes a name unless it is a directory."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except IsADirectoryError:
        return False
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        return False
    return True


class _Level(NamedTuple):
    """A directory that is being emptied: its descriptor, its name, and directories still in it."""

    fd: int
    name: bytes
    folders: list[bytes]


def _remove_folder(dir_fd: int, name: bytes, waiting: list[bytes]) -> int:
    """Removes one directory, depth first, holding a bounded number of descriptors.

    What lies deeper than that is moved next to the directory and noted in `waiting`.
    """
    first, removed = _enter(dir_fd, name)
    levels = [first]
    try:
        while levels:
            level = levels[-1]
            if not level.folders:
                levels.pop()
                os.close(level.fd)
                os.rmdir(level.name, dir_fd=levels[-1].fd if levels else dir_fd)
                removed += 1
            elif len(levels) < _LEVELS_HELD:
                deeper, count = _enter(level.fd, level.folders.pop())
                levels.append(deeper)
                removed += count
            else:
                aside = b".holdfast-removing-" + os.urandom(8).hex().encode()
                os.rename(level.folders.pop(), aside, src_dir_fd=level.fd, dst_dir_fd=dir_fd)
                waiting.append(aside)
    finally:
        for level in levels:
            os.close(level.fd)
    return removed


def _enter(dir_fd: int, name: bytes) -> tuple[_Level, int]:
    """Opens a directory and removes everything in it but directories. Also returns how many entries those were."""
    level = _Level(os.open(name, _FOLDER_FLAGS, dir_fd=dir_fd), name, [])
    removed = 0
    try:
        with os.scandir(level.fd) as entries:
            listed = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        for entry_name, is_folder in listed:
            if is_folder:
                level.folders.append(entry_name)
            else:
                os.unlink(entry_name, dir_fd=level.fd)
                removed += 1
    except BaseException:
        os.close(level.fd)
        raise
    return level, removed
