"""Whether the server lives, and whether it can work: without a token, and saying nothing else."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from holdfast.errors import HoldfastError
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok", "unavailable"]


def health_router(site: Site) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["health"], route_class=EnvelopeRoute)

    @router.get("/healthz", response_model=Health)
    async def healthz() -> JSONResponse:
        """Whether the process answers."""
        # Without a thread: it is answered while all of them are at work.
        return JSONResponse({"status": "ok"})

    @router.get(
        "/readyz", response_model=Health, responses={503: {"model": Health, "description": "It cannot work now."}}
    )
    def readyz() -> JSONResponse:
        """Whether it can work: its catalog answers."""
        try:
            site.catalog.settings.get("ready")
        except HoldfastError:
            return JSONResponse({"status": "unavailable"}, 503)
        return JSONResponse({"status": "ok"})

    return router
