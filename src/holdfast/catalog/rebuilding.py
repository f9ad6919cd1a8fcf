"""Making a catalog again from what the targets list."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from holdfast.catalog.catalog import Catalog
from holdfast.catalog.queries import Rebuilt
from holdfast.catalog.schema import runs
from holdfast.model.backup import Manifest, Outcome, StoredBackup
from holdfast.model.run import Run, RunState, Trigger

OPERATION = "create"


def rebuild(catalog: Catalog, app_name: str, listings: Mapping[str, Sequence[StoredBackup]], at: datetime) -> Rebuilt:
    """Mirrors what every target lists, and adds the run that made each backup where none is known.

    Doing it again changes nothing. Targets that are not named keep their mirror.

    Args:
        catalog: new, or one that lags behind.
        app_name: whose backups they are.
        listings: by name of the target, all it keeps.
        at: the moment before the targets were asked.
    """
    for target, backups in listings.items():
        catalog.copies.replace(app_name, target, backups, at)
    manifests = {backup.backup_id: backup.manifest for backups in listings.values() for backup in backups}
    known = _known(catalog, app_name)
    made = [_run(app_name, manifest, at) for one, manifest in sorted(manifests.items()) if one not in known]
    return Rebuilt(copies=sum(len(backups) for backups in listings.values()), runs=catalog.runs.add_many(made))


def _known(catalog: Catalog, app_name: str) -> set[str]:
    mine = (runs.c.app == app_name, runs.c.operation == OPERATION, runs.c.backup_id != "")
    with catalog.storage.read() as connection:
        return set(connection.scalars(sa.select(runs.c.backup_id).where(*mine)))


def _run(app_name: str, manifest: Manifest, at: datetime) -> Run:
    state = RunState.PARTIAL if manifest.outcome is Outcome.PARTIAL else RunState.SUCCEEDED
    return Run(
        # The same id every time, so that two who rebuild at once add one run.
        run_id=hashlib.sha256(f"{app_name}\0{manifest.backup_id}".encode()).hexdigest()[:32],
        app=app_name,
        operation=OPERATION,
        trigger=Trigger.COMMAND,
        state=state,
        created_at=manifest.created_at,
        started_at=manifest.created_at,
        finished_at=manifest.finished_at,
        type=manifest.type.value,
        backup_id=manifest.backup_id,
        content_bytes=sum(component.content_bytes for component in manifest.components.values()),
        stored_bytes=manifest.total_size,
        report={"rebuilt_at": at.isoformat()},
    )
