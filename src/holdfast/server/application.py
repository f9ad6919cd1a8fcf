"""The server put together: routes, the door before them, and what every answer goes through."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from holdfast import __version__
from holdfast.errors import HoldfastError, RouteNotFound
from holdfast.server.admin_backup import admin_router
from holdfast.server.backups import backups_router
from holdfast.server.gate import OPEN, Gate
from holdfast.server.hardening import Hardening
from holdfast.server.health import health_router
from holdfast.server.listing import Lists
from holdfast.server.metrics import metrics_router
from holdfast.server.oversight import oversight_router
from holdfast.server.replies import failure, language_of
from holdfast.server.reports import reports_router
from holdfast.server.runs import runs_router
from holdfast.server.settings import ServerSettings
from holdfast.server.setup import SetupSecret, setup_router
from holdfast.server.site import Site

DESCRIPTION = (
    "Backs up an application and brings it back. Every request carries a token as `Authorization: Bearer …`; "
    "every answer has the same shape."
)


def create_server(site: Site, settings: ServerSettings, setup: SetupSecret | None = None) -> FastAPI:
    """The whole interface as an ASGI application.

    Args:
        site: the application behind it.
        settings: how it answers.
        setup: the secret that the first token is asked for with; None if there is a token already.
    """
    app = FastAPI(
        title="Holdfast",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
    )
    made = routers(site, site.lists, setup)
    for router in made:
        _check_routes(router)
        app.include_router(router)
    app.add_exception_handler(HTTPException, partial(_not_there, made))
    app.add_exception_handler(HoldfastError, _refused)
    # The last one added is the first to see a request.
    app.add_middleware(Gate, sentry=site.sentry)
    app.add_middleware(Hardening, settings=settings)
    return app


def routers(site: Site, lists: Lists, setup: SetupSecret | None) -> list[APIRouter]:
    """All routes, by noun."""
    return [
        admin_router(site, lists),
        backups_router(lambda: site),
        runs_router(site),
        oversight_router(site),
        reports_router(site),
        health_router(site),
        metrics_router(site),
        setup_router(site, setup),
    ]


async def _not_there(known: list[APIRouter], request: Request, problem: Exception) -> Response:
    """Addresses and methods that there are none of."""
    answer = failure(RouteNotFound(), language_of(request))
    if isinstance(problem, HTTPException) and problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        routes = [route for router in known for route in router.routes if isinstance(route, APIRoute)]
        fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
        answer.status_code = problem.status_code
        answer.headers["Allow"] = ", ".join(sorted({method for route in fitting for method in route.methods or ()}))
    return answer


async def _refused(request: Request, error: Exception) -> JSONResponse:
    return failure(error if isinstance(error, HoldfastError) else RouteNotFound(), language_of(request))


def _check_routes(router: APIRouter) -> None:
    """SAFETY: a route that says nothing about who may use it does not come into being."""
    for route in router.routes:
        known = isinstance(route, APIRoute) and (route.path in OPEN or _scopes(route))
        if not known:
            raise RuntimeError(f"{route} says nothing about who may use it")


def _scopes(route: APIRoute) -> list[object]:
    return [scope for one in route.dependencies if (scope := getattr(one.dependency, "scope", None)) is not None]
