"""The reference of the REST interface names every route with the scope it takes, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import APIRoute

from holdfast.model.access import Scope
from holdfast.server.application import routers
from holdfast.server.listing import Lists
from holdfast.server.site import Site

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rest.md"
ROW = re.compile(r"^\| (GET|POST|DELETE) \| (.+?) \| (-|read|backup|restore|admin) \|", re.MULTILINE)


def test_every_route_is_in_the_reference_with_its_scope() -> None:
    # Routes are looked at and never asked, so nothing has to stand behind them.
    site = Site.__new__(Site)
    there = {
        (next(iter(route.methods)), route.path, _scope(route))
        for router in routers(site, Lists.__new__(Lists), None)
        for route in _routes(router)
    }
    written = {
        (method, place, "" if scope == "-" else scope)
        for method, places, scope in ROW.findall(PAGE.read_text())
        for place in re.findall(r"`([^`]+)`", places)
    }

    assert written - {("GET", "/openapi.json", "read")} == there


def _routes(router: APIRouter) -> list[APIRoute]:
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _scope(route: APIRoute) -> str:
    scopes = [getattr(one.dependency, "scope", None) for one in route.dependencies]
    return next((scope.value for scope in scopes if isinstance(scope, Scope)), "")
