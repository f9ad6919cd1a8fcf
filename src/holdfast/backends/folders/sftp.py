"""An archive's files on another machine, over SSH."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from holdfast.backends import urls
from holdfast.backends.folders.names import check_name, is_temporary, temporary_name
from holdfast.backends.folders.sftp_files import SftpReader, SftpWriter
from holdfast.backends.options import BackendOptions
from holdfast.backends.sftp_connection import SftpConnection
from holdfast.backends.sftp_options import connect_arguments
from holdfast.backends.sftp_steps import replace
from holdfast.errors import AccessDenied
from holdfast.protocols.content import ContentReader
from holdfast.protocols.folder import FolderFile, FolderWriter

_FOLDER = asyncssh.SFTPAttrs(permissions=0o700)
_FILE = asyncssh.SFTPAttrs(permissions=0o600)
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class SftpFolder:
    """Keeps files under their plain names in a folder of an SFTP server.

    Args:
        url: where this is, for people.
        root: the folder; relative to the home folder unless it starts with a slash.
        connection: reaches the server.
    """

    def __init__(self, url: str, root: str, connection: SftpConnection) -> None:
        self._url = url
        self._root = "" if root == "/" else root
        self._connection = connection

    @classmethod
    def from_url(cls, url: str, options: BackendOptions) -> SftpFolder:
        """Opens `sftp:user@host:/path` or `sftp://user@host:port//path`; settings are those of the backend."""
        location = urls.sftp_location(url)
        shown = urls.without_secrets(url)
        return cls(shown, location.path, SftpConnection(shown, connect_arguments(location, options)))

    @property
    def url(self) -> str:
        """Where this is, without the password."""
        return self._url

    def create(self) -> None:
        """Makes the folder and those above it."""

        async def make(client: asyncssh.SFTPClient) -> None:
            await client.makedirs(self._root or "/", _FOLDER, exist_ok=True)

        self._connection.run(make, "the folder")

    def write(self, name: str) -> FolderWriter:
        """Begins a file. Directories on the way to it are made."""
        path = self._path(name)
        temporary = f"{os.path.dirname(path)}/{temporary_name()}"

        async def begin(client: asyncssh.SFTPClient) -> asyncssh.SFTPClientFile:
            await self._make_parent(client, path)
            return await client.open(temporary, "xb", _FILE, encoding=None)

        file = self._connection.run(begin, name)
        return SftpWriter(self._connection, file, temporary, path, name, self.url)

    def replace(self, name: str, content: bytes) -> None:
        """Writes a small file, whole, over one that may be there."""
        path = self._path(name)
        temporary = f"{os.path.dirname(path)}/{temporary_name()}"

        async def write(client: asyncssh.SFTPClient) -> None:
            await self._make_parent(client, path)
            try:
                async with client.open(temporary, "xb", _FILE, encoding=None) as file:
                    await file.write(content, 0)
                    with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                        await file.fsync()
                await replace(client, temporary, path)
            except BaseException:
                with contextlib.suppress(asyncssh.Error, OSError):
                    # SAFETY: a name this method made up a moment ago.
                    await client.remove(temporary)
                raise

        self._connection.run(write, name)

    def read(self, name: str, offset: int = 0) -> ContentReader:
        """Opens a file. Raises `ObjectNotFound`."""
        path = self._path(name)

        async def begin(client: asyncssh.SFTPClient) -> asyncssh.SFTPClientFile:
            return await client.open(path, "rb", encoding=None)

        return SftpReader(self._connection, self._connection.run(begin, name), name, offset)

    def list(self, prefix: str = "") -> Iterator[FolderFile]:
        """Committed files whose name begins with a prefix; a missing folder is an empty one."""
        start = prefix.rpartition("/")[0]
        found = self._connection.run(lambda client: self._gather(client, start), start or "the folder")
        return (file for file in found if file.name.startswith(prefix) and not is_temporary(_base(file.name)))

    def size(self, name: str) -> int:
        """Bytes of a file. Raises `ObjectNotFound`."""
        path = self._path(name)

        async def measure(client: asyncssh.SFTPClient) -> int:
            return (await client.stat(path)).size or 0

        return self._connection.run(measure, name)

    def remove(self, name: str) -> None:
        """Deletes a file; nothing happens if there is none."""
        path = self._path(name)

        async def delete(client: asyncssh.SFTPClient) -> None:
            with contextlib.suppress(*_MISSING):
                # SAFETY: the caller decided on this one file; the name was checked above.
                await client.remove(path)

        self._connection.run(delete, name)

    def remove_directory(self, name: str) -> None:
        """Removes a directory if it is empty."""
        path = self._path(name)

        async def delete(client: asyncssh.SFTPClient) -> None:
            with contextlib.suppress(asyncssh.SFTPError):
                # SAFETY: the server takes nothing but an empty directory.
                await client.rmdir(path)

        self._connection.run(delete, name)

    def free_bytes(self) -> int | None:
        """How much more this user can store; None where the server does not tell."""

        async def measure(client: asyncssh.SFTPClient) -> int | None:
            try:
                room = await client.statvfs(self._root or "/")
            except (asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure, *_MISSING):
                return None
            return room.bavail * room.frsize

        return self._connection.run(measure, "the folder")

    def local_path(self, name: str) -> Path | None:  # noqa: ARG002 - the protocol's signature
        """None: the files are elsewhere."""
        return None

    def clean(self) -> None:
        """Removes the temporary files of writers that died."""

        async def sweep(client: asyncssh.SFTPClient) -> None:
            for file in await self._gather(client, ""):
                if is_temporary(_base(file.name)):
                    with contextlib.suppress(*_MISSING):
                        # SAFETY: only names of our temporary form; the caller's lock says that no writer lives.
                        await client.remove(f"{self._root}/{file.name}")

        self._connection.run(sweep, "the folder")

    def close(self) -> None:
        """Ends the connection; may be called twice."""
        self._connection.close()

    async def _gather(self, client: asyncssh.SFTPClient, start: str) -> Sequence[FolderFile]:
        found: list[FolderFile] = []
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                async for entry in client.scandir(f"{self._root}/{folder}".rstrip("/") or "/"):
                    base = (
                        entry.filename if isinstance(entry.filename, str) else entry.filename.decode(errors="replace")
                    )
                    name = f"{folder}/{base}" if folder else base
                    mode = entry.attrs.permissions or 0
                    if stat.S_ISDIR(mode) and base not in {".", ".."}:
                        pending.append(name)
                    elif stat.S_ISREG(mode):
                        modified_at = datetime.fromtimestamp(entry.attrs.mtime or 0, UTC)
                        found.append(FolderFile(name, entry.attrs.size or 0, modified_at))
            except _MISSING:
                continue
        return found

    async def _make_parent(self, client: asyncssh.SFTPClient, path: str) -> None:
        parent = os.path.dirname(path)
        if await client.isdir(parent):
            return
        if not await client.isdir(self._root or "/"):
            # SAFETY: where a disk was unmounted, the empty mount point must not turn into half an archive.
            raise asyncssh.SFTPNoSuchFile("the folder is gone")
        try:
            await client.makedirs(parent, _FOLDER, exist_ok=True)
        except asyncssh.SFTPPermissionDenied as error:
            raise AccessDenied(url=self.url, object=parent, reason="no folder can be made there") from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{check_name(name, self.url)}"


def _base(name: str) -> str:
    return name.rpartition("/")[2]
