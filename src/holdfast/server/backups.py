"""The five routes of a FastAPI application's own panel, below `/backups`; the same keys as the library returns."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdfast.app.building import local_root
from holdfast.config.model import Config
from holdfast.errors import BackupNotFound, RequestInvalid
from holdfast.manager.records import iso, restore_result
from holdfast.model.access import Scope
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.operations.reports import CreateReport, RestoreReport, RetentionReport
from holdfast.operations.requests import CreateRequest, RestoreRequest, RetentionRequest
from holdfast.policy.backup_retention import KeepRules
from holdfast.runtime.translation import N_, render
from holdfast.server.admin_models import Body
from holdfast.server.backups_models import Created, Kind, Listed, Restored, Rotated, Stats, Wanted
from holdfast.server.replies import language_of
from holdfast.server.route import EnvelopeRoute
from holdfast.server.running import act
from holdfast.server.sending import UNCHANGED, Ready
from holdfast.server.shapes import primary, recorded
from holdfast.server.site import Site
from holdfast.server.statuses import documented

MADE = N_("The backup was made.")
RESTORED = N_("The restore was carried out.")
ROTATED = N_("Backups that the rules do not keep were deleted.")
_MIB = 1 << 20
_ALL = 1_000_000
SiteOf = Callable[[], Site]


class CreateBody(Body):
    """What to back up."""

    type: Kind = Field(default="full", examples=["full"])


class RestoreBody(Body):
    """Which file to restore from, as a list shows it."""

    backup_path: str = Field(min_length=1, max_length=1000, examples=["backups/database/db_backup_20240101_120000.db"])
    verify_checksum: bool = True


def backups_router(site_of: SiteOf) -> APIRouter:
    """The routes.

    Args:
        site_of: gives the application when a request asks for it, so that the router can be made before it is there.
    """
    router = APIRouter(prefix="/backups", route_class=EnvelopeRoute)
    _add_making(router, site_of)
    _add_looking(router, site_of)
    _add_restoring(router, site_of)
    return router


def needs(site_of: SiteOf, scope: Scope) -> Any:
    """A dependency that lets only tokens through that are good for something."""

    async def allowed(request: Request) -> None:
        # The first request opens the application, which takes a while.
        site = await run_in_threadpool(site_of)
        await site.needs(scope)(request)

    vars(allowed)["scope"] = scope
    return Depends(allowed)


def _add_making(router: APIRouter, site_of: SiteOf) -> None:
    @router.post(
        "/create",
        dependencies=[needs(site_of, Scope.BACKUP)],
        response_model=Created,
        responses=documented(401, 403, 409, 422, 503, 507, accepted=True),
    )
    def create(request: Request, body: CreateBody | None = None) -> Response:
        """Makes a backup."""
        site = site_of()

        def answer(report: CreateReport) -> Response:
            stored = primary([copy.stored for copy in report.copies if copy.stored], site.service.config)
            return _said(request, MADE, recorded(stored, site.service.config)[0] or {})

        wanted = CreateRequest(type=BackupType((body or CreateBody()).type), retention=False, fallback=True)
        return act(site, request, "create", wanted, "backup.create", answer)

    @router.post(
        "/rotate",
        dependencies=[needs(site_of, Scope.ADMIN)],
        response_model=Rotated,
        responses=documented(401, 403, 409, 422, 503),
    )
    def rotate(request: Request, max_backups: int | None = None) -> Response:
        """Deletes backups that the rules do not keep; `max_backups` is a rule in the place of those."""
        if max_backups is not None and not 1 <= max_backups <= 1_000_000:
            raise RequestInvalid(field="max_backups", reason="it must be from 1 to 1000000")

        def answer(report: RetentionReport) -> Response:
            removed = sorted({backup_id for result in report.results for backup_id in result.removed})
            freed = sum(result.freed_bytes for result in report.results)
            data = {"removed": removed, "removed_count": len(removed), "freed_bytes": freed}
            return _said(request, ROTATED, data)

        rules = None if max_backups is None else KeepRules(last=max_backups)
        return act(site_of(), request, "rotate", RetentionRequest(rules=rules), "backup.rotate", answer)


def _add_looking(router: APIRouter, site_of: SiteOf) -> None:
    @router.get(
        "/list",
        dependencies=[needs(site_of, Scope.READ)],
        response_model=Listed,
        responses={304: UNCHANGED, **documented(401, 403, 422, 503)},
    )
    async def list_backups(request: Request, backup_type: Wanted = "all") -> Response:
        """Backups, the newest first; of a type alone, the parts of full backups included."""
        lists = site_of().lists
        document = lists.ready_records(backup_type)
        if document is None:
            document = await run_in_threadpool(lists.records, backup_type)
        return Ready(document, request)

    @router.get(
        "/stats", dependencies=[needs(site_of, Scope.READ)], response_model=Stats, responses=documented(401, 403, 503)
    )
    def stats() -> JSONResponse:
        """All backups in numbers."""
        site = site_of()
        totals = site.catalog.copies.totals(site.service.app_name)
        data = {
            "success": True,
            "total_backups": totals.backups,
            "total_size": totals.stored_bytes,
            "total_size_mb": round(totals.stored_bytes / _MIB, 2),
            "average_size": totals.stored_bytes // totals.backups if totals.backups else 0,
            "oldest_backup": iso(totals.oldest_at),
            "newest_backup": iso(totals.newest_at),
            "by_type": {kind.value: count for kind, count in totals.by_type.items()},
        }
        return JSONResponse(data)


def _add_restoring(router: APIRouter, site_of: SiteOf) -> None:
    @router.post(
        "/restore",
        dependencies=[needs(site_of, Scope.RESTORE)],
        response_model=Restored,
        responses=documented(401, 403, 404, 409, 422, 503, 507, accepted=True),
    )
    def restore(request: Request, body: RestoreBody) -> Response:
        """Restores from a file of a backup; checks its checksum first unless told not to."""
        site = site_of()
        stored, components = named(body.backup_path, _each_copy(site), site.service.config)
        wanted = RestoreRequest(
            what=stored.backup_id, from_target=stored.target, only=components, verify=body.verify_checksum
        )

        def answer(report: RestoreReport) -> Response:
            return _said(request, RESTORED, restore_result(report))

        return act(site, request, "restore", wanted, "backup.restore", answer, stored.backup_id)


def named(path: str, copies: Iterable[StoredBackup], config: Config) -> tuple[StoredBackup, tuple[str, ...]]:
    """The copy, and the components, that a file belongs to.

    SAFETY: the path is compared with those of known backups as a text, and nothing is opened by it.

    Raises:
        BackupNotFound: it belongs to none.
    """
    wanted = _normal(path, config)
    for stored in copies:
        target = config.targets.get(stored.target)
        root = None if target is None else local_root(config, target)
        if wanted in (_normal(stored.location, config), stored.backup_id):
            return stored, ()
        for name, component in stored.manifest.components.items():
            files = [file.name.partition("!")[0] for file in component.files if file.purpose != "state"]
            if root is not None and wanted in (_normal(str(root / file), config) for file in files):
                return stored, (name,)
    raise BackupNotFound(backup=path[:200], target=", ".join(config.targets))


def _normal(path: str, config: Config) -> str:
    return posixpath.normpath(posixpath.join(str(config.base_dir), path))


def _each_copy(site: Site) -> list[StoredBackup]:
    return site.catalog.copies.page(site.service.app_name, limit=_ALL)


def _said(request: Request, message: str, data: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse({"success": True, "message": render(message, {}, language_of(request)), **data})
