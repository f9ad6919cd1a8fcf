"""The folder of a cache: reading gives nothing rather than an error, and writing may silently not happen."""

from __future__ import annotations

import contextlib
import os
import stat
import time

from holdfast.backends import naming
from holdfast.backends.local_files import LocalFileSystem
from holdfast.backends.local_write import write_all
from holdfast.protocols import FileKind, Payload

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_LEFTOVER_S = 24 * 3600
_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Holdfast keeps copies of repository files here.\n"


class CacheFolder:
    """Files in the repository's layout below a folder of our own.

    Args:
        path: the folder; one that belongs to somebody else, or that others may write to, is not used.
    """

    def __init__(self, path: str) -> None:
        self._root = path
        self._files = LocalFileSystem()
        self._usable = self._prepare()

    def read(self, path: str, offset: int, length: int | None) -> bytes | None:
        """A file or a range of it; None if there is none, or it is shorter than that."""
        if not self._usable:
            return None
        try:
            content = self._files.read(f"{self._root}/{path}", offset, length)
        except OSError:
            return None
        complete = len(content) == length if length is not None else bool(content)
        return content if complete else None

    def write(self, path: str, data: Payload) -> None:
        """Keeps a file, whole or not at all."""
        if not self._usable:
            return
        final = f"{self._root}/{path}"
        temporary = f"{final}-tmp-{os.urandom(8).hex()}"
        try:
            os.makedirs(os.path.dirname(final), _FOLDER_MODE, exist_ok=True)
            fd = self._files.open_temp(temporary, _FILE_MODE)
            try:
                write_all(self._files, fd, data)
            finally:
                self._files.close(fd)
            self._files.rename(temporary, final)
        except OSError:
            # A full or broken cache disk must never fail a backup or a restore.
            with contextlib.suppress(OSError):
                self._files.unlink(temporary)

    def drop(self, path: str) -> None:
        """Removes a file."""
        if self._usable:
            # SAFETY: a copy; the object itself is in the storage.
            with contextlib.suppress(OSError):
                self._files.unlink(f"{self._root}/{path}")

    def names(self, kind: FileKind) -> set[str]:
        """Names of the objects of a kind that have a copy. Leftovers of writers that died are removed."""
        found: set[str] = set()
        if not self._usable:
            return found
        for folder in naming.folders_of(kind):
            try:
                entries = self._files.listdir(f"{self._root}/{folder}")
            except OSError:
                continue
            for name, _ in entries:
                if naming.is_object_name(name):
                    found.add(name)
                else:
                    self._drop_leftover(f"{folder}/{name}")
        return found

    def _drop_leftover(self, path: str) -> None:
        with contextlib.suppress(OSError):
            if self._files.modified_s(f"{self._root}/{path}") < time.time() - _LEFTOVER_S:
                self.drop(path)

    def _prepare(self) -> bool:
        try:
            os.makedirs(self._root, _FOLDER_MODE, exist_ok=True)
            status = os.lstat(self._root)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                return False
            if status.st_mode & 0o077:
                os.chmod(self._root, _FOLDER_MODE)
        except OSError:
            return False
        with contextlib.suppress(OSError):
            fd = os.open(f"{self._root}/CACHEDIR.TAG", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
            try:
                os.write(fd, _TAG)
            finally:
                os.close(fd)
        return True
