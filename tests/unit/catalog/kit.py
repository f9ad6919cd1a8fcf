"""What tests of the catalog make: moments, runs, backups, raw statements."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from holdfast.catalog import Catalog
from holdfast.model.backup import BackupType, Manifest, Marks, StoredBackup
from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.run import Run, RunState, Trigger

KEY = b"a key of thirty-two bytes, really"[:32]
NO_MARKS = Marks()
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def after(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def a_run(**changes: object) -> Run:
    """A queued run of the policy `nightly`."""
    values: dict[str, object] = {
        "run_id": f"{next(_numbers):032x}",
        "app": "shop",
        "operation": "create",
        "trigger": Trigger.SCHEDULE,
        "state": RunState.QUEUED,
        "created_at": NOON,
        "policy": "nightly",
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]


def a_backup(
    number: int, target: str = "local", *, kind: BackupType = BackupType.FULL, marks: Marks = NO_MARKS
) -> StoredBackup:
    """A backup made so many minutes after noon."""
    made = after(60 * number)
    component = Component(
        name="db",
        kind="sqlite",
        role=Role.DATABASE,
        form=Form.NATIVE,
        shape=Shape.FILE,
        file_name="app.db",
        content_bytes=5,
    )
    manifest = Manifest(
        backup_id=made.strftime("backup_%Y_%m_%d_%H_%M_%S"),
        app="shop",
        type=kind,
        created_at=made,
        finished_at=made + timedelta(seconds=30),
        components={"db": component},
        total_size=100 + number,
    )
    return StoredBackup(target=target, manifest=manifest, location=f"/backups/{number}", marks=marks)


def raw(catalog: Catalog, *statements: str) -> list[tuple[object, ...]]:
    """Runs SQL behind the catalog's back and returns the rows of the last statement."""
    rows: list[tuple[object, ...]] = []
    with catalog.storage.write() as connection:
        for statement in statements:
            result = connection.execute(sa.text(statement))
            rows = [tuple(row) for row in result] if result.returns_rows else []
    return rows
