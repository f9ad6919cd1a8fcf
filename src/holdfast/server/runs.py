"""Runs: what went on, what goes on, following one, stopping one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import msgspec
from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from holdfast.catalog.queries import RunFilter
from holdfast.errors import RunNotFound, TooManyRequests, english
from holdfast.model.access import Scope
from holdfast.model.event import Progress
from holdfast.model.run import Run, RunState
from holdfast.runtime.translation import N_
from holdfast.server.admin_models import Envelope
from holdfast.server.replies import success
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site
from holdfast.server.statuses import documented

RUNS_LISTED = N_("The runs were listed.")
RUN_READ = N_("The run was read.")
CANCEL_ASKED = N_("The run was asked to stop.")
_FOLLOWERS = 32
_LOOK_S = 0.2
_TICKS_TO_SPEAK = 25
_LONGEST_S = 3600
RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="A run's id.")]


class RunEntry(BaseModel):
    """One run; moments are ISO 8601, null while they have not come."""

    run_id: str
    operation: str
    type: str
    policy: str
    trigger: str
    state: str
    actor: str
    attempt: int
    due_at: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    duration_seconds: float | None
    backup_id: str
    content_bytes: int
    stored_bytes: int
    seconds: dict[str, float]
    error: dict[str, Any] | None


class RunList(BaseModel):
    """Runs, those created last first; `next` is the id to ask `before`, null at the end."""

    runs: list[RunEntry]
    next: str | None


def runs_router(site: Site) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1/runs", tags=["runs"], route_class=EnvelopeRoute)
    _add_looking(router, site)
    _add_following(router, site)
    return router


def run_entry(run: Run) -> dict[str, Any]:
    """A run as a document."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    kept = {name: found[name] for name in RunEntry.model_fields if name in found}
    return {**kept, "duration_seconds": run.duration_s}


def _add_looking(router: APIRouter, site: Site) -> None:
    allowed = [Depends(site.needs(Scope.READ))]

    @router.get(
        "", dependencies=allowed, response_model=Envelope[RunList], responses=documented(401, 403, 404, 422, 503)
    )
    def list_runs(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
        policy: Annotated[str | None, Query(max_length=100)] = None,
        state: RunState | None = None,
    ) -> JSONResponse:
        """Runs, page by page."""
        if before is not None:
            _found(site, before)
        states = () if state is None else (state,)
        wanted = RunFilter(app=site.service.app_name, policy=policy, states=states, limit=limit, before=before or "")
        found = site.catalog.runs.find(wanted)
        following = found[-1].run_id if len(found) == limit else None
        return success(request, RUNS_LISTED, {"runs": [run_entry(run) for run in found], "next": following})

    @router.get(
        "/{run_id}",
        dependencies=allowed,
        response_model=Envelope[RunEntry],
        responses=documented(401, 403, 404, 422, 503),
    )
    def read_run(request: Request, run_id: RunId) -> JSONResponse:
        """One run."""
        return success(request, RUN_READ, run_entry(_found(site, run_id)))

    @router.post(
        "/{run_id}/cancel",
        dependencies=[Depends(site.needs(Scope.BACKUP))],
        response_model=Envelope[RunEntry],
        responses=documented(401, 403, 404, 422, 503),
    )
    def cancel_run(request: Request, run_id: RunId) -> JSONResponse:
        """Asks a run of this server to stop; one that has ended stays as it is."""
        found = _found(site, run_id)
        asked = site.service.cancel(run_id)
        site.write(request, "run.cancel", subject=run_id, outcome="done" if asked else "refused")
        return success(request, CANCEL_ASKED if asked else RUN_READ, run_entry(found))


def _add_following(router: APIRouter, site: Site) -> None:
    following: set[object] = set()

    @router.get(
        "/{run_id}/events",
        dependencies=[Depends(site.needs(Scope.READ))],
        response_class=StreamingResponse,
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "Events until the run ends."},
            **documented(401, 403, 404, 422, 503),
        },
    )
    def follow_run(request: Request, run_id: RunId) -> StreamingResponse:
        """Follows a run: `progress`, `warning`, and `end` with the run as it ended (server-sent events)."""
        _found(site, run_id)
        if len(following) >= _FOLLOWERS:
            raise TooManyRequests(seconds=10)
        given = request.headers.get("last-event-id", "0")
        seen = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
        return StreamingResponse(_events(site, run_id, seen, following), media_type="text/event-stream")


def _found(site: Site, run_id: str) -> Run:
    run = site.catalog.runs.get(run_id)
    if run is None or run.app != site.service.app_name:
        raise RunNotFound(run=run_id)
    return run


async def _events(site: Site, run_id: str, seen: int, following: set[object]) -> AsyncIterator[str]:
    """What is new, as often as a person can read it; waits without keeping a thread from others."""
    me = object()
    following.add(me)
    try:
        live = site.service.live.get(run_id)
        for tick in range(int(_LONGEST_S / _LOOK_S)):
            if live is None:
                break
            ended = live.ended
            for number, event in live.after(seen):
                seen = number
                kind = "progress" if isinstance(event, Progress) else "warning"
                yield _message(kind, msgspec.to_builtins(event, enc_hook=english), number)
            if ended:
                break
            if tick % _TICKS_TO_SPEAK == 0:
                yield ": still at work\n\n"
            await anyio.sleep(_LOOK_S)
        run = await run_in_threadpool(_found, site, run_id)
        yield _message("end", run_entry(run), seen + 1)
    finally:
        following.discard(me)


def _message(kind: str, data: object, number: int) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
