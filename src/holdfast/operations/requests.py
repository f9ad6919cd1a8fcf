"""What each operation is asked for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.model.backup import BackupType
from holdfast.policy.backup_retention import KeepRules


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to make.

    Attributes:
        sources, targets: names; empty for all that fit the type, and all targets.
        since: for an incremental backup, the moment from which changes are wanted; None for the newest backup.
        fallback: make a full backup where an incremental one has nothing to build on, instead of failing.
        dry_run: look at everything that can be looked at without writing to a target.
        retention: apply the keep rules of the targets afterwards.
        keep: these rules in the place of those of the targets, from a policy.
        label: a word for the log.
        accept_empty: names of sources that may have nothing in them although the newest backup has something.
    """

    type: BackupType = BackupType.FULL
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    since: datetime | None = None
    fallback: bool = False
    dry_run: bool = False
    retention: bool = True
    keep: KeepRules | None = None
    label: str = ""
    accept_empty: tuple[str, ...] = ()


class RestoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to bring back.

    Attributes:
        what: an id, `latest`, or the path of a file of an archive.
        from_target: the only target to take it from; empty lets the nearest undamaged copy win.
        only: names of sources; empty for all.
        tables, paths: parts of them; see `LoadRequest`.
        to: a directory or database URL; None restores in place.
        at: the newest backup not later than this; only with `latest`.
        verify: read everything and compare checksums before anything is changed.
        safety_copy: keep what is replaced.
        hooks: run the hooks of the application; never run for a restore elsewhere.
    """

    what: str = "latest"
    from_target: str = ""
    only: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    to: str | None = None
    at: datetime | None = None
    verify: bool = True
    safety_copy: bool = True
    hooks: bool = True


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Backups to list; no type and no targets for all."""

    type: BackupType | None = None
    targets: tuple[str, ...] = ()


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to look at: an id, `latest` or the path of a file of an archive."""

    what: str = "latest"
    targets: tuple[str, ...] = ()


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to read again: an id, `latest`, a path, or `all`."""

    what: str = "all"
    targets: tuple[str, ...] = ()


class RetentionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to keep; `rules` None for the rules of each target. `type` limits it to one type of backup."""

    rules: KeepRules | None = None
    type: BackupType | None = None
    targets: tuple[str, ...] = ()


class DeleteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Backups to delete by id; from all targets that have them, or from these."""

    what: tuple[str, ...]
    targets: tuple[str, ...] = ()


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to hold, in every target that has it; an empty reason releases it."""

    what: str
    reason: str = ""
    targets: tuple[str, ...] = ()


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup to write into one self-contained file; `output` None for `<id>.zip` in the working directory."""

    what: str = "latest"
    output: Path | None = None
    from_target: str = ""


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How old the newest backups may be; None for the limits of the application."""

    max_age_s: float | None = None
    sources: tuple[str, ...] = ()
