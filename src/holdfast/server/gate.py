"""Nobody gets in without a token: the door before all routes, whatever the routes forget."""

from __future__ import annotations

import ipaddress

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from holdfast.errors import HoldfastError, HostRefused, NotAuthenticated
from holdfast.server.replies import LANGUAGE_KEY, chosen_language, failure
from holdfast.server.sentry import Sentry

TOKEN_KEY = "holdfast.token"  # noqa: S105 - the name of a place, not a secret
COOKIE = "authToken"
# Without a token: whether it lives, whether it is ready, and the first token, which has a secret of its own.
OPEN = frozenset({"/healthz", "/readyz", "/api/v1/setup"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ON_THIS_MACHINE = frozenset({"/metrics"})


class Gate:
    """Lets a request through with the token it carries, and refuses all others before any route sees them."""

    def __init__(self, app: ASGIApp, sentry: Sentry) -> None:
        self._app = app
        self._sentry = sentry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nothing here speaks anything but HTTP; the start and end of the server are its own.
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        if not is_open(scope):
            headers = Headers(scope=scope)
            try:
                scope[TOKEN_KEY] = await run_in_threadpool(self._sentry.token_of, secret_in(headers), address_of(scope))
            except HoldfastError as error:
                language = chosen_language(headers.get("accept-language", ""), scope.get(LANGUAGE_KEY, "en"))
                await failure(error, language)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_open(scope: Scope) -> bool:
    """Whether a request needs no token."""
    path = scope["path"]
    return path in OPEN or (path in _ON_THIS_MACHINE and is_local(scope))


def is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it."""
    if any(name in (b"x-forwarded-for", b"forwarded", b"x-real-ip") for name, _value in scope["headers"]):
        return False
    try:
        return ipaddress.ip_address(address_of(scope)).is_loopback
    except ValueError:
        return False


def address_of(scope: Scope) -> str:
    """Where a request comes from; empty if nobody knows."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def check_site(request: HTTPConnection) -> None:
    """Refuses what a page of another site makes a browser ask with the cookie of somebody who is signed in here.

    SAFETY: a browser sends the cookie whoever's page asks, but never tells a lie about whose page that is. Programs
    say nothing of it, and a token in the authorization is nothing that a browser sends by itself.

    Raises:
        HostRefused: it comes from elsewhere.
    """
    headers = request.headers
    if request.scope.get("method") in _SAFE_METHODS or _bearer(headers):
        return
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    if site and site not in ("same-origin", "none"):
        raise HostRefused(host="another site")
    if not site and origin and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        raise HostRefused(host=origin[:100])


def secret_in(headers: Headers) -> str:
    """The token that a request carries: in its authorization, else in its cookie.

    Raises:
        NotAuthenticated: there is none.
    """
    found = _bearer(headers) or cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
    if not found:
        raise NotAuthenticated
    return found


def _bearer(headers: Headers) -> str:
    kind, _space, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""
