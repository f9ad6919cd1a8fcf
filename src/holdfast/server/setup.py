"""The first token: asked for with a secret that the server prints once, at its first start."""

from __future__ import annotations

import hmac
import secrets
import threading

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from holdfast.errors import SetupRefused
from holdfast.model.access import Scope
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.translation import N_
from holdfast.server.admin_models import Body, Envelope
from holdfast.server.gate import secret_in
from holdfast.server.replies import success
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site
from holdfast.server.statuses import documented

SET_UP = N_("The first token was made; it is shown this once.")
_GOOD_FOR_S = 3600.0


class SetupSecret:
    """A secret that is good once, for an hour, in this process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._until = self._clock.monotonic() + _GOOD_FOR_S
        self._lock = threading.Lock()
        self._secret: str | None = secrets.token_urlsafe(32)

    @property
    def shown(self) -> str:
        """The secret, for whoever looks at the server's terminal; empty when it was used."""
        return self._secret or ""

    def use(self, given: str) -> None:
        """Uses it up.

        Raises:
            SetupRefused: this is not it, or it is no longer good.
        """
        with self._lock:
            known = self._secret or secrets.token_urlsafe(32)
            same = hmac.compare_digest(known.encode(), given.encode("utf-8", "surrogateescape"))
            if not same or self._secret is None or self._clock.monotonic() > self._until:
                raise SetupRefused
            self._secret = None


class SetupBody(Body):
    """What people call the first token."""

    name: str = Field(default="admin", min_length=1, max_length=100)


class FirstToken(BaseModel):
    """The token, which is kept nowhere else."""

    token: str
    token_id: str


def setup_router(site: Site, secret: SetupSecret | None) -> APIRouter:
    """The route; without a secret it refuses everybody."""
    router = APIRouter(tags=["setup"], route_class=EnvelopeRoute)

    @router.post("/api/v1/setup", response_model=Envelope[FirstToken], responses=documented(401, 403, 422, 503))
    def setup(request: Request, body: SetupBody | None = None) -> JSONResponse:
        """Makes the first token, with all rights; takes the set-up token as `Authorization: Bearer`."""
        given = secret_in(request.headers)
        now = site.service.now()
        if secret is None or site.catalog.tokens.count_valid(now):
            raise SetupRefused
        secret.use(given)
        name = (body or SetupBody()).name
        token, plain = site.catalog.tokens.create(name, (Scope.ADMIN,), expires_at=None, at=now)
        site.write(request, "token.create", subject=token.token_id, detail={"name": name, "by": "setup"})
        return success(request, SET_UP, {"token": plain, "token_id": token.token_id})

    return router
