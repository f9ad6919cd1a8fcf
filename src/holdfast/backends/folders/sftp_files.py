"""One file on an SFTP server, being written or read."""

from __future__ import annotations

import contextlib
from typing import cast

import asyncssh

from holdfast.backends.sftp_connection import SftpConnection
from holdfast.errors import BackendError, ObjectExists, OutOfSpace
from holdfast.model.buffer import Buffer
from holdfast.protocols.content import ContentReader

_BATCH_BYTES = 1024 * 1024


class SftpWriter:
    """A temporary file beside its final name.

    Args:
        connection: reaches the server.
        file: the temporary file, open for writing.
        temporary: its path.
        path: the final path.
        name: what the file is called in errors.
        url: the folder, for errors.
    """

    def __init__(
        self, connection: SftpConnection, file: asyncssh.SFTPClientFile, temporary: str, path: str, name: str, url: str
    ) -> None:
        self._connection = connection
        self._file = file
        self._temporary = temporary
        self._path = path
        self._name = name
        self._url = url
        self._pending = bytearray()
        self._written = 0

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes; each batch of them is one round trip."""
        self._pending += block
        if len(self._pending) >= _BATCH_BYTES:
            self._flush()
        return None

    def reread(self) -> ContentReader:
        """Reads what was written back from the server."""
        self._flush()
        self._settle()

        async def begin(client: asyncssh.SFTPClient) -> asyncssh.SFTPClientFile:
            return await client.open(self._temporary, "rb", encoding=None)

        return SftpReader(self._connection, self._connection.run(begin, self._name), self._name)

    def commit(self) -> None:
        """DURABILITY: length, fsync where the server can, link without replacing; directories cannot be synced."""
        self._flush()
        self._settle()

        async def finish(client: asyncssh.SFTPClient) -> None:
            await self._file.close()
            await self._link(client)

        try:
            self._connection.run(finish, self._name)
        except BaseException:
            self.abort()
            raise
        self._temporary = ""

    def abort(self) -> None:
        """Leaves nothing behind; does nothing after `commit`."""
        if not self._temporary:
            return
        temporary, self._temporary = self._temporary, ""
        self._pending = bytearray()

        async def discard(client: asyncssh.SFTPClient) -> None:
            with contextlib.suppress(asyncssh.Error, OSError):
                await self._file.close()
            # SAFETY: a name that this writer made up.
            await client.remove(temporary)

        with contextlib.suppress(BackendError):
            self._connection.run(discard, self._name)

    def _flush(self) -> None:
        if not self._pending:
            return
        batch, self._pending = bytes(self._pending), bytearray()
        offset = self._written

        async def send(client: asyncssh.SFTPClient) -> None:
            try:
                await self._file.write(batch, offset)
            except asyncssh.SFTPFailure:
                if await _is_full(client, self._path, len(batch)):
                    raise OutOfSpace(url=self._url, object=self._name) from None
                raise

        try:
            self._connection.run(send, self._name)
        except BaseException:
            self.abort()
            raise
        self._written += len(batch)

    def _settle(self) -> None:
        """Makes what was sent durable, and looks that all of it arrived."""

        async def settle(client: asyncssh.SFTPClient) -> int:
            with contextlib.suppress(asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied):
                await client.chmod(self._temporary, 0o600)
            with contextlib.suppress(asyncssh.SFTPOpUnsupported):
                await self._file.fsync()
            return (await client.stat(self._temporary)).size or 0

        try:
            if self._connection.run(settle, self._name) != self._written:
                raise BackendError(
                    url=self._url, object=self._name, reason="the server stored another number of bytes than were sent"
                )
        except BaseException:
            self.abort()
            raise

    async def _link(self, client: asyncssh.SFTPClient) -> None:
        exists = ObjectExists(url=self._url, object=self._name)
        if await client.exists(self._path):
            raise exists
        try:
            await client.link(self._temporary, self._path)
        except asyncssh.SFTPOpUnsupported:
            # A plain rename of this protocol replaces nothing.
            await client.rename(self._temporary, self._path)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists) as error:
            if await client.exists(self._path):
                raise exists from error
            await client.rename(self._temporary, self._path)
        else:
            await client.remove(self._temporary)


class SftpReader:
    """Reads a file of the server from some offset on."""

    def __init__(self, connection: SftpConnection, file: asyncssh.SFTPClientFile, name: str, offset: int = 0) -> None:
        self._connection = connection
        self._file: asyncssh.SFTPClientFile | None = file
        self._name = name
        self._position = offset
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; all that is left for a negative size."""
        if size < 0:
            parts: list[bytes] = []
            while part := self.read(_BATCH_BYTES):
                parts.append(part)
            return b"".join(parts)
        if not self._rest.nbytes and self._file is not None:
            self._rest = memoryview(self._fetch(self._file))
        part, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return part

    def close(self) -> None:
        """Closes the file on the server; may be called twice."""
        file, self._file = self._file, None
        if file is None:
            return

        async def end(_client: asyncssh.SFTPClient) -> None:
            await file.close()

        with contextlib.suppress(BackendError):
            self._connection.run(end, self._name)

    def _fetch(self, file: asyncssh.SFTPClientFile) -> bytes:
        position = self._position

        async def fetch(_client: asyncssh.SFTPClient) -> bytes:
            # Opened without an encoding, it gives bytes, whatever the annotation of the library says.
            return cast(bytes, await file.read(_BATCH_BYTES, position))

        block = self._connection.run(fetch, self._name)
        self._position += len(block)
        return block


async def _is_full(client: asyncssh.SFTPClient, path: str, wanted_bytes: int) -> bool:
    """The protocol has no word for a full disk, so the server is asked how much room it has."""
    try:
        room = await client.statvfs(path.rpartition("/")[0] or "/")
    except (asyncssh.Error, OSError):
        return False
    return bool(room.bavail * room.frsize < wanted_bytes)
