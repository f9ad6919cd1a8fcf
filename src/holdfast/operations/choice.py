"""Which sources, targets and backups a request means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from holdfast.errors import BackupIdInvalid, BackupNotFound, NoBackupYet, NothingToDo, Phrase, TargetError, UnknownName
from holdfast.model.backup import BackupType, StoredBackup, is_backup_id
from holdfast.model.component import Role
from holdfast.operations.context import AppContext
from holdfast.operations.reports import CopyReport
from holdfast.protocols.source import Source
from holdfast.protocols.target import Target

T = TypeVar("T")

LATEST = "latest"
_ROLES = list(Role)


def in_role_order(sources: Iterable[Source]) -> list[Source]:
    """Databases first; sources of one role in the order they come in."""
    return sorted(sources, key=lambda source: _ROLES.index(source.role))


def chosen_sources(context: AppContext, kind: BackupType, names: Sequence[str]) -> list[Source]:
    """The sources that a backup of a type reads, in the order of roles.

    Raises:
        UnknownName: there is no such source.
        NothingToDo: none fits.
    """
    named = _named("source", context.sources, names)
    fitting = [source for source in named if kind.takes(source.role)]
    left_out = [source.name for source in named if not kind.takes(source.role)]
    if names and left_out:
        raise NothingToDo(
            reason=Phrase(
                "a backup of type {type} does not take {names}", {"type": kind.value, "names": ", ".join(left_out)}
            )
        )
    if not fitting:
        raise NothingToDo(reason=Phrase("no source belongs to backups of type {type}", {"type": kind.value}))
    return in_role_order(fitting)


def chosen_targets(context: AppContext, names: Sequence[str]) -> list[Target]:
    """The targets that were named, or all, in the order of the configuration.

    Raises:
        UnknownName: there is no such target.
        NothingToDo: there is no target at all.
    """
    targets = _named("target", context.targets, names)
    if not targets:
        raise NothingToDo(reason="no target is configured")
    return targets


def _named(what: str, known: Mapping[str, T], names: Sequence[str]) -> list[T]:
    for name in names:
        if name not in known:
            raise UnknownName(what=what, name=name, known=", ".join(known) or "none")
    return [value for name, value in known.items() if not names or name in names]


def stored_backups(targets: Iterable[Target]) -> tuple[dict[str, list[StoredBackup]], tuple[CopyReport, ...]]:
    """What each target has, newest first, and the targets that could not be asked."""
    found: dict[str, list[StoredBackup]] = {}
    unreachable: list[CopyReport] = []
    for target in targets:
        try:
            found[target.name] = sorted(target.backups(), key=_age, reverse=True)
        except TargetError as error:
            unreachable.append(CopyReport(target=target.name, error=error))
    return found, tuple(unreachable)


def _age(stored: StoredBackup) -> tuple[float, str]:
    return stored.manifest.created_at.timestamp(), stored.backup_id


def copies_of(found: Mapping[str, Sequence[StoredBackup]], backup_id: str) -> list[StoredBackup]:
    """The copies of one backup, in the order of targets."""
    return [stored for copies in found.values() for stored in copies if stored.backup_id == backup_id]


def resolve_id(what: str, found: Mapping[str, Sequence[StoredBackup]], unreachable: Sequence[CopyReport]) -> str:
    """The id that `latest` or an id means.

    Raises:
        BackupIdInvalid: it is neither.
        BackupNotFound: there is no such backup in any target that answered.
        NoBackupYet: there is none at all.
        TargetError: it may be in a target that did not answer, and nobody else has it.
    """
    if what != LATEST and not is_backup_id(what):
        raise BackupIdInvalid(text=what)
    everything = sorted((stored for copies in found.values() for stored in copies), key=_age, reverse=True)
    matching = [stored for stored in everything if what in (LATEST, stored.backup_id)]
    if matching:
        return matching[0].backup_id
    for copy in unreachable:
        if copy.error is not None:
            raise copy.error
    if not everything:
        raise NoBackupYet(backup=what, target=", ".join(found) or "any target")
    raise BackupNotFound(backup=what, target=", ".join(found) or "any target")
