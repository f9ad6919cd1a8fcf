"""Writes a backup into one self-contained file."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import BackupNotFound, DamageError, HoldfastError, ObjectExists, Phrase, UsageError
from holdfast.model.backup import StoredBackup
from holdfast.model.component import Form
from holdfast.model.event import Warned
from holdfast.operations import log
from holdfast.operations.choice import chosen_targets, copies_of, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.export_file import ExportFile
from holdfast.operations.opening import named_backup, nearest_first
from holdfast.operations.reports import ExportReport
from holdfast.operations.requests import ExportRequest

_ONLY_CHANGES = (
    "of {names}, backup {backup} holds changes only, which nobody can restore from one file; "
    "export the full backup before it, or restore it with --to and pack what comes out"
)


def export_backup(context: AppContext, request: ExportRequest) -> ExportReport:
    """Writes a zip that holds everything of a backup, and a page on restoring it by hand.

    The file appears whole or not at all, and never takes the place of one that is there.

    Raises:
        BackupNotFound: there is no such backup.
        UsageError: there are only copies that hold changes.
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
        copies = nearest_first(copies_of(found, named.backup_id), context.targets)
        report = _from_any(context, found, _whole_of(copies), path)
        log.write(context, log.INFO, f"Export completed successfully: {report.backup_id} to {report.path}")
        return report


def _whole_of(copies: list[StoredBackup]) -> list[StoredBackup]:
    """Copies that hold everything, as those in a repository do.

    Changes are of no use to whoever has only the file and standard tools: nothing but Holdfast can apply them.
    """
    whole = [stored for stored in copies if not _changed_parts(stored)]
    if copies and not whole:
        values = {"backup": copies[0].backup_id, "names": ", ".join(_changed_parts(copies[0]))}
        raise UsageError(detail=Phrase(_ONLY_CHANGES, values))
    return whole


def _changed_parts(stored: StoredBackup) -> list[str]:
    components = stored.manifest.components
    return [name for name, component in components.items() if component.form is Form.CHANGES]


def _from_any(
    context: AppContext, found: dict[str, list[StoredBackup]], copies: list[StoredBackup], path: Path
) -> ExportReport:
    """From the nearest copy that turns out to be whole."""
    first: HoldfastError | None = None
    for stored in copies:
        try:
            return _export(context, stored, path)
        except DamageError as error:
            first = first or error
            context.listener(Warned(code=error.code, subject=stored.target, detail=error.phrase))
    raise first or BackupNotFound(backup="latest", target=", ".join(found))


def _export(context: AppContext, stored: StoredBackup, path: Path) -> ExportReport:
    target = context.targets[stored.target]
    with ExportFile(path, context.cancel.raise_if_cancelled, context.listener) as file:
        for name in stored.manifest.components:
            file.add(target.content(stored, name), stored)
        return file.finish(stored.manifest, context.language)
