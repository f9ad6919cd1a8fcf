"""Layout `typed`: a folder for each kind of content, a sidecar for each file.

Source: "Система бэкапов Vertex AR", sections "Структура бэкапов" and "Формат метаданных".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from holdfast.archive.layouts.layout import STAMP, Container, Dated, Extra, FileRow, container_of, ending, plain
from holdfast.errors import english
from holdfast.model.backup import BackupType, Manifest
from holdfast.model.component import Component, Form, Role

_FOLDERS = {
    Role.DATABASE: "database",
    Role.TABLES: "tables",
    Role.STORAGE: "storage",
    Role.CONFIG: "config",
    Role.COMMAND: "command",
}
_PREFIXES = {Role.DATABASE: "db", Role.STORAGE: "storage", Role.CONFIG: "config"}
_ROLES = {folder: role for role, folder in _FOLDERS.items()}
_RECORD = re.compile(
    rf"(?:full/full_backup_|(?:database|storage|config)/[^/]+_backup_)(?P<stamp>{STAMP})\.json"
    rf"|(?:tables|command)/[^/]+_backup_(?P<other>{STAMP})\.meta\.json"
    rf"|(?P<type>[a-z]+)/(?P=type)_backup_(?P<bare>{STAMP})\.json"
)


class Typed:
    """`database/db_backup_….db`, `storage/storage_backup_….tar.gz`, `full/full_backup_….json`."""

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:  # noqa: ARG002 - the protocol's signature
        """What the source's own tools read."""
        return forms[0]

    def compresses(self, component: Component, asked: bool | None) -> bool:
        """Trees and text; a database that its tools open as it is stays that way unless asked for."""
        if container_of(component) is Container.TAR:
            return True
        if asked is not None:
            return asked
        return component.role is not Role.DATABASE or component.form is Form.SQL or ending(component) == ".sql"

    def content_name(self, dated: Dated, component: Component, entry: str, *, leading: bool) -> str:
        """`<folder>/<prefix>_backup_<stamp><ending>`; a second one of a role is named by its source."""
        prefix = _PREFIXES.get(component.role, "") if leading else ""
        prefix = prefix or plain(component.name)
        if component.form is Form.CHANGES:
            prefix += "_changes"
        if container_of(component) is Container.TAR:
            suffix = ".tar"
        elif container_of(component) is Container.FILES:
            stem, dot, rest = entry.rpartition(".")
            prefix += f"_{plain(stem if dot else entry)}"
            suffix = f".{plain(rest)}" if dot else ""
        else:
            suffix = ending(component)
        return self._in_folder(dated, _FOLDERS[component.role], f"{prefix}_backup_{dated.stamp}{suffix}")

    def record_name(self, dated: Dated, files: Sequence[FileRow]) -> str:
        """`full/full_backup_<stamp>.json`; of other types the sidecar of the first file."""
        first = next((file for file in files if file.purpose == "content"), None)
        if dated.type is BackupType.FULL or first is None:
            return f"{dated.type.value}/{dated.type.value}_backup_{dated.stamp}.json"
        return self.sidecar_name(first)

    def complete_name(self, dated: Dated, component: Component, *, leading: bool) -> str:  # noqa: ARG002
        """None."""
        return ""

    def extras(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> Iterable[Extra]:
        """A sidecar beside each content file, but the one that is the record."""
        record = self.record_name(dated, files)
        for file in files:
            if file.purpose == "content" and (name := self.sidecar_name(file)) != record:
                fields = sidecar_fields(dated, manifest.components[file.component], file, locate(file.name))
                document = {**fields, "holdfast": {"backup_id": dated.backup_id}}
                yield Extra(name, file.component, readable(document))

    def record_fields(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> dict[str, object]:
        """The keys of a sidecar; those of a full backup are about all of its files together."""
        first = next((file for file in files if file.purpose == "content"), None)
        if dated.type is not BackupType.FULL and first is not None:
            return sidecar_fields(dated, manifest.components[first.component], first, locate(first.name))
        content = [file for file in files if file.purpose == "content"]
        return {
            "timestamp": dated.stamp,
            "type": dated.type.value,
            "original_path": ", ".join(one.original for one in manifest.components.values() if one.original),
            "backup_path": locate(self.record_name(dated, files)),
            "file_size": sum(file.size_bytes for file in content),
            "checksum": joint_checksum(content),
            "created_at": naive(manifest),
            "file_count": sum(one.file_count for one in manifest.components.values()),
        }

    def records(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Of a stamp with a full record only that; of others every sidecar may be the one."""
        found: dict[str, list[str]] = {}
        for name in sorted(names):
            match = _RECORD.fullmatch(name)
            if match is not None:
                stamp = match["stamp"] or match["other"] or match["bare"]
                found.setdefault(stamp, []).append(name)
        full = {stamp: [f"full/full_backup_{stamp}.json"] for stamp in found}
        return {stamp: full[stamp] if full[stamp][0] in names else names for stamp, names in found.items()}

    def folder_of(self, dated: Dated) -> str:  # noqa: ARG002 - the protocol's signature
        """None: folders are shared."""
        return ""

    def sidecar_name(self, file: FileRow) -> str:
        """`db_backup_….json` beside `db_backup_….db`; where content itself may be JSON, `….meta.json`."""
        folder, _slash, base = file.name.rpartition("/")
        found = re.match(rf".*_backup_{STAMP}", base)
        stem = found.group(0) if found else base
        role = _ROLES.get(folder)
        return f"{folder}/{stem}" + (".meta.json" if role in {Role.TABLES, Role.COMMAND} else ".json")

    def _in_folder(self, dated: Dated, folder: str, base: str) -> str:  # noqa: ARG002 - for those that differ
        return f"{folder}/{base}"


def sidecar_fields(dated: Dated, component: Component, file: FileRow, where: str) -> dict[str, object]:
    """The eight keys of a sidecar, in the order of the document."""
    counted = len(component.rows) if component.role is Role.DATABASE and component.rows else component.file_count
    return {
        "timestamp": dated.stamp,
        "type": _FOLDERS[component.role],
        "original_path": component.original,
        "backup_path": where,
        "file_size": file.size_bytes,
        "checksum": file.sha256,
        "created_at": naive_stamp(dated.stamp),
        "file_count": 1 if file.path and component.role is Role.TABLES else counted,
    }


def joint_checksum(files: Iterable[FileRow]) -> str:
    """SHA-256 of what `sha256sum` prints for the files, in order."""
    lines = "".join(f"{file.sha256}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def naive(manifest: Manifest) -> str:
    """The time of a backup in UTC and without saying so, as the document has it."""
    return manifest.created_at.strftime("%Y-%m-%dT%H:%M:%S")


def naive_stamp(stamp: str) -> str:
    """The same from a stamp."""
    day, moment = stamp.split("_")[:2]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{moment[:2]}:{moment[2:4]}:{moment[4:]}"


def readable(document: object) -> bytes:
    """JSON for people."""
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=english), indent=2) + b"\n"
