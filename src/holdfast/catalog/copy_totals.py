"""Adding up the copies of an application."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.catalog.queries import CopyTotals
from holdfast.catalog.schema import copies
from holdfast.model.backup import BackupType


def totals_of(connection: sa.Connection, app: str) -> CopyTotals:
    """Reads one row for each copy, from an index that holds all it needs."""
    each = (
        sa.select(
            sa.func.min(copies.c.type).label("type"),
            sa.func.count().label("copies"),
            sa.func.sum(copies.c.stored_bytes).label("stored_bytes"),
            sa.func.min(copies.c.created_at, type_=copies.c.created_at.type).label("created_at"),
            sa.func.max(sa.cast(copies.c.held, sa.Integer)).label("held"),
            sa.func.max(sa.cast(copies.c.damaged, sa.Integer)).label("damaged"),
        )
        .where(copies.c.app == app)
        .group_by(copies.c.backup_id)
        .subquery()
    )
    by_type = sa.select(
        each.c.type,
        sa.func.count().label("backups"),
        sa.func.sum(each.c.copies).label("copies"),
        sa.func.sum(each.c.stored_bytes).label("stored_bytes"),
        sa.func.sum(each.c.held).label("held"),
        sa.func.sum(each.c.damaged).label("damaged"),
        sa.func.min(each.c.created_at, type_=copies.c.created_at.type).label("oldest_at"),
        sa.func.max(each.c.created_at, type_=copies.c.created_at.type).label("newest_at"),
    )
    rows = connection.execute(by_type.group_by(each.c.type)).all()
    return CopyTotals(
        backups=sum(row.backups for row in rows),
        copies=sum(int(row.copies) for row in rows),
        stored_bytes=sum(int(row.stored_bytes) for row in rows),
        by_type={BackupType(row.type): row.backups for row in sorted(rows, key=lambda row: str(row.type))},
        held=sum(int(row.held) for row in rows),
        damaged=sum(int(row.damaged) for row in rows),
        oldest_at=min((row.oldest_at for row in rows), default=None),
        newest_at=max((row.newest_at for row in rows), default=None),
    )
