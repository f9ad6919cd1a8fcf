"""What an operator looks at: how fresh the backups are, who did what, and which messages have not arrived."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse

from holdfast.model.access import Scope
from holdfast.model.notice import DeliveryState
from holdfast.operations.reports import plain
from holdfast.operations.requests import StatusRequest
from holdfast.operations.status import backup_status
from holdfast.runtime.translation import N_
from holdfast.server.admin_models import Envelope
from holdfast.server.replies import success
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site
from holdfast.server.statuses import documented

STATUS_READ = N_("How fresh the backups are was looked up.")
AUDIT_READ = N_("The audit log was read.")
AUDIT_VERIFIED = N_("The audit log was checked.")
DELIVERIES_LISTED = N_("The messages were listed.")


class SourceEntry(BaseModel):
    """How fresh the backups of one source are."""

    source: str
    backup_id: str
    newest_at: str | None
    age_s: float | None
    max_age_s: float | None
    verified: bool
    late: bool


class StatusEntry(BaseModel):
    """`fresh` if no source is late and every target could be asked."""

    fresh: bool
    sources: list[SourceEntry]
    unreachable: list[str]


class AuditLine(BaseModel):
    """Somebody did something."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    outcome: str
    address: str
    detail: dict[str, str]


class AuditPage(BaseModel):
    """Entries, the newest first; `next` is the number to ask `before`, null at the end."""

    entries: list[AuditLine]
    next: int | None


class AuditState(BaseModel):
    """Whether the log is what was written."""

    whole: bool
    entries: int
    head: str
    first_bad: int
    reason: str


class DeliveryEntry(BaseModel):
    """One message on its way to one channel, or arrived there."""

    delivery_id: str
    channel: str
    occasion: str
    created_at: str
    title: str
    state: str
    attempts: int
    next_at: str | None
    delivered_at: str | None
    error: str


class DeliveryList(BaseModel):
    """Messages, the newest first."""

    deliveries: list[DeliveryEntry]


def oversight_router(site: Site) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1", tags=["oversight"], route_class=EnvelopeRoute)
    _add_status(router, site)
    _add_audit(router, site)
    return router


def _add_status(router: APIRouter, site: Site) -> None:
    allowed = [Depends(site.needs(Scope.READ))]

    @router.get(
        "/status", dependencies=allowed, response_model=Envelope[StatusEntry], responses=documented(401, 403, 503)
    )
    def status(request: Request) -> JSONResponse:
        """How fresh the backups of each source are, asked of the targets themselves."""
        with site.service.open() as app:
            report = backup_status(app.context, StatusRequest())
        sources: Any = plain(report.sources)
        unreachable = [copy.target for copy in report.unreachable]
        data = {"fresh": report.failure is None, "sources": sources, "unreachable": unreachable}
        return success(request, STATUS_READ, data)

    @router.get(
        "/deliveries",
        dependencies=allowed,
        response_model=Envelope[DeliveryList],
        responses=documented(401, 403, 422, 503),
    )
    def deliveries(
        request: Request, state: DeliveryState | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> JSONResponse:
        """Messages to people: which have arrived, and which have not."""
        found = site.catalog.deliveries.find(() if state is None else (state,), limit)
        entries = [_kept(msgspec.to_builtins(delivery), DeliveryEntry) for delivery in found]
        return success(request, DELIVERIES_LISTED, {"deliveries": entries})


def _add_audit(router: APIRouter, site: Site) -> None:
    allowed = [Depends(site.needs(Scope.ADMIN))]

    @router.get(
        "/audit", dependencies=allowed, response_model=Envelope[AuditPage], responses=documented(401, 403, 422, 503)
    )
    def audit(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    ) -> JSONResponse:
        """Who did what, page by page."""
        found = site.catalog.audit.entries(limit, before)
        entries = [_kept(msgspec.to_builtins(entry), AuditLine) for entry in found]
        following = found[-1].number if len(found) == limit and found[-1].number > 1 else None
        return success(request, AUDIT_READ, {"entries": entries, "next": following})

    @router.get(
        "/audit/verify", dependencies=allowed, response_model=Envelope[AuditState], responses=documented(401, 403, 503)
    )
    def verify_audit(request: Request) -> JSONResponse:
        """Whether the audit log is what was written; `whole` is false where an entry was changed, moved or removed."""
        verdict = site.catalog.audit.verify()
        return success(request, AUDIT_VERIFIED, {"whole": verdict.whole, **msgspec.to_builtins(verdict)})


def _kept(document: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    return {name: document[name] for name in model.model_fields if name in document}
