"""A backup: one restore point of an application, and its manifest."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

import msgspec

from holdfast.model.component import Component, Role

MANIFEST_VERSION = "1.0"

_ID = re.compile(r"backup_([0-9]{4})_([0-9]{2})_([0-9]{2})_([0-9]{2})_([0-9]{2})_([0-9]{2})(?:_([1-9][0-9]{0,3}))?\Z")


class BackupType(StrEnum):
    """What a backup is meant to hold."""

    FULL = "full"
    DATABASE = "database"
    STORAGE = "storage"
    CONFIG = "config"
    INCREMENTAL = "incremental"

    def takes(self, role: Role) -> bool:
        """Whether components of a role belong to backups of this type."""
        return self in (BackupType.FULL, BackupType.INCREMENTAL) or self.value == role.value


class Outcome(StrEnum):
    """How complete a committed backup is."""

    COMPLETE = "complete"
    PARTIAL = "partial"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; stored with it, and the only description a restore needs.

    Attributes:
        backup_id: see `backup_id`.
        created_at: aware UTC time, the moment the id names.
        finished_at: aware UTC time at which the last component was complete.
        components: by name, in the order in which they were made.
        total_size: bytes that the target keeps for it.
        base_id: for an incremental backup in an archive, the backup it builds on; empty otherwise.
        since: for an incremental backup, the moment that was asked for.
    """

    backup_id: str
    app: str
    type: BackupType
    created_at: datetime
    finished_at: datetime
    components: dict[str, Component]
    version: str = MANIFEST_VERSION
    outcome: Outcome = Outcome.COMPLETE
    total_size: int = 0
    base_id: str = ""
    since: datetime | None = None
    host: str = ""
    program: str = ""


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted about a backup after it was made. A hold has a reason, which is never empty.

    Attributes:
        verified_at: when its content was last read, counted and compared.
        checked_at: when checksums alone were last compared, because what is in the files could not be opened. Such a
            backup is not verified, unless it was before.
    """

    hold_reason: str = ""
    held_at: datetime | None = None
    verified_at: datetime | None = None
    checked_at: datetime | None = None
    damaged_at: datetime | None = None
    damage: str = ""

    @property
    def held(self) -> bool:
        """Whether retention must leave the backup alone."""
        return bool(self.hold_reason)

    @property
    def checked_only(self) -> bool:
        """Whether nothing but checksums was ever compared, and these were as they should be."""
        return self.checked_at is not None and self.verified_at is None and self.damaged_at is None


class StoredBackup(msgspec.Struct, frozen=True, kw_only=True):
    """A committed backup in one target. `location` is where a person finds it: a path or URL, or a snapshot's id."""

    target: str
    manifest: Manifest
    location: str
    marks: Marks = Marks()

    @property
    def backup_id(self) -> str:
        """The backup's id."""
        return self.manifest.backup_id


def backup_id(created_at: datetime, taken: frozenset[str] | set[str] = frozenset()) -> str:
    """An id from a UTC time, with `_2`, `_3`, … when the plain one is taken."""
    plain = created_at.strftime("backup_%Y_%m_%d_%H_%M_%S")
    if plain not in taken:
        return plain
    return next(f"{plain}_{number}" for number in range(2, 10_000) if f"{plain}_{number}" not in taken)


def is_backup_id(text: str) -> bool:
    """Whether a text has the form of a backup id."""
    return _ID.match(text) is not None


def stamp(backup_id: str) -> str:
    """The part of plain file names that dates them: `20240101_120000`, with the id's suffix if it has one.

    Raises:
        ValueError: the text is not a backup id.
    """
    match = _ID.match(backup_id)
    if match is None:
        raise ValueError(f"not a backup id: {backup_id!r}")
    year, month, day, hour, minute, second, number = match.groups()
    return f"{year}{month}{day}_{hour}{minute}{second}" + (f"_{number}" if number else "")
