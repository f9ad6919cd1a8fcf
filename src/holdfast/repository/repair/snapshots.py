"""Writing snapshots anew without what is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from holdfast import __version__
from holdfast.errors import DamageError, HoldfastError, ObjectNotFound
from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.removal import remove_files
from holdfast.repository.repair.trees import Change, TreeRepair
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot, save_snapshot
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

TAG = "repaired"


class RepairedSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one snapshot.

    Attributes:
        id: the damaged snapshot.
        new: the snapshot that takes its place; None in a dry run and where nothing could be saved.
        changes: what is missing from it, at most 1000 of them.
        changes_total: how many there are.
    """

    id: SnapshotId
    new: SnapshotId | None
    changes: tuple[Change, ...]
    changes_total: int


class RepairSnapshotsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a repair of snapshots did.

    Attributes:
        whole: how many snapshots needed nothing.
        repaired: those that did.
        unreadable: snapshot files that are no snapshot any more.
        removed: the originals that were deleted.
        dry_run: whether nothing was written.
    """

    whole: int
    repaired: tuple[RepairedSnapshot, ...]
    unreadable: tuple[SnapshotId, ...]
    removed: tuple[SnapshotId, ...]
    dry_run: bool


def repair_snapshots(
    repository: Repository,
    lock: RepositoryLock,
    snapshots: Sequence[SnapshotId] | None = None,
    forget: bool = False,
    dry_run: bool = False,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RepairSnapshotsReport:
    """Makes new snapshots that hold everything of the damaged ones that can still be restored.

    Content that no index lists is cut out of files, a directory that cannot be read becomes an empty one, entries
    that cannot be are left out. New snapshots carry the tag `repaired` and the id of the original.

    Args:
        lock: held exclusively if originals are to be deleted.
        snapshots: which ones; None for all.
        forget: delete the originals after the new ones are stored, and snapshot files that cannot be read at all.
        dry_run: find out what would be done.

    Raises:
        BackendError: the storage failed; no original without a successor was deleted.
        LockLost, Interrupted: stopped; the same holds.
    """
    wanted = [SnapshotId(name) for name in repository.names(FileKind.SNAPSHOT)] if snapshots is None else snapshots
    with Index(repository, persistent=False) as index:
        index.sync(listener, on_damage=[])
        with PackWriter(repository, index, before_commit=lock.ensure_held) as writer:
            trees = TreeRepair(Reader(repository, index), None if dry_run else writer, cancel or CancelToken())
            run = _Run(repository, lock, trees, listener, forget=forget, dry_run=dry_run)
            try:
                run.examine(wanted)
                if not dry_run:
                    # INVARIANT: the new trees are durable and indexed before a snapshot refers to them.
                    writer.flush()
            except BaseException:
                with contextlib.suppress(HoldfastError):
                    writer.checkpoint()
                raise
            return run.commit()


class _Run:
    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        trees: TreeRepair,
        listener: Listener,
        *,
        forget: bool,
        dry_run: bool,
    ) -> None:
        self.repository = repository
        self.lock = lock
        self.trees = trees
        self.listener = listener
        self.forget = forget
        self.dry_run = dry_run
        self.whole = 0
        self.unreadable: list[SnapshotId] = []
        self.damaged: list[tuple[Snapshot, BlobId | None, tuple[Change, ...], int]] = []

    def examine(self, wanted: Sequence[SnapshotId]) -> None:
        """Repairs the trees of each snapshot."""
        for done, snapshot_id in enumerate(wanted, 1):
            self.listener(Progress(phase="snapshots", items_done=done, items_total=len(wanted)))
            try:
                snapshot = load_snapshot(self.repository, snapshot_id)
            except ObjectNotFound:
                continue
            except DamageError:
                self.unreadable.append(snapshot_id)
                continue
            tree, changes, total = self.trees.repair(snapshot.tree)
            if total:
                self.damaged.append((snapshot, tree, changes, total))
            else:
                self.whole += 1

    def commit(self) -> RepairSnapshotsReport:
        """Stores the new snapshots, then deletes the originals."""
        repaired: list[RepairedSnapshot] = []
        for snapshot, tree, changes, total in self.damaged:
            new = None
            if tree is not None and not self.dry_run:
                self.lock.ensure_held()
                new = save_snapshot(self.repository, _successor(snapshot, tree)).id
            assert snapshot.id is not None
            repaired.append(RepairedSnapshot(id=snapshot.id, new=new, changes=changes, changes_total=total))
        removed: tuple[bytes, ...] = ()
        if self.forget and not self.dry_run:
            # SAFETY: each has a successor, or holds nothing that anybody could restore.
            originals = [item.id for item in repaired] + self.unreadable
            done = remove_files(self.repository, self.lock, FileKind.SNAPSHOT, originals, listener=self.listener)
            removed = done.removed
        return RepairSnapshotsReport(
            whole=self.whole,
            repaired=tuple(repaired),
            unreadable=tuple(self.unreadable),
            removed=tuple(map(SnapshotId, removed)),
            dry_run=self.dry_run,
        )


def _successor(snapshot: Snapshot, tree: BlobId) -> Snapshot:
    tags = snapshot.tags if TAG in snapshot.tags else (*snapshot.tags, TAG)
    # What the summary counted is not what the new snapshot holds.
    return replace(
        snapshot,
        tree=tree,
        tags=tags,
        original=snapshot.original or snapshot.id,
        summary=None,
        id=None,
        program_version=f"holdfast {__version__}",
    )
