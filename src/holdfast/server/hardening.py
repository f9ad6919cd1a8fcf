"""What every request and every answer goes through before anything else: limits, the host's name, headers."""

from __future__ import annotations

import contextlib
import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.errors import HoldfastError, HostRefused, Phrase, RequestTooLarge
from holdfast.server.replies import LANGUAGE_KEY, chosen_language, failure
from holdfast.server.settings import LOOPBACK_NAMES, ServerSettings

_TARGET_BYTES = 4096
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "sandbox; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_INSIST = "max-age=31536000"


class Hardening:
    """Refuses what no honest client sends, and gives every answer the headers that keep browsers careful."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        names = {name.lower() for name in settings.allowed_hosts}
        self._hosts = LOOPBACK_NAMES | {name for name in names if not name.startswith("*.")}
        self._below = tuple(name[1:] for name in names if name.startswith("*."))
        self._proxies = [ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[LANGUAGE_KEY] = self._settings.language

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._harden(MutableHeaders(scope=message))
            await send(message)

        headers = Headers(scope=scope)
        self._see_through_proxy(scope, headers)
        refused = self._refused(scope, headers)
        if refused is not None:
            answer = failure(refused, chosen_language(headers.get("accept-language", ""), self._settings.language))
            await answer(scope, receive, send_hardened)
            return
        await self._app(scope, _Measured(receive, self._settings.body_bytes), send_hardened)

    def _refused(self, scope: Scope, headers: Headers) -> HoldfastError | None:
        target = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        if target > _TARGET_BYTES:
            return RequestTooLarge(what="the address", limit=Phrase("{count} bytes", {"count": _TARGET_BYTES}))
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._settings.header_bytes:
            return RequestTooLarge(
                what="the headers", limit=Phrase("{count} bytes", {"count": self._settings.header_bytes})
            )
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20) or int(length) > self._settings.body_bytes:
            return RequestTooLarge(what="the body", limit=Phrase("{count} bytes", {"count": self._settings.body_bytes}))
        return self._foreign(headers)

    def _foreign(self, headers: Headers) -> HoldfastError | None:
        """SAFETY: a page elsewhere can make a browser ask us under a name of its own (DNS rebinding), or as itself."""
        host = headers.get("host", "")
        if not self._answers_for(_name_of(host)):
            return HostRefused(host=host[:100])
        origin = headers.get("origin", "")
        if origin and not self._answers_for(_name_of(origin.partition("://")[2])):
            return HostRefused(host=origin[:100])
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
            return HostRefused(host="another site")
        return None

    def _answers_for(self, name: str) -> bool:
        return name in self._hosts or bool(self._below and name.endswith(self._below))

    def _see_through_proxy(self, scope: Scope, headers: Headers) -> None:
        """Takes the last address that a proxy of ours has seen for that of the client; of others' word, nothing."""
        client = scope.get("client")
        forwarded = headers.get("x-forwarded-for", "")
        if client and forwarded and self._is_proxy(str(client[0])):
            last = forwarded.rpartition(",")[2].strip()
            with contextlib.suppress(ValueError):
                scope["client"] = (str(ipaddress.ip_address(last)), 0)

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)

    def _harden(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if self._settings.encrypted:
            headers["Strict-Transport-Security"] = _INSIST


class _Measured:
    """Hands on what a client sends, and ends it where it grows beyond its limit whatever it said before."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise RequestTooLarge(what="the body", limit=Phrase("{count} bytes", {"count": self._limit}))
        return message


def _name_of(host: str) -> str:
    """A host without its port, in small letters; the brackets of an IPv6 address stay."""
    lowered = host.lower().rstrip("/")
    if lowered.startswith("["):
        return lowered.partition("]")[0] + "]"
    return lowered.partition(":")[0]
