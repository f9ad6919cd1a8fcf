"""Layout `bundle`: one zip for each backup, with the manifest inside.

Source: the backup guide of SarvCast, "backups/backup_2025_09_16_12_30_45.zip" and its manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from holdfast.archive.layouts.layout import Container, Dated, FileRow, JustContent, container_of, plain
from holdfast.model.backup import Manifest
from holdfast.model.backup import stamp as stamp_of
from holdfast.model.component import Component, Form, Role

MANIFEST = "manifest.json"
_RECORD = re.compile(r"(backup_[0-9]{4}(?:_[0-9]{2}){5}(?:_[1-9][0-9]{0,3})?)\.(?:zip|json)")


class Bundle(JustContent):
    """`backup_….zip` with `database.sql`, `<table>.json`, `config/…`, `storage/…` and `manifest.json`."""

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """Text for databases, as the document has it."""
        return Form.SQL if role is Role.DATABASE and Form.SQL in forms else forms[0]

    def compresses(self, component: Component, asked: bool | None) -> bool:  # noqa: ARG002 - the protocol's signature
        """All members."""
        return True

    def content_name(self, dated: Dated, component: Component, entry: str, *, leading: bool) -> str:  # noqa: ARG002
        """The name of a member: of the only file, of one of several, or of a folder with a slash."""
        if container_of(component) is Container.TAR:
            return f"{plain(component.name)}{'_changes' if component.form is Form.CHANGES else ''}/"
        if container_of(component) is Container.FILES:
            return entry if plain(entry) == entry and leading else f"{plain(component.name)}_{plain(entry)}"
        base = plain(component.file_name)
        if component.role is Role.DATABASE and component.form is Form.SQL:
            base = "database.sql"
        return base if leading else f"{plain(component.name)}_{base}"

    def record_name(self, dated: Dated, files: Sequence[FileRow]) -> str:  # noqa: ARG002 - the protocol's signature
        """The record outside, which only an encrypted bundle has."""
        return f"{dated.backup_id}.json"

    def record_fields(
        self,
        dated: Dated,
        manifest: Manifest,
        files: Sequence[FileRow],
        locate: Callable[[str], str],  # noqa: ARG002 - what lies in a bundle moves with it
    ) -> dict[str, object]:
        """The manifest of the document: components with file, size and, for tables, count."""
        components: dict[str, object] = {}
        for file in files:
            component = manifest.components[file.component]
            member = file.name.partition("!")[2] or file.name
            sized = {"file": member, "size": file.unpacked_bytes}
            if component.role is Role.TABLES:
                table = member.rpartition("/")[2].removesuffix(".json")
                components[table] = {"file": member, "count": component.rows.get(table, 0), "size": file.unpacked_bytes}
            else:
                components[file.component] = sized
        return {
            "backup_id": dated.backup_id,
            "created_at": manifest.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": manifest.version,
            "components": components,
            "total_size": manifest.total_size,
        }

    def records(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The bundles; of encrypted ones the record beside them."""
        found: dict[str, list[str]] = {}
        for name in sorted(names):
            match = _RECORD.fullmatch(name)
            if match is not None:
                found.setdefault(stamp_of(match[1]), []).append(name)
        return found
