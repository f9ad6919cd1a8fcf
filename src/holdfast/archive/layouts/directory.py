"""Layout `directory`: a directory for each backup, a JSON file for each table, and a summary to read.

Source: the guide of the Django app `backup`, section on the contents of `backups/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from holdfast.archive.layouts.layout import STAMP, Container, Dated, Extra, FileRow, container_of, plain
from holdfast.archive.layouts.typed import Typed
from holdfast.model.backup import Manifest, Outcome
from holdfast.model.component import Component, Form, Role

_RECORD = re.compile(rf"backup_({STAMP})/backup_report\.json")


class Directory(Typed):
    """`backup_…/complete_database.json`, `backup_…/projects.json`, `backup_…/backup_report.json`."""

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:  # noqa: ARG002 - the protocol's signature
        """JSON by table where there is such a thing, else what the source's own tools read."""
        return Form.TABLES if Form.TABLES in forms else forms[0]

    def compresses(self, component: Component, asked: bool | None) -> bool:
        """Tables stay readable unless asked for."""
        if component.form is Form.TABLES:
            return asked is True
        return super().compresses(component, asked)

    def content_name(self, dated: Dated, component: Component, entry: str, *, leading: bool) -> str:
        """`<table>.json`; everything else as in `typed`, without its folders."""
        if container_of(component) is Container.FILES:
            prefix = "" if leading and component.role is Role.TABLES else f"{plain(component.name)}_"
            stem, dot, rest = entry.rpartition(".")
            base = f"{plain(stem)}.{plain(rest)}" if dot else plain(entry)
            return f"{self.folder_of(dated)}/{prefix}{base}"
        return super().content_name(dated, component, entry, leading=leading)

    def record_name(self, dated: Dated, files: Sequence[FileRow]) -> str:  # noqa: ARG002 - the protocol's signature
        """`backup_<stamp>/backup_report.json`."""
        return f"{self.folder_of(dated)}/backup_report.json"

    def complete_name(self, dated: Dated, component: Component, *, leading: bool) -> str:
        """`complete_database.json`, which joins all tables."""
        if component.form is not Form.TABLES:
            return ""
        prefix = "" if leading else f"{plain(component.name)}_"
        return f"{self.folder_of(dated)}/{prefix}complete_database.json"

    def extras(
        self,
        dated: Dated,
        manifest: Manifest,
        files: Sequence[FileRow],
        locate: Callable[[str], str],  # noqa: ARG002 - the protocol's signature
    ) -> Iterable[Extra]:
        """The summary."""
        yield Extra(f"{self.folder_of(dated)}/backup_summary.txt", "", _summary(dated, manifest, files).encode())

    def record_fields(
        self, dated: Dated, manifest: Manifest, files: Sequence[FileRow], locate: Callable[[str], str]
    ) -> dict[str, object]:
        """Name, time, status, rows by table and files."""
        rows = {table: count for one in manifest.components.values() for table, count in one.rows.items()}
        return {
            "backup_name": self.folder_of(dated),
            "backup_type": dated.type.value,
            "created_at": manifest.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": "completed" if manifest.outcome is Outcome.COMPLETE else "partial",
            "path": locate(self.folder_of(dated)),
            "duration_seconds": round((manifest.finished_at - manifest.created_at).total_seconds(), 3),
            "file_size": sum(file.size_bytes for file in files),
            "statistics": rows,
            "created_files": sorted(file.name.rpartition("/")[2] for file in files if file.purpose != "state"),
        }

    def records(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The reports."""
        return {match[1]: [match[0]] for name in names if (match := _RECORD.fullmatch(name)) is not None}

    def folder_of(self, dated: Dated) -> str:
        """`backup_<stamp>`."""
        return f"backup_{dated.stamp}"

    def _in_folder(self, dated: Dated, folder: str, base: str) -> str:  # noqa: ARG002 - everything in one directory
        return f"{self.folder_of(dated)}/{base}"


def _summary(dated: Dated, manifest: Manifest, files: Sequence[FileRow]) -> str:
    lines = [
        f"Backup:   {dated.backup_id}",
        f"App:      {manifest.app}",
        f"Type:     {dated.type.value}",
        f"Created:  {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"Finished: {manifest.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        f"Status:   {manifest.outcome.value}",
        "",
    ]
    for component in manifest.components.values():
        lines.append(
            f"{component.name} ({component.kind}): {component.file_count} files, {component.content_bytes} bytes"
        )
        lines += [f"  {table}: {count} rows" for table, count in component.rows.items()]
        lines += [f"  problem: {problem.code} {problem.subject}" for problem in component.problems]
    lines += ["", "Files (SHA-256, size, name):"]
    lines += [f"{file.sha256}  {file.size_bytes:>12}  {file.name.rpartition('/')[2]}" for file in files]
    return "\n".join(lines) + "\n"
