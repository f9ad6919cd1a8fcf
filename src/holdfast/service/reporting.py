"""Makes reports from the catalog and the targets, and sends those that are due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from holdfast.app import App
from holdfast.catalog.catalog import Catalog
from holdfast.catalog.queries import RunFilter
from holdfast.errors import HoldfastError
from holdfast.model.backup import StoredBackup
from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run
from holdfast.operations.choice import stored_backups
from holdfast.reports import Material, Report, rendered
from holdfast.reports.agenda import Task, begun, due
from holdfast.reports.periods import Period
from holdfast.runtime.cancel import CancelToken
from holdfast.service.telling import free_bytes

LOGGER = logging.getLogger("holdfast")

_PAGE = 500
# A run may be asked for, or planned, long before it begins.
_MARGIN = timedelta(days=7)
_EVERY_S = 60.0
_LEASE_S = 600.0


def report_of(app: App, catalog: Catalog, task: Task) -> Report:
    """One report.

    Raises:
        CatalogUnavailable, CatalogDamaged: there is nothing to count.
    """
    now = app.context.now()
    period = task.period(now, app.zone)
    runs = _runs(catalog, app.name, period, task.operations)
    free = free_bytes(app)
    copies = _copies(app, catalog)
    return task.made(Material(app=app.name, runs=runs, copies=copies, now=now, free_bytes=free, zone=app.zone))


class Reporter:
    """Sends reports on what is over, each once, whatever machine or process gets to it first.

    Args:
        catalog: knows what was sent.
        open_app: opens the application for one report.
        tell: takes notices.
    """

    def __init__(
        self, catalog: Catalog, open_app: Callable[[CancelToken], App], tell: Callable[[Notice], None]
    ) -> None:
        self._catalog = catalog
        self._open_app = open_app
        self._tell = tell
        self._holder = uuid4().hex

    def serve(self, stop: CancelToken) -> None:
        """Looks once a minute until it is stopped."""
        while not stop.cancelled:
            try:
                self.step()
            except HoldfastError as error:
                LOGGER.error("a report could not be made: %s", error)
            stop.wait(_EVERY_S)

    def step(self) -> int:
        """Sends what is due. Returns how many reports that were.

        What was sent is noted before the next one is made: a report that cannot be made keeps no other back, and a
        process that dies in between loses one report rather than sending one every minute.
        """
        with self._open_app(CancelToken()) as app:
            if Occasion.REPORT.value not in app.config.notify.on:
                return 0
            now = app.context.now()
            lease = self._catalog.leases.acquire(f"reports:{app.name}", self._holder, _LEASE_S, now)
            if lease is None:
                return 0
            try:
                return self._sent(app, now)
            finally:
                self._catalog.leases.release(lease)

    def _sent(self, app: App, now: datetime) -> int:
        key = f"reports:{app.name}"
        stored = self._catalog.settings.get(key)
        sent = cast("dict[str, str]", stored) if isinstance(stored, dict) else {}
        tasks = due(sent, now, app.zone)
        noted = begun(sent, now, app.zone)
        if not tasks:
            if noted != sent:
                self._catalog.settings.put(key, noted)
            return 0
        for task in tasks:
            noted = {**noted, task.kind.value: task.key}
            self._catalog.settings.put(key, noted)
            text = rendered(report_of(app, self._catalog, task), "text", app.language)
            self._tell(Notice(occasion=Occasion.REPORT, app=app.name, at=now, subject=task.kind.value, message=text))
        return len(tasks)


def _runs(catalog: Catalog, app: str, period: Period, operations: tuple[str, ...]) -> list[Run]:
    found: list[Run] = []
    before = ""
    while True:
        wanted = RunFilter(
            app=app,
            operations=operations,
            since=period.since - _MARGIN,
            until=period.until,
            limit=_PAGE,
            before=before,
        )
        page = catalog.runs.find(wanted)
        found += page
        if len(page) < _PAGE:
            return found
        before = page[-1].run_id


def _copies(app: App, catalog: Catalog) -> list[StoredBackup]:
    """From the mirror where every target was listed into it, else from the targets themselves."""
    targets = app.context.targets
    if any(catalog.copies.refreshed_at(app.name, name) is None for name in targets):
        found, _unreachable = stored_backups(targets.values())
        return [backup for backups in found.values() for backup in backups]
    copies: list[StoredBackup] = []
    offset = 0
    while page := catalog.copies.page(app.name, limit=_PAGE, offset=offset):
        copies += page
        offset += _PAGE
    return copies
