"""Figures for Prometheus: read from the catalog when they are asked for, so that they are never out of date."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from holdfast.catalog.queries import RunFilter
from holdfast.model.access import Scope
from holdfast.model.notice import DeliveryState
from holdfast.model.run import RunState
from holdfast.server.gate import is_local
from holdfast.server.route import EnvelopeRoute
from holdfast.server.site import Site
from holdfast.server.statuses import documented

_RUNS = 1000


class _Catalog(Collector):
    """Reads the catalog."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        """All figures."""
        app = self._site.service.app_name
        totals = self._site.catalog.copies.totals(app)
        backups = GaugeMetricFamily("holdfast_backups", "Backups there are.", labels=["app", "type"])
        for kind, count in totals.by_type.items():
            backups.add_metric([app, kind.value], count)
        yield backups
        yield _gauge("holdfast_stored_bytes", "Bytes that all copies take.", app, totals.stored_bytes)
        yield _gauge(
            "holdfast_damaged_backups", "Backups with a copy that is known to be damaged.", app, totals.damaged
        )
        newest = totals.newest_at
        yield _gauge(
            "holdfast_newest_backup_timestamp_seconds",
            "When the newest backup was made; 0 for none.",
            app,
            newest.timestamp() if newest else 0,
        )
        yield from self._runs(app)
        waiting = self._site.catalog.deliveries.find((DeliveryState.WAITING,), limit=_RUNS)
        yield _gauge("holdfast_waiting_deliveries", "Messages that have not reached anybody yet.", app, len(waiting))

    def _runs(self, app: str) -> Iterator[Metric]:
        runs = self._site.catalog.runs.find(RunFilter(app=app, limit=_RUNS))
        counts = CounterMetricFamily(
            "holdfast_runs", "Runs among the newest 1000 by operation and state.", labels=["app", "operation", "state"]
        )
        keys = sorted({(run.operation, run.state.value) for run in runs})
        for operation, state in keys:
            number = sum(run.operation == operation and run.state.value == state for run in runs)
            counts.add_metric([app, operation, state], number)
        yield counts
        last = next((run for run in runs if run.operation == "create" and run.state is RunState.SUCCEEDED), None)
        if last is not None and last.finished_at is not None:
            yield _gauge(
                "holdfast_last_success_timestamp_seconds",
                "When the last backup that succeeded ended.",
                app,
                last.finished_at.timestamp(),
            )
            yield _gauge("holdfast_last_duration_seconds", "How long it took.", app, last.duration_s or 0)


def metrics_router(site: Site) -> APIRouter:
    """The route: open to this machine, else for tokens that may read."""
    router = APIRouter(tags=["health"], route_class=EnvelopeRoute)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Catalog(site))

    needed = site.needs(Scope.READ)

    async def allowed(request: Request) -> None:
        if not is_local(request.scope):
            await needed(request)

    vars(allowed)["scope"] = Scope.READ

    @router.get(
        "/metrics",
        dependencies=[Depends(allowed)],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **documented(401, 403, 503)},
    )
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _gauge(name: str, help_text: str, app: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=["app"])
    family.add_metric([app], value)
    return family
