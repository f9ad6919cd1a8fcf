"""Deleting files of an archive, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.archive.bundle_file import sum_name
from holdfast.archive.catalog import Catalog, Listed, marks_name
from holdfast.archive.journal import Journal, leftovers
from holdfast.archive.layouts.layout import Dated, Layout
from holdfast.backends.folders.abilities import WithDirectories
from holdfast.backends.folders.names import check_name
from holdfast.errors import BackendError
from holdfast.model.backup import BackupType
from holdfast.model.backup import stamp as stamp_of
from holdfast.protocols.folder import Folder


def remove_files(folder: Folder, journal: Journal, directory: str, *, last_first: bool = False) -> None:
    """Removes what a journal names, then the journal.

    Args:
        folder: the archive.
        journal: the files.
        directory: one that belongs to the backup alone; removed if nothing is left in it.
        last_first: the other way round, so that a record goes before what it names.

    Raises:
        BackendError: something could not be removed; everything else was, unless it was the first, which may be a
            record that names the others. The journal stays.
    """
    failed: BackendError | None = None
    names = journal.names
    ordered = names[::-1] if last_first else names
    for name in ordered:
        try:
            # SAFETY: only names that a run of ours noted before it wrote them.
            folder.remove(name)
        except BackendError as error:
            # SAFETY: while the record is there, so must be what it names.
            if name == ordered[0]:
                raise
            failed = error
    if failed is not None:
        raise failed
    folders = {name.rpartition("/")[0] for name in names if name.startswith(".holdfast/state/")} | {directory}
    if isinstance(folder, WithDirectories):
        for one in sorted(folders - {""}):
            folder.remove_directory(one)
    journal.close()


def remove_backups(folder: Folder, layout: Layout, listed: Iterable[Listed], others: Iterable[Listed]) -> None:
    """Removes backups: first the record, so that a backup is never listed without its files.

    A file that a record of another backup names as well is left alone.
    """
    kept = {row.name for one in others for row in one.files}
    for one in listed:
        backup_id = one.backup.backup_id
        names = [one.record_name, *(row.name for row in one.files if "!" not in row.name)]
        names += [one.bundle.name] if one.bundle is not None else []
        names += [sum_name(backup_id)] if one.bundle is not None else []
        names.append(marks_name(backup_id))
        journal = Journal(folder, backup_id)
        journal.note(*(name for name in names if name not in kept))
        remove_files(folder, journal, layout.folder_of(dated(backup_id, one.backup.manifest.type)))


def remove_leftovers(folder: Folder, layout: Layout, catalog: Catalog) -> list[str]:
    """Removes what runs left that died before their backup was one, or while it was being removed.

    SAFETY: a file is removed only if a journal of ours names it, its name carries the date of that very backup, no
    record says that the backup exists, no record of another one names the file, and no record of that date is damaged.
    Files of others, and our own that somebody copied here, are in no journal.

    Returns:
        The names that were removed.
    """
    pending = leftovers(folder)
    if not pending:
        return []
    listed = catalog.load()
    alive = {one.backup.backup_id for one in listed}
    named = {row.name for one in listed for row in one.files} | {one.record_name for one in listed}
    removed: list[str] = []
    for backup_id, names in pending.items():
        journal = Journal(folder, backup_id)
        stamp = stamp_of(backup_id)
        if backup_id in alive or stamp in catalog.unreadable:
            journal.close()
            continue
        ours = [name for name in names if name not in named and (stamp in name or backup_id in name)]
        ours = [name for name in ours if _is_name(name, folder)]
        journal.note(*ours)
        remove_files(folder, journal, layout.folder_of(dated(backup_id, BackupType.FULL)))
        removed += ours
    return removed


def _is_name(name: str, folder: Folder) -> bool:
    try:
        check_name(name, folder.url)
    except BackendError:
        return False
    return True


def dated(backup_id: str, kind: BackupType) -> Dated:
    """What names of a backup are made of."""
    return Dated(backup_id, stamp_of(backup_id), kind)
