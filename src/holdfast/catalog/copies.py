"""A mirror of what the targets keep, so that lists are quick and work while a target is away."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from holdfast.catalog.columns import encoded
from holdfast.catalog.copy_totals import totals_of
from holdfast.catalog.queries import CopyTotals
from holdfast.catalog.schema import copies, listings, totals
from holdfast.catalog.storage import Storage
from holdfast.errors import CatalogUnavailable
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.runtime.clock import Clock

_KEY = [copies.c.app, copies.c.backup_id, copies.c.target]
_MANY = 500
_SO_MANY = 1000
# Characters that separate, and are in no name and no id.
_FIELD = "\x1f"
_RECORD = "\x1e"


class Copies:
    """The mirrored copies of a catalog. The targets are the truth; nothing is deleted from them on the word of this."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def replace(self, app: str, target: str, backups: Sequence[StoredBackup], at: datetime) -> None:
        """Makes the mirror of one target what the target lists. Writes only what differs.

        Args:
            at: the moment before the target was asked; a copy that was put later stays although it is not listed.
        """
        listed = {backup.backup_id: _values(app, backup, at) for backup in backups}
        with self._storage.write() as connection:
            self._begin(connection, app)
            here = (copies.c.app == app, copies.c.target == target)
            columns = (copies.c.backup_id, copies.c.digest, copies.c.seen_at)
            known = {row.backup_id: row for row in connection.execute(sa.select(*columns).where(*here))}
            gone = [one for one, row in known.items() if one not in listed and row.seen_at <= at]
            for start in range(0, len(gone), _MANY):
                part = copies.c.backup_id.in_(gone[start : start + _MANY])
                connection.execute(sa.delete(copies).where(*here, part))
            fresh = [row for one, row in listed.items() if one not in known or known[one].digest != row["digest"]]
            for start in range(0, len(fresh), _MANY):
                self._write(connection, fresh[start : start + _MANY])
            if gone or fresh:
                self._forget_totals(connection, app)
            if len(gone) + len(fresh) > _SO_MANY:
                # Left alone, the database plans for a while as if the table were what it was before.
                connection.execute(sa.text(f"ANALYZE {copies.name}"))
            moment = {"app": app, "target": target, "refreshed_at": at}
            self._storage.upsert(connection, listings, [moment], [listings.c.app, listings.c.target])

    def put(self, app: str, backup: StoredBackup) -> None:
        """Writes one copy, new or in place of what was known of it."""
        with self._storage.write() as connection:
            self._begin(connection, app)
            self._write(connection, [_values(app, backup, self._clock.now().at())])
            self._forget_totals(connection, app)

    def drop(self, app: str, target: str, backup_id: str) -> None:
        """Removes one copy from the mirror."""
        one = (copies.c.app == app, copies.c.target == target, copies.c.backup_id == backup_id)
        with self._storage.write() as connection:
            self._begin(connection, app)
            connection.execute(sa.delete(copies).where(*one))
            self._forget_totals(connection, app)

    def page(
        self,
        app: str,
        type: BackupType | None = None,  # noqa: A002 - as everywhere else
        limit: int = 50,
        offset: int = 0,
        *,
        target: str | None = None,
    ) -> list[StoredBackup]:
        """A page of backups, newest first, each with all its copies in the order of the targets' names.

        Args:
            type: only backups of this type.
            limit, offset: count backups, not copies; a backup in two targets is two rows of the answer.
            target: only copies in this target.
        """
        wanted = [copies.c.app == app]
        if type is not None:
            wanted.append(copies.c.type == type.value)
        if target is not None:
            wanted.append(copies.c.target == target)
        newest = (copies.c.created_at.desc(), copies.c.backup_id.desc())
        ids = sa.select(copies.c.created_at, copies.c.backup_id).where(*wanted).distinct().order_by(*newest)
        with self._storage.read() as connection:
            order = [row.backup_id for row in connection.execute(ids.limit(limit).offset(offset))]
            # In parts, because databases take so many values at once and no more.
            parts = [order[start : start + _MANY] for start in range(0, len(order), _MANY)]
            return [backup for part in parts for backup in _found(connection, wanted, part)]

    def outline(self, app: str) -> dict[str, tuple[str, ...]]:
        """What there is, in no order: of each backup one text for each copy, which changes with what is known of it."""
        each = copies.c.backup_id + _FIELD + copies.c.target + _FIELD + copies.c.digest
        # One text and not ten thousand rows, each of which would take turns with all other threads of this process.
        whole = sa.select(sa.func.aggregate_strings(each, _RECORD)).where(copies.c.app == app)
        with self._storage.read() as connection:
            text = connection.scalar(whole) or ""
        known: dict[str, tuple[str, ...]] = {}
        for record in text.split(_RECORD) if text else ():
            backup_id, _field, copy = record.partition(_FIELD)
            known[backup_id] = (copy,) if backup_id not in known else tuple(sorted((*known[backup_id], copy)))
        return known

    def some(self, app: str, backup_ids: Sequence[str]) -> list[StoredBackup]:
        """All copies of a few backups in the order of the ids, those of one backup in that of the targets' names.

        Args:
            backup_ids: at most a thousand.
        """
        with self._storage.read() as connection:
            return _found(connection, [copies.c.app == app], backup_ids)

    def of(self, app: str, backup_id: str) -> list[StoredBackup]:
        """All copies of one backup, in the order of the targets' names."""
        one = (copies.c.app == app, copies.c.backup_id == backup_id)
        with self._storage.read() as connection:
            found = connection.execute(sa.select(copies.c.backup).where(*one).order_by(copies.c.target))
            return [_backup(row.backup) for row in found]

    def totals(self, app: str) -> CopyTotals:
        """All backups of an application in numbers; added up once after each change."""
        with self._storage.read() as connection:
            known = connection.scalar(sa.select(totals.c.totals).where(totals.c.app == app))
        if known is not None:
            return msgspec.convert(known, CopyTotals)
        try:
            with self._storage.write() as connection:
                self._begin(connection, app)
                added = totals_of(connection, app)
                self._storage.upsert(connection, totals, [{"app": app, "totals": added}], [totals.c.app])
                return added
        except CatalogUnavailable:
            # A full disk keeps nobody from seeing what is on it.
            with self._storage.read() as connection:
                return totals_of(connection, app)

    def refreshed_at(self, app: str, target: str) -> datetime | None:
        """When a target was last listed; None if it never was."""
        here = (listings.c.app == app, listings.c.target == target)
        with self._storage.read() as connection:
            moment: datetime | None = connection.scalar(sa.select(listings.c.refreshed_at).where(*here))
        return moment

    def _begin(self, connection: sa.Connection, app: str) -> None:
        """Writers go one after the other, so that totals are never those of before a change that came between."""
        self._storage.take_turn(connection, f"copies:{app}")

    def _forget_totals(self, connection: sa.Connection, app: str) -> None:
        connection.execute(sa.delete(totals).where(totals.c.app == app))

    def _write(self, connection: sa.Connection, rows: list[dict[str, object]]) -> None:
        self._storage.upsert(connection, copies, rows, _KEY)


def _found(
    connection: sa.Connection, wanted: Sequence[sa.ColumnElement[bool]], backup_ids: Sequence[str]
) -> list[StoredBackup]:
    """Copies in the order of ids, and for each id in that of the targets' names."""
    order = {backup_id: place for place, backup_id in enumerate(backup_ids)}
    rows = sa.select(copies.c.backup_id, copies.c.target, copies.c.backup)
    found = connection.execute(rows.where(*wanted, copies.c.backup_id.in_(list(order)))).all()
    ordered = sorted(found, key=lambda row: (order[row.backup_id], row.target))
    return [_backup(row.backup) for row in ordered]


def _values(app: str, backup: StoredBackup, seen_at: datetime) -> dict[str, object]:
    text = encoded(backup)
    return {
        "app": app,
        "backup_id": backup.backup_id,
        "target": backup.target,
        "type": backup.manifest.type.value,
        "created_at": backup.manifest.created_at,
        "stored_bytes": backup.manifest.total_size,
        "held": backup.marks.held,
        "damaged": backup.marks.damaged_at is not None,
        "seen_at": seen_at,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "backup": text,
    }


def _backup(text: str) -> StoredBackup:
    return msgspec.json.decode(text, type=StoredBackup)
