"""The ten routes of an admin panel, below `/api/v1/admin/backup`."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.errors import RequestInvalid
from holdfast.model.access import Scope
from holdfast.model.backup import BackupType
from holdfast.operations.reports import CreateReport, DeleteReport, RestoreReport, RetentionReport
from holdfast.operations.requests import CreateRequest, DeleteRequest, RestoreRequest, RetentionRequest
from holdfast.policy.backup_retention import KeepRules
from holdfast.runtime.translation import N_
from holdfast.server import admin_models as models
from holdfast.server.downloads import download
from holdfast.server.listing import Lists
from holdfast.server.replies import language_of, success
from holdfast.server.route import EnvelopeRoute
from holdfast.server.running import act
from holdfast.server.sending import UNCHANGED, Ready
from holdfast.server.shapes import created_entry, restored_entry
from holdfast.server.site import Site
from holdfast.server.statuses import documented
from holdfast.service.schedule_settings import PanelSchedule

FULL_DONE = N_("The full backup was made.")
INCREMENTAL_DONE = N_("The incremental backup was made.")
LISTED = N_("The backups were listed.")
RESTORED = N_("The restore was carried out.")
DELETED = N_("The backup was deleted.")
CLEANED = N_("Old backups were cleaned up.")
SCHEDULE_SET = N_("The schedule was set.")
SCHEDULE_READ = N_("The schedule was read.")
STATS_READ = N_("The statistics of the backups were read.")


def admin_router(site: Site, lists: Lists) -> APIRouter:
    """The routes, for one application."""
    router = APIRouter(prefix="/api/v1/admin/backup", tags=["admin panel"], route_class=EnvelopeRoute)
    _add_making(router, site)
    _add_looking(router, site, lists)
    _add_restoring(router, site, lists)
    _add_removing(router, site)
    _add_schedule(router, site)
    return router


def _add_making(router: APIRouter, site: Site) -> None:
    allowed = [Depends(site.needs(Scope.BACKUP))]
    answers = documented(401, 403, 409, 422, 503, 507, accepted=True)
    made = models.Envelope[models.CreatedBackup]

    @router.post("/create-full", dependencies=allowed, response_model=made, responses=answers)
    def create_full(request: Request) -> Response:
        """Backs up everything."""
        wanted = CreateRequest(type=BackupType.FULL)
        return act(site, request, "create", wanted, "backup.create", partial(_created, site, request, FULL_DONE))

    @router.post("/create-incremental", dependencies=allowed, response_model=made, responses=answers)
    def create_incremental(request: Request, body: models.IncrementalBody | None = None) -> Response:
        """Backs up what changed since a moment; everything where there is nothing to build on, and says so."""
        since = body.since if body is not None else None
        if since is not None and since > site.service.now():
            raise RequestInvalid(field="since", reason="it lies in the future")
        site.service.schedule.expect_incremental()
        wanted = CreateRequest(type=BackupType.INCREMENTAL, since=since, fallback=True)
        return act(site, request, "create", wanted, "backup.create", partial(_created, site, request, INCREMENTAL_DONE))


def _created(site: Site, request: Request, message: str, report: CreateReport) -> Response:
    return success(request, message, created_entry(report, site.service.config))


def _add_looking(router: APIRouter, site: Site, lists: Lists) -> None:
    allowed = [Depends(site.needs(Scope.READ))]

    @router.get(
        "/list",
        dependencies=allowed,
        response_model=models.Envelope[models.BackupList],
        responses={304: UNCHANGED, **documented(401, 403, 503)},
    )
    async def list_backups(request: Request) -> Response:
        """All backups, the newest first."""
        language = language_of(request)
        document = lists.ready_panel(language)
        if document is None:
            document = await run_in_threadpool(lists.panel, LISTED, language)
        return Ready(document, request, language)

    @router.get(
        "/stats",
        dependencies=allowed,
        response_model=models.Envelope[models.StatsEntry],
        responses=documented(401, 403, 503),
    )
    def stats(request: Request) -> JSONResponse:
        """All backups in numbers."""
        totals = lists.totals()
        data = {
            "total_backups": totals.backups,
            "total_size": totals.size_bytes,
            "oldest_backup": totals.oldest,
            "newest_backup": totals.newest,
            "average_size": totals.size_bytes // totals.backups if totals.backups else 0,
        }
        return success(request, STATS_READ, data)


def _add_restoring(router: APIRouter, site: Site, lists: Lists) -> None:
    @router.post(
        "/restore",
        dependencies=[Depends(site.needs(Scope.RESTORE))],
        response_model=models.Envelope[models.RestoredEntry],
        responses=documented(401, 403, 404, 409, 422, 503, 507, accepted=True),
    )
    def restore(request: Request, body: models.RestoreBody) -> Response:
        """Brings a backup back, all of it or a part: stops services, loads, checks, starts services."""
        wanted = RestoreRequest(what=body.backup_id, only=tuple(body.components), tables=tuple(body.tables))

        def answer(report: RestoreReport) -> Response:
            return success(request, RESTORED, restored_entry(report))

        return act(site, request, "restore", wanted, "backup.restore", answer, body.backup_id)

    @router.get(
        "/download/{backup_id}",
        dependencies=[Depends(site.needs(Scope.RESTORE))],
        response_class=Response,
        responses={
            200: {"content": {"application/zip": {}}, "description": "The whole backup in one file."},
            206: {"content": {"application/zip": {}}, "description": "The part that `Range` asks for."},
            304: {"description": "It is the file of this `ETag` still, as `If-None-Match` asks."},
            **documented(401, 403, 404, 416, 422, 503, 507),
        },
    )
    def download_backup(request: Request, backup_id: models.BackupId) -> Response:
        """Sends a backup as one file, with its SHA-256 in the headers."""
        return download(site, lists, request, backup_id)


def _add_removing(router: APIRouter, site: Site) -> None:
    allowed = [Depends(site.needs(Scope.ADMIN))]

    @router.delete(
        "/{backup_id}",
        dependencies=allowed,
        response_model=models.Envelope[models.DeletedEntry],
        responses=documented(401, 403, 404, 409, 422, 503),
    )
    def delete(request: Request, backup_id: models.BackupId) -> Response:
        """Deletes a backup from all targets; refused for one that is held, needed, or the last good one."""

        def answer(report: DeleteReport) -> Response:
            targets = [target for target, ids in report.removed.items() if ids]
            data = {"backup_id": backup_id, "targets": targets, "freed_size": report.freed_bytes}
            return success(request, DELETED, data)

        wanted = DeleteRequest(what=(backup_id,))
        return act(site, request, "delete", wanted, "backup.delete", answer, backup_id)

    @router.post(
        "/cleanup",
        dependencies=allowed,
        response_model=models.Envelope[models.CleanupEntry],
        responses=documented(401, 403, 409, 422, 503),
    )
    def cleanup(request: Request, body: models.CleanupBody) -> Response:
        """Deletes backups that are older than so many days, never the newest good one."""

        def answer(report: RetentionReport) -> Response:
            deleted = sorted({backup_id for result in report.results for backup_id in result.removed})
            freed = sum(result.freed_bytes for result in report.results)
            data = {"deleted": deleted, "deleted_count": len(deleted), "freed_size": freed}
            return success(request, CLEANED, {**data, "days_to_keep": body.days_to_keep})

        wanted = RetentionRequest(rules=KeepRules(days=body.days_to_keep))
        return act(site, request, "cleanup", wanted, "backup.cleanup", answer)


def _add_schedule(router: APIRouter, site: Site) -> None:
    entry = models.Envelope[models.ScheduleEntry]

    @router.post(
        "/schedule",
        dependencies=[Depends(site.needs(Scope.ADMIN))],
        response_model=entry,
        responses=documented(401, 403, 422, 503),
    )
    def set_schedule(request: Request, body: models.ScheduleBody) -> JSONResponse:
        """Sets when backups are made by themselves, and how long they are kept."""
        data = site.service.schedule.put(PanelSchedule(**body.model_dump()))
        site.write(request, "schedule.set", detail={"enabled": str(body.enabled)})
        return success(request, SCHEDULE_SET, data)

    @router.get(
        "/schedule",
        dependencies=[Depends(site.needs(Scope.READ))],
        response_model=entry,
        responses=documented(401, 403, 503),
    )
    def read_schedule(request: Request) -> JSONResponse:
        """When backups are made by themselves."""
        return success(request, SCHEDULE_READ, site.service.schedule.get())
