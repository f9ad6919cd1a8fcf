"""A repository in a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdfast.backends import naming, urls
from holdfast.backends.local_errors import MISSING, failure_of
from holdfast.backends.local_files import FileSystem, LocalFileSystem
from holdfast.backends.local_write import Modes, write_object
from holdfast.backends.options import BackendOptions
from holdfast.errors import HoldfastError, ObjectExists, RepositoryNotFound, ShortRead
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle, Payload, StoredObject
from holdfast.runtime.clock import Clock, SystemClock

_TEMPORARY = re.compile(r"(?:[0-9a-f]{64}|config)-tmp-[0-9a-f]+", re.ASCII)
_REMOVALS_THAT_COUNT = frozenset({FileKind.SNAPSHOT, FileKind.INDEX, FileKind.KEY})
_REMOVED_LAST = frozenset({FileKind.INDEX, FileKind.PACK})


class LocalBackend:
    """Keeps every object as a file of its own, in restic's layout.

    Args:
        path: the folder.
        files: the system calls; a crash simulator passes its own.
        clock: tells the age of leftovers.
        connections: how many requests at once are useful.
    """

    def __init__(
        self, path: str, *, files: FileSystem | None = None, clock: Clock | None = None, connections: int = 2
    ) -> None:
        self._root = path.rstrip("/") or "/"
        self._files: FileSystem = files if files is not None else LocalFileSystem()
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._connections = connections
        self._modes: Modes | None = None
        self._removals: set[FileKind] = set()
        self._inherited: frozenset[FileKind] = frozenset({FileKind.SNAPSHOT, FileKind.INDEX})

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> LocalBackend:
        """Opens `local:/path` or a plain path. Raises `UsageError` if it is empty."""
        return cls(os.path.join(os.getcwd(), urls.local_path(url)), connections=options.connections or 2)

    @property
    def url(self) -> str:
        """The folder."""
        return self._root

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._connections

    def create(self) -> None:
        """Makes the folder and everything in it that a repository needs, durably."""
        try:
            modes = self._current_modes()
            self._make_root(modes.folder)
            for folder in naming.FOLDERS:
                self._make(f"{self._root}/{folder}", modes.folder)
            for folder in naming.DATA_FOLDERS:
                self._make(f"{self._root}/data/{folder}", modes.folder)
            # DURABILITY: a folder that a power cut takes away takes its objects along.
            self._files.fsync_dir(f"{self._root}/data")
            self._files.fsync_dir(self._root)
        except OSError as error:
            raise self._failure(error, "the repository folder") from error

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object durably; on a failure nothing new is under the final name, or all of it, not yet durably.

        Raises:
            ObjectExists: the config is already there.
            OutOfSpace: the disk or the quota is full.
            RepositoryNotFound: the folders and the config are gone.
        """
        path = self._path(handle)
        once = handle.kind is FileKind.CONFIG
        try:
            modes = self._current_modes()
            try:
                write_object(self._files, path, data, modes, once=once)
            except FileNotFoundError:
                self._make_missing_folder(handle, modes)
                write_object(self._files, path, data, modes, once=once)
        except FileExistsError as error:
            raise ObjectExists(url=self.url, object=str(handle)) from error
        except FileNotFoundError as error:
            # SAFETY: where a disk was unmounted, an empty mount point must not turn into half a repository.
            raise RepositoryNotFound(url=self.url) from error
        except OSError as error:
            raise self._failure(error, handle) from error
        if once:
            self._modes = None

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it, straight from the disk.

        Raises:
            ObjectNotFound: there is no such object.
            ShortRead: the range lies beyond the end.
        """
        naming.check_range(handle, offset, length, self.url)
        path = self._path(handle)
        try:
            content = self._files.read(path, offset, length)
            if length is None:
                beyond = not content and offset > 0 and self._files.stat(path) < offset
            else:
                beyond = len(content) != length or (length == 0 and self._files.stat(path) < offset)
        except OSError as error:
            raise self._failure(error, handle) from error
        if beyond:
            wanted = length if length is not None else "some"
            raise ShortRead(url=self.url, object=str(handle), got=len(content), wanted=wanted)
        return content

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object."""
        try:
            return self._files.stat(self._path(handle))
        except OSError as error:
            raise self._failure(error, handle) from error

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind; temporary and foreign names are left out, a missing folder is an empty one."""
        if kind is FileKind.CONFIG:
            return
        for folder in naming.folders_of(kind):
            for name, size_bytes in self._entries(folder):
                if naming.is_object_name(name) and (kind is not FileKind.PACK or folder.endswith(name[:2])):
                    yield StoredObject(name, size_bytes)

    def remove(self, handle: Handle) -> None:
        """Deletes an object."""
        path = self._path(handle)
        kind = handle.kind
        try:
            if kind in _REMOVED_LAST:
                # DURABILITY: a process that was killed may have removed snapshots or index files without this.
                self._removals |= self._inherited
                self._inherited = frozenset()
            self._settle_removals(except_for=kind)
            # SAFETY: the caller decided on this one object; the name was checked above.
            self._files.unlink(path)
        except OSError as error:
            raise self._failure(error, handle) from error
        if kind in _REMOVALS_THAT_COUNT:
            self._removals.add(kind)

    def local_path(self, handle: Handle) -> Path | None:
        """The file that holds the object."""
        return Path(self._path(handle))

    def close(self) -> None:
        """Makes removals durable; may be called twice."""
        try:
            self._settle_removals(except_for=None)
        except OSError as error:
            raise self._failure(error, "the repository folder") from error

    def collect_garbage(self, older_than_s: float) -> int:
        """Removes temporary files that a writer left behind when it died.

        Args:
            older_than_s: age above which no living writer can still be at work on the file.

        Returns:
            How many were removed.
        """
        oldest_s = self._clock.now().ns / 1_000_000_000 - older_than_s
        removed = 0
        folders = ["", *naming.FOLDERS, *naming.folders_of(FileKind.PACK)]
        for folder in folders:
            for name, _ in self._entries(folder):
                if _TEMPORARY.fullmatch(name) is not None:
                    removed += self._remove_if_older(f"{self._root}/{folder}/{name}", oldest_s)
        return removed

    def _remove_if_older(self, path: str, oldest_s: float) -> bool:
        try:
            if self._files.modified_s(path) >= oldest_s:
                return False
            # SAFETY: only names of the temporary form, only below this repository, only old ones.
            self._files.unlink(path)
        except OSError as error:
            if error.errno in MISSING:
                return False
            raise self._failure(error, os.path.basename(path)) from error
        return True

    def _path(self, handle: Handle) -> str:
        return f"{self._root}/{naming.relative_path(handle, self.url)}"

    def _entries(self, folder: str) -> Sequence[tuple[str, int]]:
        try:
            return self._files.listdir(f"{self._root}/{folder}")
        except OSError as error:
            if error.errno in MISSING:
                return []
            raise self._failure(error, folder) from error

    def _current_modes(self) -> Modes:
        """COMPAT(restic): a config that its group may read makes everything else readable for the group."""
        if self._modes is None:
            try:
                shared = bool(self._files.mode(self._path(CONFIG_HANDLE)) & 0o040)
            except FileNotFoundError:
                return Modes.private()
            self._modes = Modes.shared() if shared else Modes.private()
        return self._modes

    def _make(self, path: str, mode: int) -> bool:
        try:
            self._files.mkdir(path, mode)
        except FileExistsError:
            return False
        return True

    def _make_root(self, mode: int) -> None:
        """Makes the repository folder and the folders above it that are missing."""
        missing: deque[str] = deque()
        path = self._root
        while True:
            try:
                made = self._make(path, mode)
            except FileNotFoundError:
                missing.append(path)
                path = os.path.dirname(path) or "."
                continue
            if made:
                # DURABILITY: the name of a new folder is an entry of its parent.
                self._files.fsync_dir(os.path.dirname(path) or ".")
            if not missing:
                return
            path = missing.pop()

    def _make_missing_folder(self, handle: Handle, modes: Modes) -> None:
        """Makes the one folder an object goes to, if this still is a repository.

        Raises:
            FileNotFoundError: there is no config, as when the disk was unmounted meanwhile.
        """
        self._files.stat(self._path(CONFIG_HANDLE))
        folder = os.path.dirname(self._path(handle))
        if handle.kind is FileKind.PACK:
            parent = os.path.dirname(folder)
            if self._make(parent, modes.folder):
                self._files.fsync_dir(self._root)
        if self._make(folder, modes.folder):
            # DURABILITY: the object is only as durable as the name of its folder.
            self._files.fsync_dir(os.path.dirname(folder))

    def _settle_removals(self, except_for: FileKind | None) -> None:
        """DURABILITY: a pack never vanishes before the removal of what refers to it is on disk.

        Removing many objects of one kind costs one fsync instead of one for each.
        """
        for kind in self._removals - {except_for}:
            # A folder that is not there holds nothing that could come back.
            with contextlib.suppress(FileNotFoundError):
                self._files.fsync_dir(f"{self._root}/{kind.value}")
            self._removals.discard(kind)

    def _failure(self, error: OSError, what: object) -> HoldfastError:
        return failure_of(error, self.url, str(what))
