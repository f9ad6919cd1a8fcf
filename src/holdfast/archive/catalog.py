"""What an archive holds, from its records alone."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from holdfast.archive import bundle_file, record
from holdfast.archive.layouts.bundle import Bundle
from holdfast.archive.layouts.layout import FileRow, Layout
from holdfast.archive.record import Record
from holdfast.errors import ObjectNotFound, Phrase
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.backup import stamp as stamp_of
from holdfast.model.component import Problem
from holdfast.protocols.folder import Folder, FolderFile

_MARKS = ".holdfast/"


class Listed(NamedTuple):
    """One backup: what is known of it, its files, the zip if it is a bundle, and the name of its record."""

    backup: StoredBackup
    files: tuple[FileRow, ...]
    bundle: FileRow | None
    record_name: str
    intact: bool


class Catalog:
    """Reads records, each once as long as it does not change.

    Args:
        folder: the archive.
        layout: how it is laid out.
        target: the target's name.
        app: only its backups are listed; empty for all.
    """

    def __init__(self, folder: Folder, layout: Layout, target: str, app: str) -> None:
        self._folder = folder
        self._layout = layout
        self._target = target
        self._app = app
        self._known: dict[FolderFile, Record] = {}
        self.problems: list[Problem] = []
        self.unreadable: set[str] = set()

    def load(self) -> list[Listed]:
        """All backups, newest first.

        A record that cannot be understood is no backup any more, but its files are left alone: it is reported in
        `problems`, and its stamp is in `unreadable`. One that was changed and can still be understood is listed.
        """
        self.problems = []
        self.unreadable = set()
        files = {file.name: file for file in self._folder.list()}
        found: list[Listed] = []
        for stamp, names in self._layout.records(files).items():
            listed = self._first(stamp, [files[name] for name in names], files)
            if listed is not None:
                found.append(listed)
        found.sort(key=lambda one: (one.backup.manifest.created_at, len(one.backup.backup_id), one.backup.backup_id))
        return found[::-1]

    def _first(self, stamp: str, candidates: list[FolderFile], files: dict[str, FolderFile]) -> Listed | None:
        for file in candidates:
            read = self._read(file)
            if read.damaged or (read.manifest is not None and stamp_of(read.manifest.backup_id) != stamp):
                self.unreadable.add(stamp)
                self._note("record-damaged", file.name, "it is no record that can be understood")
            elif read.manifest is not None:
                if self._app and read.manifest.app != self._app:
                    self._note(
                        "another-app", file.name, Phrase("it is a backup of {other}", {"other": read.manifest.app})
                    )
                    return None
                return self._listed(read.manifest, read, file, files)
        return None

    def _listed(self, manifest: Manifest, read: Record, file: FolderFile, files: dict[str, FolderFile]) -> Listed:
        bundle = next((row for row in read.files if row.purpose == "bundle"), None)
        if bundle is None and isinstance(self._layout, Bundle):
            sha256 = bundle_file.read_sum(self._folder, manifest.backup_id)
            bundle = FileRow(file.name, "", "bundle", file.size_bytes, sha256, unpacked_bytes=file.size_bytes)
            state = sum(row.size_bytes for row in read.files if row.purpose == "state")
            manifest = replace(manifest, total_size=file.size_bytes + state)
        marks = Marks()
        if (name := marks_name(manifest.backup_id)) in files:
            marks = self._marks(name)
        if not read.intact:
            self._note("record-changed", file.name, "it is not as it was written")
        backup = StoredBackup(
            target=self._target, manifest=manifest, location=locate(self._folder, file.name), marks=marks
        )
        return Listed(backup, read.files, bundle, file.name, read.intact)

    def _read(self, file: FolderFile) -> Record:
        if file not in self._known:
            self._known[file] = self._fetch(file)
        return self._known[file]

    def _fetch(self, file: FolderFile) -> Record:
        try:
            if file.name.endswith(".zip"):
                return record.decode(bundle_file.read_record(self._folder, file.name, file.size_bytes, self._target))
            if file.size_bytes > record.RECORD_MAX_BYTES:
                return Record(damaged=True)
            return record.decode(read_whole(self._folder, file.name))
        except ObjectNotFound:
            return Record()

    def _marks(self, name: str) -> Marks:
        try:
            return msgspec.json.decode(read_whole(self._folder, name), type=Marks)
        except (msgspec.DecodeError, ValueError, ObjectNotFound):
            # SAFETY: a hold that cannot be read is a hold.
            self._note("marks-damaged", name, "what was noted about the backup cannot be read; it counts as held")
            return Marks(hold_reason="its marks cannot be read")

    def _note(self, code: str, subject: str, detail: str) -> None:
        self.problems.append(Problem(code=code, subject=subject, detail=detail))


def marks_name(backup_id: str) -> str:
    """Where the marks of a backup are kept."""
    return f"{_MARKS}{backup_id}.json"


def locate(folder: Folder, name: str) -> str:
    """Where a person finds a file: a path, or a URL."""
    path = folder.local_path(name)
    return str(path) if path is not None else f"{folder.url.rstrip('/')}/{name}"


def read_whole(folder: Folder, name: str) -> bytes:
    """A small file."""
    reader = folder.read(name)
    try:
        return reader.read(-1)
    finally:
        reader.close()
