"""Which files a run is about to write or to delete: what makes its leftovers known for certain."""

from __future__ import annotations

import msgspec

from holdfast.errors import ObjectNotFound
from holdfast.model.backup import is_backup_id
from holdfast.protocols.folder import Folder

_PREFIX = ".holdfast/pending/"


class _Pending(msgspec.Struct, frozen=True):
    backup_id: str
    names: list[str]


class Journal:
    """The files of one backup that is being made or removed.

    DURABILITY: a name is in the journal before a file can have it, and the journal goes last.

    Args:
        folder: the archive.
        backup_id: the backup.
    """

    def __init__(self, folder: Folder, backup_id: str) -> None:
        self._folder = folder
        self._backup_id = backup_id
        self._names: list[str] = []

    @property
    def names(self) -> list[str]:
        """What was noted, in order."""
        return list(self._names)

    def note(self, *names: str) -> None:
        """Notes files before they are written or deleted."""
        self._names += [name for name in names if name not in self._names]
        content = msgspec.json.encode(_Pending(self._backup_id, self._names))
        self._folder.replace(f"{_PREFIX}{self._backup_id}.json", content)

    def close(self) -> None:
        """The backup is committed, or gone."""
        self._folder.remove(f"{_PREFIX}{self._backup_id}.json")


def leftovers(folder: Folder) -> dict[str, list[str]]:
    """Files that runs which died had noted, by the id of the backup they were about."""
    found: dict[str, list[str]] = {}
    for file in list(folder.list(_PREFIX)):
        backup_id = file.name[len(_PREFIX) :].removesuffix(".json")
        if not is_backup_id(backup_id):
            continue
        pending = _read(folder, file.name)
        found[backup_id] = list(pending.names) if pending is not None and pending.backup_id == backup_id else []
    return found


def _read(folder: Folder, name: str) -> _Pending | None:
    try:
        reader = folder.read(name)
        try:
            return msgspec.json.decode(reader.read(-1), type=_Pending)
        finally:
            reader.close()
    except (ObjectNotFound, msgspec.DecodeError, ValueError):
        # Without names nothing is deleted; an unreadable journal itself is of no use to anybody.
        return None
