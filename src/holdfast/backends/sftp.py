"""A folder on another machine, over SSH."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncssh

from holdfast.backends import naming, urls
from holdfast.backends.local_write import Modes
from holdfast.backends.options import BackendOptions
from holdfast.backends.sftp_connection import SftpConnection
from holdfast.backends.sftp_options import connect_arguments
from holdfast.backends.sftp_steps import Step, batches, limited, regular_files, replace
from holdfast.errors import (
    BackendError,
    ObjectExists,
    OutOfSpace,
    RepositoryNotFound,
    ShortRead,
)
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle, Payload, StoredObject


class SftpBackend:
    """Keeps every object as a file, in the layout of a local repository.

    Args:
        url: where this is, for people.
        root: the folder; relative to the home folder unless it starts with a slash.
        connection: reaches the server.
        connections: how many requests at once are useful.
    """

    saves_are_atomic = True

    def __init__(self, url: str, root: str, connection: SftpConnection, *, connections: int = 5) -> None:
        self._url = url
        self._root = "" if root == "/" else root
        self._connection = connection
        self._connections = connections
        self._modes: Modes | None = None

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> SftpBackend:
        """Opens `sftp:user@host:/path` or `sftp://user@host:port//path`; for settings, see `connect_arguments`."""
        location = urls.sftp_location(url)
        shown = urls.without_secrets(url)
        connection = SftpConnection(shown, connect_arguments(location, options))
        return cls(shown, location.path, connection, connections=options.connections or 5)

    @property
    def url(self) -> str:
        """Where this is, without the password."""
        return self._url

    @property
    def connections(self) -> int:
        """How many requests at once are useful."""
        return self._connections

    def create(self) -> None:
        """Makes the folder and everything in it that a repository needs."""

        async def make(client: asyncssh.SFTPClient) -> None:
            modes = await self._current_modes(client)
            await client.makedirs(self._root or "/", asyncssh.SFTPAttrs(permissions=modes.folder), exist_ok=True)
            for folder in naming.FOLDERS:
                await self._make(client, f"{self._root}/{folder}", modes.folder)
            await limited(
                [self._maker(client, f"{self._root}/data/{folder}", modes.folder) for folder in naming.DATA_FOLDERS]
            )

        self._connection.run(make, "the repository folder")

    def save(self, handle: Handle, data: Payload) -> None:
        """Stores an object under a temporary name and renames it when it is complete.

        DURABILITY: the file is synced where the server can; the folder cannot be.

        Raises:
            ObjectExists: the config is already there.
            OutOfSpace: the server's disk is full.
        """
        path = self._path(handle)

        async def write(client: asyncssh.SFTPClient) -> None:
            temporary = f"{path}-restic-temp-{os.urandom(16).hex()}"
            try:
                await self._write(client, handle, temporary, data)
                if handle.kind is FileKind.CONFIG:
                    await self._link_once(client, handle, temporary, path)
                    self._modes = None
                else:
                    await replace(client, temporary, path)
            except BaseException as error:
                with contextlib.suppress(asyncssh.Error, OSError):
                    # SAFETY: a name this method made up a moment ago.
                    await client.remove(temporary)
                if isinstance(error, asyncssh.SFTPFailure) and await self._is_full(client, data):
                    raise OutOfSpace(url=self.url, object=str(handle)) from error
                raise

        self._connection.run(write, handle)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        """Reads an object or a range of it. Raises `ObjectNotFound`, `ShortRead`."""
        naming.check_range(handle, offset, length, self.url)
        path = self._path(handle)

        async def read(client: asyncssh.SFTPClient) -> tuple[bytes, int]:
            async with client.open(path, "rb", encoding=None) as source:
                end = offset + length if length else (await source.stat()).size or 0
                return (await source.read(end - offset, offset) if end > offset and length != 0 else b""), end

        content, end = self._connection.run(read, handle)
        missing = offset > end if length is None or length == 0 else len(content) != length
        if missing or (length is None and len(content) != end - offset):
            wanted = length if length is not None else "some"
            raise ShortRead(url=self.url, object=str(handle), got=len(content), wanted=wanted)
        return bytes(content)

    def size(self, handle: Handle) -> int:
        """Bytes of a stored object. Raises `ObjectNotFound`."""
        path = self._path(handle)

        async def measure(client: asyncssh.SFTPClient) -> int:
            return (await client.stat(path)).size or 0

        return self._connection.run(measure, handle)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        """Objects of a kind; a missing folder is an empty one."""

        async def gather(client: asyncssh.SFTPClient) -> Sequence[StoredObject]:
            found: dict[str, int] = {}
            await limited([self._reader(client, folder, found) for folder in naming.folders_of(kind)])
            return [StoredObject(name, size_bytes) for name, size_bytes in found.items()]

        return iter(self._connection.run(gather, kind.value))

    def remove(self, handle: Handle) -> None:
        """Deletes an object. Raises `ObjectNotFound`."""
        path = self._path(handle)

        async def delete(client: asyncssh.SFTPClient) -> None:
            # SAFETY: the caller decided on this one object; the name was checked above.
            await client.remove(path)

        self._connection.run(delete, handle)

    def local_path(self, handle: Handle) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: the files are elsewhere."""
        return None

    def close(self) -> None:
        """Ends the connection; may be called twice."""
        self._connection.close()

    def _path(self, handle: Handle) -> str:
        return f"{self._root}/{naming.relative_path(handle, self.url)}"

    async def _write(self, client: asyncssh.SFTPClient, handle: Handle, temporary: str, data: Payload) -> None:
        modes = await self._current_modes(client)
        async with await self._open_new(client, handle, temporary, modes) as target:
            wanted = 0
            for batch in batches(data):
                await target.write(batch, wanted)
                wanted += len(batch)
            if (await target.stat()).size != wanted:
                raise BackendError(url=self.url, object=str(handle), reason="the server stored fewer bytes than sent")
            with contextlib.suppress(asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied):
                await target.setstat(asyncssh.SFTPAttrs(permissions=modes.object))
            with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                await target.fsync()

    async def _open_new(
        self, client: asyncssh.SFTPClient, handle: Handle, temporary: str, modes: Modes
    ) -> asyncssh.SFTPClientFile:
        attributes = asyncssh.SFTPAttrs(permissions=0o600)
        try:
            return await client.open(temporary, "xb", attributes, encoding=None)
        except asyncssh.SFTPNoSuchFile:
            # SAFETY: where a disk was unmounted, an empty mount point must not turn into half a repository.
            if not await client.exists(self._path(CONFIG_HANDLE)):
                raise RepositoryNotFound(url=self.url) from None
            folder = os.path.dirname(temporary)
            if handle.kind is FileKind.PACK:
                await self._make(client, os.path.dirname(folder), modes.folder)
            await self._make(client, folder, modes.folder)
            return await client.open(temporary, "xb", attributes, encoding=None)

    async def _link_once(self, client: asyncssh.SFTPClient, handle: Handle, temporary: str, path: str) -> None:
        exists = ObjectExists(url=self.url, object=str(handle))
        if await client.exists(path):
            raise exists
        try:
            await client.link(temporary, path)
        except asyncssh.SFTPOpUnsupported:
            await client.rename(temporary, path)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists) as error:
            if await client.exists(path):
                raise exists from error
            await client.rename(temporary, path)
        else:
            await client.remove(temporary)

    async def _current_modes(self, client: asyncssh.SFTPClient) -> Modes:
        """COMPAT(restic): a config that its group may read makes everything else readable for the group."""
        if self._modes is None:
            try:
                permissions = (await client.stat(self._path(CONFIG_HANDLE))).permissions or 0
            except asyncssh.SFTPNoSuchFile:
                return Modes.private()
            self._modes = Modes.shared() if permissions & 0o040 else Modes.private()
        return self._modes

    async def _is_full(self, client: asyncssh.SFTPClient, data: Payload) -> bool:
        """The protocol has no word for a full disk, so the server is asked how much room it has."""
        try:
            room = await client.statvfs(self._root or "/")
        except (asyncssh.Error, OSError):
            return False
        return bool(room.bavail * room.frsize < sum(memoryview(buffer).nbytes for buffer in data))

    async def _make(self, client: asyncssh.SFTPClient, path: str, mode: int) -> None:
        try:
            await client.mkdir(path, asyncssh.SFTPAttrs(permissions=mode))
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            if not await client.isdir(path):
                raise

    def _maker(self, client: asyncssh.SFTPClient, path: str, mode: int) -> Step:
        return lambda: self._make(client, path, mode)

    def _reader(self, client: asyncssh.SFTPClient, folder: str, found: dict[str, int]) -> Step:
        async def read() -> None:
            start = folder[len("data/") :] if folder.startswith("data/") else ""
            with contextlib.suppress(asyncssh.SFTPNoSuchFile):
                found.update(
                    [
                        (name, size_bytes)
                        async for name, size_bytes in regular_files(client, f"{self._root}/{folder}")
                        if naming.is_object_name(name) and name.startswith(start)
                    ]
                )

        return read
