"""A target of plain dated files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from holdfast.archive.catalog import Catalog, Listed, marks_name
from holdfast.archive.content import Shelf, stored_content
from holdfast.archive.encryption.keys import Keys
from holdfast.archive.layouts.bundle import Bundle
from holdfast.archive.layouts.layout import FileRow
from holdfast.archive.layouts.table import LAYOUTS
from holdfast.archive.loose import LooseFile, open_loose
from holdfast.archive.making import Making, Plan
from holdfast.archive.making_bundle import BundleMaking
from holdfast.archive.output import Coding
from holdfast.archive.removing import remove_backups, remove_leftovers
from holdfast.archive.verifying import Verification, can_open
from holdfast.errors import BackupNotFound, ComponentNotFound, DecryptionFailed, english
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.component import Component, Form, Problem, Role
from holdfast.model.event import Listener
from holdfast.protocols.content import StoredContent
from holdfast.protocols.folder import Folder
from holdfast.protocols.target import BackupWriter
from holdfast.runtime.clock import Clock
from holdfast.targets.archive_options import ArchiveOptions
from holdfast.targets.archive_place import Mount, open_place

_PROBE = ".holdfast/probe"
_STEP_BYTES = 1024 * 1024


class ArchiveTarget:
    """Keeps backups as files that standard tools open.

    Args:
        name: the operator's name for it.
        options: where and how.
        base_dir: where a relative path starts.
        app_name: only backups of this app are listed; empty for those of all.
        state_dir: where to remember on which disk the archive is; everything else is in its own folder.
        clock: not needed here.
        folder: instead of what `options.url` names.
    """

    def __init__(
        self,
        name: str,
        options: ArchiveOptions,
        base_dir: Path,
        app_name: str,
        state_dir: Path | None = None,
        clock: Clock | None = None,  # noqa: ARG002 - every target gets the same arguments
        *,
        folder: Folder | None = None,
    ) -> None:
        self._name = name
        self._options = options
        self._base_dir = base_dir
        self._folder = open_place(options, base_dir) if folder is None else folder
        self._layout = LAYOUTS[options.layout]
        self._keys = Keys(
            encryption=options.encryption,
            passphrase=options.passphrase,
            recipients=options.recipients,
            identity=options.identity,
        )
        self._catalog = Catalog(self._folder, self._layout, name, app_name)
        probe = self._folder.local_path(_PROBE)
        self._mount = Mount(None if probe is None else probe.parent.parent, state_dir, name)

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    @property
    def kind(self) -> str:
        """`archive`."""
        return "archive"

    @property
    def url(self) -> str:
        """Where it is, without secrets."""
        return self._folder.url

    @property
    def folder(self) -> Folder:
        """The files themselves, for a log beside them."""
        return self._folder

    @property
    def keeps_changes(self) -> bool:
        """Incremental backups are kept as changes."""
        return True

    @property
    def problems(self) -> list[Problem]:
        """What the last listing could not read."""
        return list(self._catalog.problems)

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """What the layout keeps of a role."""
        return self._layout.form_for(forms, role)

    def prepare(self) -> None:
        """Makes the folder, proves that it can be written to, and removes what runs that died left.

        Raises:
            UsageError: the settings of encryption say too little.
            BackendError: the folder cannot be made or written to, or its disk does not seem to be mounted.
        """
        self._keys.check(self._name)
        self._mount.check()
        self._folder.create()
        self._folder.replace(_PROBE, b"")
        self._folder.remove(_PROBE)
        self._folder.clean()
        remove_leftovers(self._folder, self._layout, self._catalog)
        self._mount.remember()

    def free_bytes(self) -> int | None:
        """How much more fits; None where nobody can tell."""
        return self._folder.free_bytes()

    def begin(self, manifest: Manifest) -> BackupWriter:
        """Begins a backup."""
        self._keys.check(self._name)
        coding = Coding(self._options.compression, self._options.compression_level, self._keys, self._name)
        plan = Plan(self._folder, self._layout, coding, self._options.compress_databases)
        return BundleMaking(plan, manifest) if isinstance(self._layout, Bundle) else Making(plan, manifest)

    def backups(self) -> list[StoredBackup]:
        """Committed backups, newest first; what could not be read is in `problems`."""
        return [one.backup for one in self._catalog.load()]

    def content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component of a backup. Raises `ComponentNotFound`."""
        listed = self._listed(backup)
        found = self._component(listed, component)
        rows = [row for row in listed.files if row.component == component]
        return stored_content(found, rows, listed.bundle, self._shelf)

    def unproved_content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component as it is now, whatever its checksums were. Raises `ComponentNotFound`.

        For people who changed a file on purpose; what cannot be unpacked is still refused.
        """
        listed = self._listed(backup)
        found = replace(self._component(listed, component), content_sha256="")
        rows = [_unproved(row) for row in listed.files if row.component == component]
        bundle = None if listed.bundle is None else _unproved(listed.bundle)
        return stored_content(found, rows, bundle, self._shelf)

    def open_path(self, path: Path, *, verify: bool = True) -> tuple[StoredBackup, str] | LooseFile:
        """What a person means who names a file: a component of a backup here, or whatever is in the file.

        Returns:
            A backup and the name of a component (empty for all of it), if the file is as a record here says; else what
            is in the file, such as one that was unpacked by hand or copied elsewhere.

        Raises:
            ObjectNotFound: there is no such file.
            DecryptionFailed, BackupDamaged: it cannot be understood.
        """
        wanted = os.path.abspath(path if path.exists() else self._base_dir / path)
        for one in self._catalog.load() if verify else ():
            names = {one.record_name: ""} | {row.name: row.component for row in one.files if "!" not in row.name}
            names |= {} if one.bundle is None else {one.bundle.name: ""}
            for name, component in names.items():
                if str(self._folder.local_path(name)) == wanted:
                    return one.backup, component
        return open_loose(Path(wanted), self._keys, verify=verify)

    def state(self, backup: StoredBackup, component: str, into: Path) -> bool:
        """Writes the state kept with a component into a file of mode 0600.

        False if there is none, or if it is encrypted and this machine holds no key to read it.
        """
        rows = self._listed(backup).files
        row = next((one for one in rows if one.purpose == "state" and one.component == component), None)
        if row is None:
            return False
        if row.encryption and not self._keys.opens_what_it_writes:
            return False
        try:
            reader = self._shelf.open(row)
        except DecryptionFailed:
            return False
        fd = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as target:
            try:
                while block := reader.read(_STEP_BYTES):
                    target.write(block)
            finally:
                reader.close()
        return True

    def opens(self, backup: StoredBackup) -> bool:
        """Whether there is a key for everything that is stored of a backup: else checksums are all that is compared."""
        return can_open(self._listed(backup), self._keys)

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        """Reads everything that is stored, compares checksums, unpacks, counts."""
        return Verification(self._listed(backup), self._shelf, listener).run()

    def mark(self, backup: StoredBackup, marks: Marks) -> None:
        """Replaces what is noted about a backup."""
        self._folder.replace(marks_name(backup.backup_id), msgspec.json.encode(marks, enc_hook=english))

    def remove(self, backups: Sequence[StoredBackup]) -> None:
        """Deletes backups: each first vanishes from the list, then from the folder."""
        if not backups:
            return
        wanted = {backup.backup_id for backup in backups}
        listed = self._catalog.load()
        going = [one for one in listed if one.backup.backup_id in wanted]
        staying = [one for one in listed if one.backup.backup_id not in wanted]
        remove_backups(self._folder, self._layout, going, staying)

    def close(self) -> None:
        """Gives back connections."""
        self._folder.close()

    def _component(self, listed: Listed, name: str) -> Component:
        components = listed.backup.manifest.components
        if name not in components:
            known = ", ".join(components)
            raise ComponentNotFound(backup=listed.backup.backup_id, component=name, known=known)
        return components[name]

    @property
    def _shelf(self) -> Shelf:
        return Shelf(self._folder, self._keys, self._name)

    def _listed(self, backup: StoredBackup) -> Listed:
        for one in self._catalog.load():
            if one.backup.backup_id == backup.backup_id:
                return one
        raise BackupNotFound(backup=backup.backup_id, target=self._name)


def _unproved(row: FileRow) -> FileRow:
    return row._replace(sha256="", unpacked_bytes=None)
