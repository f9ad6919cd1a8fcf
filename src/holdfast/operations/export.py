"""Writes a backup into one self-contained file."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import BackupNotFound, DamageError, HoldfastError, ObjectExists
from holdfast.model.backup import StoredBackup
from holdfast.model.event import Warned
from holdfast.operations import log
from holdfast.operations.base import chain_of
from holdfast.operations.choice import chosen_targets, copies_of, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.export_file import ExportFile
from holdfast.operations.opening import named_backup, nearest_first
from holdfast.operations.reports import ExportReport
from holdfast.operations.requests import ExportRequest


def export_backup(context: AppContext, request: ExportRequest) -> ExportReport:
    """Writes a zip that holds everything of a backup, what it is built on, and a page on restoring it by hand.

    The file appears whole or not at all, and never takes the place of one that is there.

    Raises:
        BackupNotFound: there is no such backup.
        ObjectExists: the file is there already.
        DamageError: every copy is damaged.
        OutOfSpace, BackendError: the file cannot be written.
    """
    context = log.logging_warnings(context)
    targets = chosen_targets(context, (request.from_target,) if request.from_target else ())
    with log.logged(context, "Export"):
        found, unreachable = stored_backups(targets)
        named = named_backup(request.what, targets, found, unreachable)
        path = request.output or Path(f"{named.backup_id}.zip")
        if path.is_dir():
            path /= f"{named.backup_id}.zip"
        if path.exists() or path.is_symlink():
            raise ObjectExists(object=path.name, url=str(path.parent))
        report = _from_any(context, found, nearest_first(copies_of(found, named.backup_id), context.targets), path)
        log.write(context, log.INFO, f"Export completed successfully: {report.backup_id} to {report.path}")
        return report


def _from_any(
    context: AppContext, found: dict[str, list[StoredBackup]], copies: list[StoredBackup], path: Path
) -> ExportReport:
    """From the nearest copy that turns out to be whole."""
    first: HoldfastError | None = None
    for stored in copies:
        try:
            return _export(context, stored, found[stored.target], path)
        except DamageError as error:
            first = first or error
            context.listener(Warned(code=error.code, subject=stored.target, detail=error.phrase))
    raise first or BackupNotFound(backup="latest", target=", ".join(found))


def _export(context: AppContext, stored: StoredBackup, backups: list[StoredBackup], path: Path) -> ExportReport:
    target = context.targets[stored.target]
    with ExportFile(path, context.cancel.raise_if_cancelled, context.listener) as file:
        for name in stored.manifest.components:
            for step, link in enumerate(chain_of(stored, name, backups)):
                file.add(target.content(link, name), link, step)
        return file.finish(stored.manifest, context.language)
