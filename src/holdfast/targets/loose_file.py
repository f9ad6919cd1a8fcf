"""A file that a person named, as a place that keeps one backup and takes none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Never

from holdfast.errors import ComponentNotFound, TargetError
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.component import Form, Problem, Role
from holdfast.model.event import Listener
from holdfast.protocols.content import StoredContent
from holdfast.protocols.target import BackupWriter


class LooseFileTarget:
    """What is in one file, for a restore from it; see `holdfast.protocols.Target`.

    Args:
        path: the file.
        manifest: of what is in it.
        contents: by component.
    """

    kind = "file"
    keeps_changes = True

    def __init__(self, path: Path, manifest: Manifest, contents: Mapping[str, StoredContent]) -> None:
        self._path = path
        self._manifest = manifest
        self._contents = contents

    @property
    def name(self) -> str:
        """The file, which nobody gave another name."""
        return str(self._path)

    @property
    def url(self) -> str:
        """The file."""
        return str(self._path)

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """Refuses: it takes nothing."""
        del forms, role
        self._takes_nothing()

    def prepare(self) -> None:
        """Refuses: it takes nothing."""
        self._takes_nothing()

    def free_bytes(self) -> int | None:
        """None: it takes nothing."""
        return None

    def begin(self, manifest: Manifest) -> BackupWriter:
        """Refuses: it takes nothing."""
        del manifest
        self._takes_nothing()

    def backups(self) -> list[StoredBackup]:
        """The one."""
        return [StoredBackup(target=self.name, manifest=self._manifest, location=self.name)]

    def content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component of it. Raises `ComponentNotFound`."""
        if component not in self._contents:
            known = ", ".join(self._contents)
            raise ComponentNotFound(backup=backup.backup_id, component=component, known=known)
        return self._contents[component]

    def state(self, backup: StoredBackup, component: str, into: Path) -> bool:
        """False: nothing is known but the file."""
        del backup, component, into
        return False

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        """Refuses: a restore reads all of it before it changes anything."""
        del backup, listener
        self._takes_nothing()

    def mark(self, backup: StoredBackup, marks: Marks) -> None:
        """Refuses: it takes nothing."""
        del backup, marks
        self._takes_nothing()

    def remove(self, backups: Sequence[StoredBackup]) -> None:
        """Refuses: it is not ours."""
        del backups
        self._takes_nothing()

    def close(self) -> None:
        """Does nothing: nothing is held open."""

    def _takes_nothing(self) -> Never:
        raise TargetError(detail="a file that was named can be restored from, and no more")
