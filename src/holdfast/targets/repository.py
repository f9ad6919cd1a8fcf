"""A target that keeps each backup as one snapshot of a repository in the restic format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from holdfast.backends.registry import open_backend
from holdfast.errors import (
    BackupNotFound,
    ComponentNotFound,
    DamageError,
    ObjectNotFound,
    Phrase,
    RemovalIncomplete,
    ShortRead,
    TargetError,
)
from holdfast.model.backup import Manifest, Marks, StoredBackup
from holdfast.model.component import Form, Problem, Role
from holdfast.model.event import Listener
from holdfast.model.ids import short
from holdfast.model.snapshot import Snapshot
from holdfast.protocols.content import StoredContent
from holdfast.protocols.target import BackupWriter
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.index import Index
from holdfast.repository.local_copies import past_caches
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.prune.run import prune
from holdfast.repository.reader import Reader
from holdfast.repository.snapshots import load_snapshot
from holdfast.repository.tags import TagChange, change_tags
from holdfast.runtime.clock import Clock
from holdfast.targets.repository_access import BackendOpener, RepositoryAccess
from holdfast.targets.repository_content import RepositoryContent
from holdfast.targets.repository_listing import Found, Listing, load_manifest, load_root
from holdfast.targets.repository_marks import LocalMarks, hold_of, with_hold
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.targets.repository_settings import prune_options_of
from holdfast.targets.repository_verify import Verification
from holdfast.targets.repository_writer import RepositoryBackupWriter


class RepositoryTarget:
    """Keeps backups of one application in a repository, which others may share.

    Args:
        name: the operator's name for it.
        options: where it is and how to treat it.
        base_dir: what a relative path is relative to.
        app_name: whose backups these are; snapshots of others are left alone.
        state_dir: the application's state directory.
        clock: where times come from.
        opener: opens the storage.
    """

    def __init__(
        self,
        name: str,
        options: RepositoryOptions,
        base_dir: Path,
        app_name: str,
        state_dir: Path,
        clock: Clock,
        *,
        opener: BackendOpener = open_backend,
    ) -> None:
        self._name = name
        self._options = options
        self._app = app_name
        self._access = RepositoryAccess(options, base_dir, state_dir / "repositories" / name, clock, opener)
        self._listing = Listing(self._access, app_name, state_dir / "manifests" / name)
        self._marks = LocalMarks(state_dir / "marks" / name)

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    @property
    def kind(self) -> str:
        """`repository`."""
        return "repository"

    @property
    def url(self) -> str:
        """Where it is, for people, with secrets left out."""
        return self._access.url

    def form_for(self, forms: Sequence[Form], role: Role) -> Form:
        """The form that deduplicates best: what the source's own tools read, uncompressed."""
        del role
        return next((form for form in (Form.NATIVE, Form.TABLES, Form.SQL) if form in forms), forms[0])

    @property
    def keeps_changes(self) -> bool:
        """False: whatever a repository has already is not stored again."""
        return False

    # --- making ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Opens the repository or makes it, and locks it against being pruned until the backup is committed.

        Raises:
            RepositoryNotFound: there is none and it must not be made, or there was one before.
            WrongPassword: the password opens none of its keys.
            BackendError: it cannot be written to.
        """
        self._access.prepare()

    @property
    def is_to_be_made(self) -> bool:
        """Whether the repository may be made, and was not there when this machine last looked."""
        return self._access.may_be_made

    def free_bytes(self) -> int | None:
        """How much more fits on a local disk; None elsewhere."""
        return self._access.free_bytes()

    def begin(self, manifest: Manifest) -> BackupWriter:
        """Begins a backup; id, type and times of the manifest are known.

        Raises:
            ObjectExists: there is a backup of that id.
        """
        if manifest.app != self._app:
            raise TargetError(
                detail=Phrase(
                    "target {name} keeps backups of {app}, not of {other}",
                    {"name": self._name, "app": self._app, "other": manifest.app},
                )
            )
        return RepositoryBackupWriter(self._access, self._listing, manifest, self._name)

    # --- finding --------------------------------------------------------------------------------

    def backups(self) -> list[StoredBackup]:
        """Committed backups, newest first. Raises `DamageError` if the index is damaged."""
        return [self._stored(found) for found in self._listing.backups().values()]

    @property
    def problems(self) -> list[Problem]:
        """Snapshots that the last listing could not read."""
        return list(self._listing.problems)

    def _stored(self, found: Found) -> StoredBackup:
        snapshot = found.snapshot
        marks = self._marks.read(found.manifest.backup_id, hold_of(snapshot.tags))
        return StoredBackup(target=self._name, manifest=found.manifest, location=short(snapshot.id or b""), marks=marks)

    def _find(self, backup: StoredBackup) -> Found:
        found = self._listing.backups().get(backup.backup_id)
        if found is None:
            raise BackupNotFound(backup=backup.backup_id, target=self._name)
        return found

    # --- reading --------------------------------------------------------------------------------

    def content(self, backup: StoredBackup, component: str) -> StoredContent:
        """A component of a backup. Raises `ComponentNotFound`."""
        described = backup.manifest.components.get(component)
        self._access.protect_reading()
        reader = self._access.reader()
        root = load_root(reader, self._find(backup).snapshot)
        folder = root.get(component.encode())
        if described is None or folder is None:
            known = ", ".join(backup.manifest.components)
            raise ComponentNotFound(backup=backup.backup_id, component=component, known=known)
        return RepositoryContent(reader, described, folder)

    def state(self, backup: StoredBackup, component: str, into: Path) -> bool:
        """False: nothing is kept beside a component, because every backup here is complete."""
        del backup, component, into
        return False

    def verify(self, backup: StoredBackup, listener: Listener) -> list[Problem]:
        """Reads everything of a backup from the storage itself and compares hashes; what is wrong, or nothing.

        Raises:
            BackupNotFound: it is gone.
            DamageError: the index is damaged, so that nothing can be found.
        """
        self._access.protect_reading()
        snapshot = self._find(backup).snapshot
        repository = past_caches(self._access.open())
        # What is kept on this machine would hide damage, that of index files too.
        with Index(repository, private=True) as index:
            index.sync()
            return _verify(Reader(repository, index), backup, snapshot, listener)

    # --- changing -------------------------------------------------------------------------------

    def mark(self, backup: StoredBackup, marks: Marks) -> None:
        """Replaces what is noted about a backup: holds in the repository, the rest on this machine."""
        found = self._find(backup)
        if any(with_hold(one.tags, marks) != one.tags for one in found.snapshots):
            self._rewrite_tags(found, marks)
        self._marks.write(backup.backup_id, marks)

    def _rewrite_tags(self, found: Found, marks: Marks) -> None:
        wanted = TagChange(replace=with_hold(found.snapshot.tags, marks))
        with self._access.exclusive() as lock:
            repository = self._access.open()
            change_tags(repository, lock, [found.snapshot], wanted)
            # What an interrupted change of tags left is the same backup once more.
            self._forget([one for one in found.snapshots if one.id != found.snapshot.id], lock)

    def _forget(self, snapshots: Sequence[Snapshot], lock: RepositoryLock) -> None:
        if not snapshots:
            return
        # SAFETY: each of them is tagged with this application's name and with the id of a backup to be deleted.
        report = forget(self._access.open(), lock, plan_by_name(snapshots))
        if report.failed:
            raise RemovalIncomplete(url=self.url, count=len(report.failed))

    def remove(self, backups: Sequence[StoredBackup]) -> None:
        """Deletes backups, then what they alone needed.

        Raises:
            RepositoryLocked: others work with the repository.
            RemovalIncomplete: some files could not be deleted.
        """
        if not backups:
            return
        known = self._listing.backups()
        snapshots = [
            one for backup in backups if backup.backup_id in known for one in known[backup.backup_id].snapshots
        ]
        with self._access.exclusive() as lock:
            self._forget(snapshots, lock)
            self._marks.forget(backup.backup_id for backup in backups)
            report = prune(self._access.open(), self._access.index(), lock, prune_options_of(self._options))
        if report.failed:
            raise RemovalIncomplete(url=self.url, count=len(report.failed))

    def close(self) -> None:
        """Gives back connections and locks."""
        self._access.close()


def _verify(reader: Reader, backup: StoredBackup, snapshot: Snapshot, listener: Listener) -> list[Problem]:
    name = short(snapshot.id or b"")
    try:
        stored = load_snapshot(reader.repository, snapshot.id) if snapshot.id is not None else snapshot
        root = load_root(reader, stored)
        if load_manifest(reader, root) != backup.manifest:
            return [Problem(code="manifest-differs", subject="manifest.json", detail="it is not the one that is known")]
    except (DamageError, ObjectNotFound, ShortRead) as error:
        return [Problem(code="snapshot-damaged", subject=f"snapshot {name}", detail=error.phrase)]
    return Verification(reader, backup, listener).run(stored.tree, root)
