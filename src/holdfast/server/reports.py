"""Reports on demand: on a day, a month, the restores of a year, and the backup system itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from holdfast.model.access import Scope
from holdfast.reports import rendered
from holdfast.reports.agenda import Kind, Task
from holdfast.server.replies import language_of
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site
from holdfast.server.statuses import documented
from holdfast.service.reporting import report_of

MEDIA_TYPES = {"json": "application/json", "text": "text/plain; charset=utf-8", "html": "text/html; charset=utf-8"}
# The page brings its own style and charts, and needs nothing else; a browser is told so.
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; sandbox"


def reports_router(site: Site) -> APIRouter:
    """The route."""
    router = APIRouter(prefix="/api/v1/reports", tags=["reports"], route_class=EnvelopeRoute)

    @router.get(
        "/{kind}",
        dependencies=[Depends(site.needs(Scope.READ))],
        response_class=Response,
        responses={
            200: {
                "content": {media_type.partition(";")[0]: {} for media_type in MEDIA_TYPES.values()},
                "description": "The report, in the form that was asked for.",
            },
            **documented(401, 403, 422, 503),
        },
    )
    def report(
        request: Request,
        kind: Kind,
        form: Annotated[Literal["json", "text", "html"], Query(alias="format")] = "json",
        day: Annotated[date | None, Query(title="A day of the time in question; today by default")] = None,
        days: Annotated[int, Query(ge=1, le=3660, title="For `performance`: how far to look back")] = 30,
    ) -> Response:
        """A report; moments and days are those of the application's time zone."""
        with site.service.open() as app:
            today = app.context.now().astimezone(app.zone).date()
            # One that lies beyond what calendars reach, or in times without backups, is as empty as it is cheap.
            chosen = min(max(day or today, date(1970, 1, 2)), date(9998, 12, 30))
            ends = chosen + timedelta(days=1) if kind is Kind.PERFORMANCE else chosen
            made = report_of(app, site.catalog, Task(kind=kind, day=ends, days=days))
        headers = {"Content-Language": language_of(request)}
        if form == "html":
            headers["Content-Security-Policy"] = _PAGE_POLICY
        return Response(rendered(made, form, language_of(request)), media_type=MEDIA_TYPES[form], headers=headers)

    return router
