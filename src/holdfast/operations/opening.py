"""Which backup a request means when it may also name a file of an archive."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from holdfast.errors import BackupNotFound, TargetError
from holdfast.model.backup import StoredBackup, is_backup_id
from holdfast.operations.choice import LATEST, resolve_id
from holdfast.operations.reports import CopyReport
from holdfast.protocols.target import Target


@runtime_checkable
class OpensPaths(Protocol):
    """A target whose files people see, name and pass around."""

    def open_path(self, path: Path) -> tuple[StoredBackup, tuple[str, ...]] | None:
        """The backup that a file belongs to, and the components it holds; None if it is no file of this target.

        The record of a backup, and a file that holds everything, hold all components.

        Raises:
            TargetError: the file is one of this target, and cannot be read.
        """
        ...


class Named(NamedTuple):
    """What a request means: a backup, and the components it is limited to (empty for all)."""

    backup_id: str
    components: tuple[str, ...] = ()
    target: str = ""


def named_backup(
    what: str,
    targets: Sequence[Target],
    found: Mapping[str, Sequence[StoredBackup]],
    unreachable: Sequence[CopyReport],
) -> Named:
    """The backup that an id, `latest` or a path means.

    Raises:
        BackupIdInvalid: it is none of them.
        BackupNotFound: there is no such backup, or no target knows the file.
    """
    if what == LATEST or is_backup_id(what) or not _is_path(what):
        return Named(resolve_id(what, found, unreachable))
    # Links are followed in the folder's name and not in the file's: the archive itself decides what it opens.
    path = Path(os.path.realpath(os.path.dirname(what) or "."), os.path.basename(what))
    for target in targets:
        opened = target.open_path(path) if isinstance(target, OpensPaths) else None
        if opened is not None:
            stored, components = opened
            return Named(stored.backup_id, tuple(components), target.name)
    raise BackupNotFound(backup=what, target=", ".join(target.name for target in targets))


def _is_path(what: str) -> bool:
    return os.sep in what or os.path.lexists(what)


def nearest_first(copies: Sequence[StoredBackup], targets: Mapping[str, Target]) -> list[StoredBackup]:
    """Copies not known to be damaged before others, those on this machine before others, then as configured."""
    order = list(targets)
    return sorted(
        copies,
        key=lambda stored: (
            stored.marks.damaged_at is not None,
            not is_local(targets[stored.target]),
            order.index(stored.target),
        ),
    )


def is_local(target: Target) -> bool:
    """Whether a target is in a folder of this machine."""
    return target.url.startswith(("/", ".", "file:")) or ":" not in target.url


def unreachable_error(unreachable: Sequence[CopyReport]) -> TargetError | None:
    """The first error of targets that did not answer."""
    return next((copy.error for copy in unreachable if isinstance(copy.error, TargetError)), None)
