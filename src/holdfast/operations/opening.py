"""Which backup a request means when it may also name a file of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from holdfast.errors import BackupNotFound, TargetError
from holdfast.model.backup import StoredBackup, is_backup_id
from holdfast.operations.choice import LATEST, resolve_id
from holdfast.operations.reports import CopyReport
from holdfast.protocols.target import Target

_MEMBER = "!"
_STATE = "state"


class Named(NamedTuple):
    """What a request means: a backup, the components it is limited to (empty for all), and where it was named."""

    backup_id: str
    components: tuple[str, ...] = ()
    target: str = ""


def named_backup(
    what: str,
    targets: Sequence[Target],
    found: Mapping[str, Sequence[StoredBackup]],
    unreachable: Sequence[CopyReport],
) -> Named:
    """The backup that an id, `latest`, or the path or URL of a file means.

    The record of a backup, a file that holds everything and a folder that does mean the whole backup; any other file
    means the components that it belongs to.

    Raises:
        BackupIdInvalid: it is none of them.
        BackupNotFound: there is no such backup, or the file belongs to none.
    """
    if what == LATEST or is_backup_id(what) or not _is_path(what):
        return Named(resolve_id(what, found, unreachable))
    wanted = _resolved(what)
    for target in targets:
        for stored in found.get(target.name, ()):
            components = _components_at(wanted, target, stored)
            if components is not None:
                return Named(stored.backup_id, components, target.name)
    raise BackupNotFound(backup=what, target=", ".join(target.name for target in targets))


def _is_path(what: str) -> bool:
    return os.sep in what or os.path.lexists(what)


def _resolved(place: str) -> str:
    """A path without detours; a URL as it is. A link in the place of the file itself is not followed."""
    if "://" in place:
        return place
    path = os.path.abspath(place)
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _components_at(wanted: str, target: Target, stored: StoredBackup) -> tuple[str, ...] | None:
    """The components of a backup that a file belongs to, none for all of them; None if it is no file of it."""
    if wanted == _resolved(stored.location):
        return ()
    places: dict[str, set[str]] = {}
    for name, component in stored.manifest.components.items():
        for file in component.files:
            if file.purpose != _STATE:
                place = _resolved(f"{target.url.rstrip('/')}/{file.name.partition(_MEMBER)[0]}")
                places.setdefault(place, set()).add(name)
    everything = set(stored.manifest.components)
    found = places.get(wanted)
    if found is None and _holds_all(wanted, places):
        found = everything
    if found is None:
        return None
    return () if found == everything else tuple(name for name in stored.manifest.components if name in found)


def _holds_all(folder: str, places: Iterable[str]) -> bool:
    """Whether a folder is that of one backup alone."""
    folders = {os.path.dirname(place) for place in places}
    return folders == {folder}


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
    return target.url.startswith(("/", ".", "file:", "local:")) or ":" not in target.url


def unreachable_error(unreachable: Sequence[CopyReport]) -> TargetError | None:
    """The first error of targets that did not answer."""
    return next((copy.error for copy in unreachable if isinstance(copy.error, TargetError)), None)
