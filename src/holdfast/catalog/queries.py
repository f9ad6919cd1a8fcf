"""What is asked of a catalog and what it answers, as far as it is not a type of the model."""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.model.backup import BackupType
from holdfast.model.run import RunState


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to find; what is empty does not restrict.

    Attributes:
        since: created at that moment or later.
        until: created before that moment.
        due_since, due_until: due between these moments, both included.
        limit: how many at most.
        before: id of the last run of the page before this one.
    """

    app: str = ""
    operations: tuple[str, ...] = ()
    states: tuple[RunState, ...] = ()
    policy: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    due_since: datetime | None = None
    due_until: datetime | None = None
    limit: int = 100
    before: str = ""


class CopyTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All backups of an application in numbers.

    Attributes:
        backups: how many there are, however many targets have them.
        copies: how many there are in all targets together.
        stored_bytes: what the targets keep for them.
        by_type: backups by type.
        held, damaged: backups of which a copy is.
        oldest_at, newest_at: when the oldest and the newest was made; None if there is none.
    """

    backups: int = 0
    copies: int = 0
    stored_bytes: int = 0
    by_type: dict[BackupType, int] = {}
    held: int = 0
    damaged: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What rebuilding a catalog brought back."""

    copies: int
    runs: int
