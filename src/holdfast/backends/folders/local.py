"""An archive's files in a folder of this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from holdfast.backends import urls
from holdfast.backends.folders.local_writer import LocalReader, LocalWriter
from holdfast.backends.folders.names import check_name, is_temporary, temporary_name
from holdfast.backends.local_errors import MISSING, failure_of
from holdfast.backends.local_files import FileSystem, LocalFileSystem
from holdfast.backends.options import BackendOptions
from holdfast.errors import BackendError
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import FolderFile, FolderWriter

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class LocalFolder:
    """Keeps files under their plain names; directories are 0700 and files 0600, whatever the umask.

    Args:
        path: the folder.
        files: the system calls that change something; a crash simulator passes its own.
    """

    def __init__(self, path: str, *, files: FileSystem | None = None) -> None:
        self._root = os.path.abspath(path)
        self._files: FileSystem = LocalFileSystem() if files is None else files

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> LocalFolder:  # noqa: ARG003 - the row's signature
        """Opens `local:/path` or a plain path. Raises `UsageError` if it is empty."""
        return cls(os.path.join(os.getcwd(), os.path.expanduser(urls.local_path(url))))

    @property
    def url(self) -> str:
        """The folder."""
        return self._root

    def create(self) -> None:
        """Makes the folder and those above it that are missing, durably."""
        try:
            self._make(self._root)
            # A file, or a link that leads nowhere, is there and is no folder; later steps would miss what is in it.
            if not os.path.isdir(self._root):
                raise FileExistsError(errno.EEXIST, "something else is in its place", self._root)
        except OSError as error:
            raise self._failure(error, "the folder") from error

    def write(self, name: str) -> FolderWriter:
        """Begins a file. Directories on the way to it are made."""
        path = self._path(name)
        try:
            self._make(os.path.dirname(path), below=self._root)
            return LocalWriter(self._files, path, name, self._root)
        except OSError as error:
            raise self._failure(error, name) from error

    def replace(self, name: str, content: bytes) -> None:
        """Writes a small file, whole and durably, over one that may be there."""
        path = self._path(name)
        temporary = os.path.join(os.path.dirname(path), temporary_name())
        try:
            self._make(os.path.dirname(path), below=self._root)
            try:
                self._write_temporary(temporary, content)
                self._files.rename(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    # SAFETY: a name this method made up a moment ago.
                    self._files.unlink(temporary)
                raise
            # DURABILITY: without this a power cut may bring the former content back.
            self._files.fsync_dir(os.path.dirname(path))
        except OSError as error:
            raise self._failure(error, name) from error

    def read(self, name: str, offset: int = 0) -> ContentReader:
        """Opens a file. Raises `ObjectNotFound`."""
        try:
            # A FIFO under the name of a file must not block the program.
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise self._failure(error, name) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise BackendError(url=self.url, object=name, reason="it is not a regular file")
        return LocalReader(fd, name, self._root, offset)

    def list(self, prefix: str = "") -> Iterator[FolderFile]:
        """Committed files whose name begins with a prefix; a missing folder is an empty one."""
        start = prefix.rpartition("/")[0]
        for name, status in self._walk(start):
            if name.startswith(prefix) and not is_temporary(os.path.basename(name)):
                yield FolderFile(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def size(self, name: str) -> int:
        """Bytes of a file. Raises `ObjectNotFound`."""
        try:
            return self._files.stat(self._path(name))
        except OSError as error:
            raise self._failure(error, name) from error

    def remove(self, name: str) -> None:
        """Deletes a file durably; nothing happens if there is none."""
        path = self._path(name)
        try:
            # SAFETY: the caller decided on this one file; the name was checked above.
            self._files.unlink(path)
            # DURABILITY: what was said to be deleted must not come back.
            self._files.fsync_dir(os.path.dirname(path))
        except OSError as error:
            if error.errno not in MISSING:
                raise self._failure(error, name) from error

    def remove_directory(self, name: str) -> None:
        """Removes a directory if it is empty."""
        path = self._path(name)
        # SAFETY: rmdir takes nothing but an empty directory; one that is not empty is somebody else's.
        with contextlib.suppress(OSError):
            os.rmdir(path)
            self._files.fsync_dir(os.path.dirname(path))

    def free_bytes(self) -> int | None:
        """How much more this user can store."""
        path = self._root
        while True:
            try:
                room = os.statvfs(path)
            except FileNotFoundError:
                path = os.path.dirname(path)
                continue
            except OSError:
                return None
            return room.f_bavail * room.f_frsize

    def local_path(self, name: str) -> Path | None:
        """The file itself."""
        return Path(self._path(name))

    def clean(self) -> None:
        """Removes the temporary files of writers that died."""
        for name, _ in self._walk(""):
            if is_temporary(os.path.basename(name)):
                # SAFETY: only names of our temporary form; the caller's lock says that no writer lives.
                with contextlib.suppress(FileNotFoundError):
                    self._unlink_leftover(name)

    def close(self) -> None:
        """Does nothing: every writer syncs for itself."""

    def _unlink_leftover(self, name: str) -> None:
        try:
            self._files.unlink(os.path.join(self._root, name))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._failure(error, name) from error

    def _walk(self, start: str) -> Iterator[tuple[str, os.stat_result]]:
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(os.path.join(self._root, folder)) as scan:
                    entries = list(scan)
            except OSError as error:
                if error.errno == errno.ENOENT or (folder and error.errno == errno.ENOTDIR):
                    continue
                if error.errno == errno.ENOTDIR:
                    # A file in the place of the folder is no empty folder.
                    raise BackendError(url=self.url, object="the folder", reason=error.strerror) from error
                raise self._failure(error, folder or "the folder") from error
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif (status := _regular(entry)) is not None:
                    yield name, status

    def _path(self, name: str) -> str:
        return os.path.join(self._root, check_name(name, self.url))

    def _make(self, path: str, below: str = "") -> None:
        """Makes a directory and those above it; `below` is one that must exist already."""
        if os.path.isdir(path):
            return
        if path == below:
            raise FileNotFoundError(2, "the folder is gone", path)
        parent = os.path.dirname(path)
        self._make(parent, below)
        with contextlib.suppress(FileExistsError):
            self._files.mkdir(path, _FOLDER_MODE)
        # DURABILITY: a file is only as durable as the names of the directories that lead to it.
        self._files.fsync_dir(parent)

    def _write_temporary(self, temporary: str, content: bytes) -> None:
        fd = self._files.open_temp(temporary, _FILE_MODE)
        try:
            written = 0
            while written < len(content):
                written += self._files.write(fd, [memoryview(content)[written:]])
            self._files.chmod(temporary, _FILE_MODE)
            self._files.fsync(fd)
        finally:
            self._files.close(fd)

    def _failure(self, error: OSError, what: str) -> BackendError:
        return failure_of(error, self.url, what)


def _regular(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat() if entry.is_file() else None
    except OSError:
        return None  # removed between the two calls, or a link that leads nowhere
