"""What all routes share: the service behind them, who may do what, and what is written down about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request

from holdfast.catalog.catalog import Catalog
from holdfast.errors import HoldfastError, ScopeMissing
from holdfast.model.access import Scope, Token
from holdfast.model.notice import Notice
from holdfast.server.gate import TOKEN_KEY, address_of, check_site, secret_in
from holdfast.server.listing import Lists
from holdfast.server.sentry import Sentry
from holdfast.service.service import Service

ACTOR_ANONYMOUS = "anonymous"


class Site:
    """One application as the REST interface sees it.

    Args:
        service: runs things.
        sentry: knows tokens.
        tell: hears of what people should hear of besides runs: downloads.
    """

    def __init__(self, service: Service, sentry: Sentry, tell: Callable[[Notice], object] = lambda _notice: None):
        self.service = service
        self.sentry = sentry
        self.tell = tell
        self.lists = Lists(service)

    @property
    def catalog(self) -> Catalog:
        """Where everything is written down."""
        return self.service.catalog

    def token(self, request: HTTPConnection) -> Token:
        """Whose request it is. The gate has found out already; a router in somebody else's application has none.

        Raises:
            NotAuthenticated: nobody's.
            HostRefused: a page of another site asks in somebody's name.
        """
        found = request.scope.get(TOKEN_KEY)
        if not isinstance(found, Token):
            check_site(request)
            found = self.sentry.token_of(secret_in(request.headers), address_of(request.scope))
            request.scope[TOKEN_KEY] = found
        return found

    def needs(self, scope: Scope) -> Callable[[Request], Awaitable[Token]]:
        """A dependency of a route: lets only tokens through that are good for something."""

        async def allowed(request: Request) -> Token:
            # Most requests bring the token that the gate found, and need no thread for this.
            found = request.scope.get(TOKEN_KEY)
            token = found if isinstance(found, Token) else await run_in_threadpool(self.token, request)
            if not token.allows(scope):
                await run_in_threadpool(self.write, request, f"refused.{scope.value}", outcome="refused")
                raise ScopeMissing(scope=scope.value)
            return token

        # A test reads it from the routes: one that needs nothing is a hole.
        vars(allowed)["scope"] = scope
        return allowed

    def write(
        self,
        request: HTTPConnection,
        action: str,
        *,
        subject: str = "",
        outcome: str = "done",
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """Writes into the audit log what somebody did, from where."""
        found = request.scope.get(TOKEN_KEY)
        actor = f"token:{found.token_id}" if isinstance(found, Token) else ACTOR_ANONYMOUS
        known = {"route": f"{request.scope.get('method', '')} {request.scope['path']}"[:200], **(detail or {})}
        self.catalog.audit.append(
            self.service.now(),
            actor,
            action,
            subject=subject,
            outcome=outcome,
            address=address_of(request.scope),
            detail=known,
        )


def outcome_of(error: HoldfastError | None) -> str:
    """How the audit log tells of an end."""
    return "done" if error is None else f"failed:{error.code}"
