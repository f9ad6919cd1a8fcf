"""One SSH connection, served by a thread of its own and shared by all threads that ask."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import asyncssh

from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    HoldfastError,
    ObjectNotFound,
    OutOfSpace,
    Phrase,
)

T = TypeVar("T")
Call = Callable[[asyncssh.SFTPClient], Awaitable[T]]

_CONNECT_S = 10
_LOGIN_S = 30
_KEEPALIVE_S = 15
_KEEPALIVES_MISSED = 4
_CALL_S = 15 * 60
_CLOSE_S = 10

_LOST = (asyncssh.ConnectionLost, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.ChannelOpenError)
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
_DENIED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect, asyncssh.SFTPCannotDelete)


class SftpConnection:
    """Connects when it is first needed, and again after the connection was lost.

    Args:
        url: the backend, for errors.
        arguments: for `asyncssh.connect`.
    """

    def __init__(self, url: str, arguments: Mapping[str, Any]) -> None:
        self._url = url
        self._arguments = arguments
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connecting: asyncio.Lock | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def run(self, call: Call[T], what: object) -> T:
        """Runs a coroutine function on the connection and waits for it.

        Args:
            call: gets the client.
            what: the object, for errors.

        Raises:
            BackendError: whatever went wrong, as an error of ours.
        """
        future = asyncio.run_coroutine_threadsafe(self._run(call), self._started())
        try:
            return future.result()
        except (asyncssh.Error, OSError, TimeoutError, EOFError) as error:
            raise self._failure(error, what) from error
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends the connection and the thread."""
        with self._guard:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._disconnect(), loop).result(_CLOSE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_CLOSE_S)
        if not thread.is_alive():
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._connecting = asyncio.Lock()
                self._thread = threading.Thread(target=self._loop.run_forever, name="holdfast-sftp", daemon=True)
                self._thread.start()
            return self._loop

    async def _run(self, call: Call[T]) -> T:
        client = await self._connected()
        try:
            async with asyncio.timeout(_CALL_S):
                return await call(client)
        except (*_LOST, TimeoutError):
            if self._client is client:
                await self._disconnect()
            raise

    async def _connected(self) -> asyncssh.SFTPClient:
        if self._connecting is None:
            raise BackendError(url=self._url, object="the connection", reason="it was closed")
        async with self._connecting:
            if self._client is None:
                self._connection = await asyncssh.connect(
                    connect_timeout=_CONNECT_S,
                    login_timeout=_LOGIN_S,
                    keepalive_interval=_KEEPALIVE_S,
                    keepalive_count_max=_KEEPALIVES_MISSED,
                    **self._arguments,
                )
                self._client = await self._connection.start_sftp_client(path_errors="surrogateescape")
            return self._client

    async def _disconnect(self) -> None:
        connection, client = self._connection, self._client
        self._connection = self._client = None
        if client is not None:
            client.exit()
        if connection is not None:
            connection.close()
            with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S / 2):
                    await connection.wait_closed()

    def _failure(self, error: Exception, what: object) -> HoldfastError:
        context = {"url": self._url, "object": str(what)}
        if isinstance(error, _MISSING):
            return ObjectNotFound(**context)
        if isinstance(error, _FULL):
            return OutOfSpace(**context)
        if isinstance(error, _DENIED):
            return AccessDenied(**context, reason="the server says: permission denied")
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            reason = "its host key is not the one in known_hosts, or none is there"
            return AccessDenied(**context, reason=reason)
        if isinstance(error, (asyncssh.PermissionDenied, asyncssh.KeyImportError)):
            return AccessDenied(**context, reason="the server refused the login")
        if isinstance(error, (FileNotFoundError, PermissionError)):
            return AccessDenied(**context, reason="a key or known_hosts file of this machine cannot be read")
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return BackendError(**context, reason="no common way of encryption was found")
        if isinstance(error, asyncssh.SFTPError) and not isinstance(error, _LOST):
            return BackendError(
                **context, reason=Phrase("the server says: {reason}", {"reason": error.reason or type(error).__name__})
            )
        return BackendUnavailable(**context, reason=type(error).__name__)
