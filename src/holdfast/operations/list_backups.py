"""Lists backups, and brings together the copies that several targets have of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from holdfast.errors import HoldfastError, Phrase
from holdfast.model.backup import BackupType, StoredBackup
from holdfast.model.component import Problem
from holdfast.model.event import Warned
from holdfast.operations.choice import chosen_targets, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.reports import CopyReport, ListedBackup, Listing
from holdfast.operations.requests import ListRequest
from holdfast.protocols.target import Target


def list_backups(context: AppContext, request: ListRequest) -> Listing:
    """Backups, newest first.

    A target that cannot be asked does not keep the others from being listed; it is named, and is the `failure`.
    """
    targets = chosen_targets(context, request.targets)
    found, unreachable = stored_backups(targets)
    return Listing(
        backups=tuple(merged(found, request.type)),
        problems=unreadable(context, targets),
        unreachable=unreachable,
        failure=first_error(unreachable),
    )


@runtime_checkable
class TellsProblems(Protocol):
    """A target that can have files which look like backups and cannot be read."""

    @property
    def problems(self) -> list[Problem]:
        """What the last listing could not read."""
        ...


def unreadable(context: AppContext, targets: Iterable[Target]) -> tuple[Problem, ...]:
    """What the last listing of some targets had to leave out, told to the listener too."""
    problems: list[Problem] = []
    for target in targets:
        if isinstance(target, TellsProblems):
            problems += [replace(one, subject=_within(target, one)) for one in target.problems]
    for problem in problems:
        context.listener(Warned(code=problem.code, subject=problem.subject, detail=problem.detail))
    return tuple(problems)


def _within(target: Target, problem: Problem) -> Phrase:
    return Phrase("target {target}: {subject}", {"target": target.name, "subject": problem.subject})


def merged(found: Mapping[str, Sequence[StoredBackup]], kind: BackupType | None = None) -> list[ListedBackup]:
    """One item per backup, newest first, with its copies in the order of targets."""
    by_id: dict[str, list[StoredBackup]] = {}
    for copies in found.values():
        for stored in copies:
            if kind is None or stored.manifest.type is kind:
                by_id.setdefault(stored.backup_id, []).append(stored)
    listed = [_listed(copies) for copies in by_id.values()]
    return sorted(listed, key=lambda backup: (backup.created_at, backup.backup_id), reverse=True)


def _listed(copies: Sequence[StoredBackup]) -> ListedBackup:
    manifest = copies[0].manifest
    return ListedBackup(
        backup_id=manifest.backup_id,
        type=manifest.type,
        created_at=manifest.created_at,
        outcome=manifest.outcome,
        copies=tuple(copies),
    )


def first_error(reports: Iterable[CopyReport]) -> HoldfastError | None:
    """The first of some targets' errors."""
    return next((report.error for report in reports if report.error is not None), None)
