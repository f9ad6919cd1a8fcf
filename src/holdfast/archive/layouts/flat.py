"""Layout `flat`: everything side by side, one manifest for each backup.

Source: "Backup Strategy Documentation" of Charger API, section "Backup Kapsamı".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from holdfast.archive.layouts.layout import STAMP, Container, Dated, FileRow, JustContent, container_of, ending, plain
from holdfast.model.backup import Manifest, Outcome
from holdfast.model.component import Component, Form, Role

_RECORD = re.compile(rf"manifest_({STAMP})\.json")


class Flat(JustContent):
    """`sessions_db_….db.gz`, `config_….tar.gz`, `manifest_….json`."""

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:  # noqa: ARG002 - the protocol's signature
        """What the source's own tools read."""
        return forms[0]

    def compresses(self, component: Component, asked: bool | None) -> bool:
        """Everything unless databases were asked to stay as they are."""
        return container_of(component) is Container.TAR or asked is not False

    def content_name(self, dated: Dated, component: Component, entry: str, *, leading: bool) -> str:
        """`<stem>_<stamp><ending>`, with the stem of the database file, `config`, or the source's name."""
        if component.role is Role.DATABASE and leading:
            stem = plain(re.sub(r"\.[A-Za-z0-9]{1,10}\Z", "", component.file_name)) + "_db"
        elif component.role is Role.CONFIG and leading:
            stem = "config"
        else:
            stem = plain(component.name)
        if component.form is Form.CHANGES:
            stem += "_changes"
        if container_of(component) is Container.TAR:
            return f"{stem}_{dated.stamp}.tar"
        if container_of(component) is Container.FILES:
            name, dot, rest = entry.rpartition(".")
            return f"{stem}_{plain(name if dot else entry)}_{dated.stamp}" + (f".{plain(rest)}" if dot else "")
        return f"{stem}_{dated.stamp}{ending(component)}"

    def record_name(self, dated: Dated, files: Sequence[FileRow]) -> str:  # noqa: ARG002 - the protocol's signature
        """`manifest_<stamp>.json`."""
        return f"manifest_{dated.stamp}.json"

    def record_fields(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> dict[str, object]:
        """Stamp, status and paths."""
        return {
            "timestamp": dated.stamp,
            "created_at": manifest.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "type": dated.type.value,
            "status": "success" if manifest.outcome is Outcome.COMPLETE else "partial",
            "backups": [
                {"path": locate(file.name), "source": file.component, "size": file.size_bytes, "sha256": file.sha256}
                for file in files
                if file.purpose == "content"
            ],
        }

    def records(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The manifests."""
        return {match[1]: [match[0]] for name in names if (match := _RECORD.fullmatch(name)) is not None}
