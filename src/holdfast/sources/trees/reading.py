"""Reading one file that others may be writing to, replacing or removing."""

from __future__ import annotations

import os
import stat

from holdfast.errors import SourceError
from holdfast.repository.backup.small_files import OPEN_FLAGS, has_changed
from holdfast.repository.restore.safe_fs import Folders

_SMALL_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20


class FileReader:
    """The bytes of a file as it was when it was looked at.

    A small file is read at once, and a second time if it changed meanwhile. A large one is compared when its last byte
    is given out.

    Args:
        folders: where its directory is opened.
        relative: the path of its directory there.
        name: its name; a link of that name is not followed, and a FIFO is not waited for.
        shown: its path, for errors.
        status: what it was when it was looked at.

    Raises:
        SourceError: it vanished, became something else, changed, or may not be read.
    """

    def __init__(self, folders: Folders, relative: bytes, name: bytes, shown: bytes, status: os.stat_result) -> None:
        self._shown = shown
        self._position = 0
        self._size = status.st_size
        self._memory = b""
        try:
            self._fd = _opened(folders.get(relative).fd, name)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._begin(status)
        except BaseException:
            self.close()
            raise

    def _begin(self, status: os.stat_result) -> None:
        try:
            self._status = os.fstat(self._fd)
            if not stat.S_ISREG(self._status.st_mode):
                raise self._changed("it is no longer a regular file")
            if (status.st_ino, status.st_size) != (self._status.st_ino, self._status.st_size):
                raise self._changed("it changed before it was read")
            if self._size <= _SMALL_BYTES:
                self._memory = self._small()
        except OSError as error:
            raise self._failed(error) from error

    def _small(self) -> bytes:
        for _attempt in range(2):
            before = os.fstat(self._fd)
            data = os.pread(self._fd, self._size + 1, 0)
            if len(data) == self._size and not has_changed(before, os.fstat(self._fd)):
                return data
        raise self._changed("it changed while it was read")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end. Raises `SourceError` as above."""
        wanted = min(self._size - self._position, _BLOCK_BYTES if size < 0 else size)
        if wanted <= 0:
            return b""
        end = self._position + wanted
        block = self._memory[self._position : end] if self._memory else self._more(wanted)
        self._position += len(block)
        return block

    def _more(self, wanted: int) -> bytes:
        try:
            block = os.pread(self._fd, wanted, self._position)
            is_last = self._position + len(block) == self._size
            if not block or (is_last and has_changed(self._status, os.fstat(self._fd))):
                raise self._changed("it changed while it was read")
        except OSError as error:
            raise self._failed(error) from error
        return block

    def close(self) -> None:
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _changed(self, reason: str) -> SourceError:
        return SourceError(path=os.fsdecode(self._shown), reason=reason, problem="changed")

    def _failed(self, error: OSError) -> SourceError:
        problem = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
        return SourceError(path=os.fsdecode(self._shown), reason=error.strerror or str(error), problem=problem)


def _opened(folder: int, name: bytes) -> int:
    try:
        return os.open(name, OPEN_FLAGS | os.O_NOATIME, dir_fd=folder)
    except PermissionError:
        # Only the owner may leave the access time alone.
        return os.open(name, OPEN_FLAGS, dir_fd=folder)
