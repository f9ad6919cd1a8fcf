"""HTTP as the REST backend needs it: bounded bodies, bounded waiting, and errors that say whether to try again."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import httpx2

from holdfast.backends.urls import RestLocation
from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    ObjectNotFound,
    OutOfSpace,
    Phrase,
    ShortRead,
    UsageError,
)
from holdfast.model.buffer import Buffer
from holdfast.runtime.clock import Clock, SystemClock

T = TypeVar("T")

MEDIA_TYPE_V2 = "application/vnd.x.restic.rest.v2"
_HEADERS = {"Accept": MEDIA_TYPE_V2, "Accept-Encoding": "identity", "User-Agent": "holdfast"}
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0, pool=None)
_WHOLE_BODY_S = 15 * 60
_PASSING = frozenset({408, 425, 429})
_LASTING = frozenset({501, 505})
_CHUNK_BYTES = 256 * 1024


class RestClient:
    """Sends requests to one server and to no other: redirections are errors.

    Args:
        url: the backend, for errors.
        location: the server.
        connections: how many requests at once.
        ca_file: certificates to trust instead of the system's.
        client_certificate: PEM file of certificate and key to show to the server.
        insecure_tls: take any certificate of the server.
        clock: measures how long a body takes.
    """

    def __init__(
        self,
        url: str,
        location: RestLocation,
        *,
        connections: int,
        ca_file: str = "",
        client_certificate: str = "",
        insecure_tls: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._url = url
        self._base = location.base
        self._clock: Clock = clock if clock is not None else SystemClock()
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        secured = location.base.startswith("https:")
        verify = _tls(url, ca_file, client_certificate, insecure=insecure_tls) if secured else False
        transport = httpx2.HTTPTransport(uds=location.socket, limits=limits) if location.socket else None
        self._client = httpx2.Client(
            auth=(location.username, location.password) if location.username or location.password else None,
            headers=_HEADERS,
            timeout=_TIMEOUT,
            limits=limits,
            verify=verify,
            transport=transport,
            follow_redirects=False,
        )

    def head(self, path: str, what: object) -> int:
        """The length of a resource. Raises `ObjectNotFound`."""

        def read(response: httpx2.Response) -> int:
            length = response.headers.get("Content-Length", "")
            if not length.isdecimal():
                raise BackendError(url=self._url, object=str(what), reason="the server does not tell the length")
            return int(length)

        return self._send("HEAD", path, what, read)

    def get(self, path: str, what: object, *, offset: int = 0, length: int | None = None, most: int) -> bytes:
        """The body of a resource, or what the server gives of a range of it.

        Args:
            path: below the base.
            what: the object, for errors.
            offset: first byte.
            length: how many; None is all.
            most: bytes above which an answer is not read on.
        """
        headers: dict[str, str] = {}
        if offset or length is not None:
            headers["Range"] = f"bytes={offset}-{'' if length is None else offset + length - 1}"

        def read(response: httpx2.Response) -> bytes:
            if not headers or response.status_code == 206:
                self._check_range(response, offset, what)
                return self._body(response, what, most if length is None else length)
            whole = self._body(response, what, most)
            return whole[offset : None if length is None else offset + length]

        return self._send("GET", path, what, read, headers=headers)

    def listing(self, path: str, what: object, most: int) -> tuple[bytes, bool]:
        """The body of a listing, and whether it is one of version 2."""

        def read(response: httpx2.Response) -> tuple[bytes, bool]:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
            return self._body(response, what, most), kind == MEDIA_TYPE_V2

        return self._send("GET", path, what, read)

    def post(self, path: str, what: object, body: Iterable[Buffer] = (), size_bytes: int = 0) -> None:
        """Sends a body of known length."""
        headers = {"Content-Length": str(size_bytes), "Content-Type": "application/octet-stream"}
        self._send("POST", path, what, lambda _: None, headers=headers, content=_chunks(body))

    def delete(self, path: str, what: object) -> None:
        """Deletes a resource."""
        self._send("DELETE", path, what, lambda _: None)

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def _send(
        self,
        method: str,
        path: str,
        what: object,
        read: Callable[[httpx2.Response], T],
        *,
        headers: Mapping[str, str] | None = None,
        content: Iterable[bytes] | None = None,
    ) -> T:
        try:
            with self._client.stream(method, self._base + path, headers=headers, content=content) as response:
                if response.status_code not in (200, 201, 204, 206):
                    raise self._refusal(response, method, what)
                return read(response)
        except httpx2.TimeoutException as error:
            raise BackendUnavailable(url=self._url, object=str(what), reason="it did not answer in time") from error
        except httpx2.TransportError as error:
            raise self._broken(error, what) from error
        except (httpx2.InvalidURL, RuntimeError) as error:
            raise BackendError(url=self._url, object=str(what), reason=type(error).__name__) from error

    def _body(self, response: httpx2.Response, what: object, most: int) -> bytes:
        """Reads a body that may be endless or never end."""
        parts: list[bytes] = []
        got = 0
        deadline = self._clock.monotonic() + _WHOLE_BODY_S
        for part in response.iter_raw(_CHUNK_BYTES):
            parts.append(part)
            got += len(part)
            if got > most:
                reason = "the server sends more than was asked for"
                raise BackendError(url=self._url, object=str(what), reason=reason)
            if self._clock.monotonic() > deadline:
                raise BackendUnavailable(url=self._url, object=str(what), reason="the answer comes too slowly")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _check_range(self, response: httpx2.Response, offset: int, what: object) -> None:
        given = response.headers.get("Content-Range", "")
        if given and response.status_code == 206 and not given.startswith(f"bytes {offset}-"):
            raise BackendUnavailable(url=self._url, object=str(what), reason="the server sent another range")

    def _refusal(self, response: httpx2.Response, method: str, what: object) -> BackendError:
        status = response.status_code
        context = {"url": self._url, "object": str(what)}
        reason = f"HTTP status {status} {response.reason_phrase}".rstrip()
        if status in (404, 410) and method != "POST":
            return ObjectNotFound(**context)
        if status == 507:
            return OutOfSpace(**context)
        if status == 416:
            return ShortRead(**context, got=0, wanted="some")
        if status in (401, 403, 407):
            return AccessDenied(**context, reason=Phrase("{reason} to {method}", {"reason": reason, "method": method}))
        if status in _PASSING or (status >= 500 and status not in _LASTING):
            after = response.headers.get("Retry-After", "")
            return BackendUnavailable(
                **context, reason=reason, retry_after_s=float(after) if after.isdecimal() else 0.0
            )
        if 300 <= status < 400:
            # SAFETY: credentials never follow a redirection to where it leads.
            return BackendError(**context, reason="the server redirects elsewhere")
        return BackendError(**context, reason=Phrase("{reason} to {method}", {"reason": reason, "method": method}))

    def _broken(self, error: httpx2.TransportError, what: object) -> BackendError:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                reason = "its TLS certificate was not accepted"
                return BackendError(url=self._url, object=str(what), reason=reason)
            cause = cause.__cause__ or cause.__context__
        return BackendUnavailable(url=self._url, object=str(what), reason=type(error).__name__)


def _chunks(body: Iterable[Buffer]) -> Iterable[bytes]:
    """Puts small buffers together, because each piece costs a system call."""
    pending = bytearray()
    for buffer in body:
        if len(pending) + len(buffer) <= _CHUNK_BYTES:
            pending += buffer
            continue
        if pending:
            yield bytes(pending)
            pending.clear()
        view = memoryview(buffer).cast("B")
        for at in range(0, view.nbytes, _CHUNK_BYTES):
            yield bytes(view[at : at + _CHUNK_BYTES])
    if pending:
        yield bytes(pending)


def _tls(url: str, ca_file: str, client_certificate: str, *, insecure: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if insecure:
            # SAFETY: asked for by name. Contents stay sealed and authenticated; credentials are exposed.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if client_certificate:
            context.load_cert_chain(client_certificate)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            detail=Phrase("the certificates for {url} cannot be read: {reason}", {"url": url, "reason": reason})
        ) from error
    return context
