"""How one file of an archive gets onto a local disk, and how it is read back."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from holdfast.backends.folders.names import temporary_name
from holdfast.backends.local_errors import failure_of
from holdfast.backends.local_files import FileSystem
from holdfast.errors import BackendError, ObjectExists
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader

_MODE = 0o600
_READ_BYTES = 1024 * 1024
_NAMES_MEANWHILE = 2
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_CHMOD = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class LocalWriter:
    """A temporary file beside its final name.

    Args:
        files: the system calls.
        path: the final path; its directory exists.
        name: what the file is called in errors.
        url: the folder, for errors.
    """

    def __init__(self, files: FileSystem, path: str, name: str, url: str) -> None:
        self._files = files
        self._path = path
        self._name = name
        self._url = url
        self._temporary = os.path.join(os.path.dirname(path), temporary_name())
        self._fd = files.open_temp(self._temporary, _MODE)
        self._written = 0

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        rest = memoryview(block).cast("B")
        try:
            while rest.nbytes:
                count = self._files.write(self._fd, [rest])
                if count <= 0:
                    raise OSError(errno.EIO, "the file takes no more bytes")
                self._written += count
                rest = rest[count:]
        except OSError as error:
            self.abort()
            raise failure_of(error, self._url, self._name) from error
        return None

    def take_over(self, file: Path) -> int | None:
        """Gives a file of the run's own a name here instead of copying it; a copy, once its first name is gone.

        Returns:
            Its bytes; None where that cannot be done, such as on another file system.
        """
        aside = os.path.join(os.path.dirname(self._path), temporary_name())
        try:
            self._files.link(os.fspath(file), aside)
        except OSError:
            return None
        try:
            fd = os.open(aside, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            self._drop(aside)
            return None
        status = os.fstat(fd)
        # SAFETY: a file of which somebody else keeps a name could change later, or be the copy in another target.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != _NAMES_MEANWHILE:
            os.close(fd)
            self._drop(aside)
            return None
        former, self._fd, self._written = self._fd, fd, status.st_size
        self._drop(self._temporary)
        self._temporary = aside
        try:
            self._files.close(former)
            self._restrict()
        except OSError as error:
            self.abort()
            raise failure_of(error, self._url, self._name) from error
        return status.st_size

    def settle(self) -> None:
        """Syncs what is there so far, so that `commit` has little left to do."""
        try:
            self._files.fsync(self._fd)
        except OSError as error:
            self.abort()
            raise failure_of(error, self._url, self._name) from error

    def reread(self) -> ContentReader:
        """Reads what was written, after it was synced; the page cache may answer instead of the disk."""
        try:
            self._files.fsync(self._fd)
            return LocalReader(os.open(self._temporary, os.O_RDONLY | os.O_CLOEXEC), self._name, self._url)
        except OSError as error:
            self.abort()
            raise failure_of(error, self._url, self._name) from error

    def commit(self) -> None:
        """DURABILITY: length, permissions, fsync, close, link without replacing, fsync of the directory."""
        try:
            if self._files.size(self._fd) != self._written:
                raise OSError(errno.EIO, "the file does not have the length that was written")
            self._restrict()
            self._files.fsync(self._fd)
            fd, self._fd = self._fd, -1
            self._files.close(fd)
            self._link()
            self._files.fsync_dir(os.path.dirname(self._path))
        except FileExistsError as error:
            self.abort()
            raise ObjectExists(url=self._url, object=self._name) from error
        except OSError as error:
            self.abort()
            raise failure_of(error, self._url, self._name) from error

    def abort(self) -> None:
        """Leaves nothing behind; does nothing after `commit`."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                self._files.close(fd)
        if self._temporary:
            temporary, self._temporary = self._temporary, ""
            self._drop(temporary)

    def _drop(self, temporary: str) -> None:
        # SAFETY: a name that this writer made up.
        with contextlib.suppress(OSError):
            self._files.unlink(temporary)

    def _restrict(self) -> None:
        try:
            self._files.chmod(self._temporary, _MODE)
        except OSError as error:
            if error.errno not in _NO_CHMOD:  # shares without Unix permissions keep files all the same
                raise

    def _link(self) -> None:
        try:
            self._files.link(self._temporary, self._path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Where there are no hard links, an exclusive creation claims the name and the rename fills it.
            self._files.close(self._files.open_temp(self._path, _MODE))
            self._files.rename(self._temporary, self._path)
            self._temporary = ""
        else:
            temporary, self._temporary = self._temporary, ""
            with contextlib.suppress(OSError):
                # SAFETY: the second name of a file that has its final one; `clean` removes it if this fails.
                self._files.unlink(temporary)


class LocalReader:
    """Reads a file from a descriptor, which it owns."""

    def __init__(self, fd: int, name: str, url: str, offset: int = 0) -> None:
        self._fd = fd
        self._name = name
        self._url = url
        self._position = offset

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; all that is left for a negative size."""
        if size < 0:
            parts: list[bytes] = []
            while part := self.read(_READ_BYTES):
                parts.append(part)
            return b"".join(parts)
        if self._fd < 0:
            raise BackendError(url=self._url, object=self._name, reason="it was closed")
        try:
            block = os.pread(self._fd, size, self._position)
        except OSError as error:
            raise failure_of(error, self._url, self._name) from error
        self._position += len(block)
        return block

    def close(self) -> None:
        """Closes the descriptor; may be called twice."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __del__(self) -> None:
        self.close()
