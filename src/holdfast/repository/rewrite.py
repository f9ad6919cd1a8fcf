"""Snapshots made of snapshots: without some of their files, or with another host or time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from holdfast.errors import ContradictoryOptions, HoldfastError
from holdfast.format.timestamp import GO_ZERO_NS
from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot, SnapshotSummary
from holdfast.policy.patterns import Excludes, Includes
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import replace_snapshot, save_snapshot
from holdfast.repository.tree_filter import Filtered, TreeFilter
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

TAG = "rewrite"


class RewriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to change.

    Attributes:
        excludes: what to leave out; None for nothing.
        includes: what alone to keep; None for everything. Not together with `excludes`.
        new_host, new_time: in place of the snapshot's own.
        snapshot_summary: add counts of files and bytes to snapshots that have none.
        forget: delete the former snapshots; otherwise the new ones get a tag to tell them apart.
        dry_run: find out, and store nothing.
    """

    excludes: Excludes | None = None
    includes: Includes | None = None
    new_host: str | None = None
    new_time: Instant | None = None
    snapshot_summary: bool = False
    forget: bool = False
    dry_run: bool = False


class Rewritten(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that was changed, or would be.

    Attributes:
        former: its name.
        present: the new one's; None in a dry run.
        dropped: how many entries were left out, a directory with all in it counted as one.
    """

    former: SnapshotId
    present: SnapshotId | None
    dropped: int


class RewriteReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots were changed, and how many had nothing to change."""

    changed: tuple[Rewritten, ...]
    unchanged: int


def rewrite(
    repository: Repository,
    index: Index,
    lock: RepositoryLock,
    snapshots: Sequence[Snapshot],
    options: RewriteOptions,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RewriteReport:
    """Makes new snapshots. Their `original` names the snapshot each was made from.

    Entries that stay keep their bytes. Of the summary, the counts of all files and bytes are brought up to date. A
    snapshot of which `includes` would keep nothing is left as it is, as restic does.

    Args:
        index: synchronised.
        lock: held exclusively if former snapshots are to be deleted.

    Raises:
        ContradictoryOptions: both `excludes` and `includes`.
        DamageError: a tree cannot be read; nothing was changed.
        TargetError: something could not be stored; snapshots are as before, or exist in both forms.
    """
    if options.excludes is not None and options.includes is not None:
        raise ContradictoryOptions(first="--exclude", second="--include")
    if options.forget and not options.dry_run and not lock.exclusive:
        raise ValueError("deleting snapshots needs an exclusive lock")
    run = _Run(repository, index, lock, options, listener, cancel or CancelToken())
    return run.execute(snapshots)


class _Run:
    def __init__(
        self,
        repository: Repository,
        index: Index,
        lock: RepositoryLock,
        options: RewriteOptions,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self.repository = repository
        self.index = index
        self.lock = lock
        self.options = options
        self.listener = listener
        self.cancel = cancel

    def execute(self, snapshots: Sequence[Snapshot]) -> RewriteReport:
        with PackWriter(self.repository, self.index, before_commit=self.lock.ensure_held) as writer:
            try:
                planned = self._plan(writer, snapshots)
                # DURABILITY: the new trees, before any snapshot that needs them.
                writer.flush()
            except BaseException:
                with contextlib.suppress(HoldfastError):
                    writer.checkpoint()
                raise
        changed = [self._commit(former, present, dropped) for former, present, dropped in planned]
        return RewriteReport(changed=tuple(changed), unchanged=len(snapshots) - len(changed))

    def _plan(self, writer: PackWriter, snapshots: Sequence[Snapshot]) -> list[tuple[Snapshot, Snapshot, int]]:
        """(former, present, entries left out) for each snapshot that changes; its trees are in the writer."""
        options = self.options
        trees = TreeFilter(
            Reader(self.repository, self.index),
            options.includes or options.excludes or Excludes(),
            only_chosen=options.includes is not None,
            writer=None if options.dry_run else writer,
            cancel=self.cancel,
        )
        planned: list[tuple[Snapshot, Snapshot, int]] = []
        for number, snapshot in enumerate(snapshots):
            self.listener(Progress(phase="rewrite", items_done=number, items_total=len(snapshots)))
            filtered = trees.filter(snapshot.tree) if self._looks_into_trees() else None
            present = self._altered(snapshot, filtered)
            if present is not None:
                planned.append((snapshot, present, filtered.dropped if filtered is not None else 0))
        return planned

    def _looks_into_trees(self) -> bool:
        options = self.options
        return options.excludes is not None or options.includes is not None or options.snapshot_summary

    def _altered(self, snapshot: Snapshot, filtered: Filtered | None) -> Snapshot | None:
        """The new snapshot, None if it would be the same or empty."""
        options = self.options
        altered = snapshot
        if filtered is not None:
            if filtered.tree is None:
                return None
            if filtered.tree != snapshot.tree or options.snapshot_summary:
                summary = _summary(snapshot.summary, filtered)
                altered = msgspec.structs.replace(altered, tree=filtered.tree, summary=summary)
        if options.new_host is not None:
            altered = msgspec.structs.replace(altered, hostname=options.new_host)
        if options.new_time is not None:
            altered = msgspec.structs.replace(altered, time=options.new_time)
        if altered == snapshot:
            return None
        tags = snapshot.tags if options.forget or TAG in snapshot.tags else (*snapshot.tags, TAG)
        return msgspec.structs.replace(altered, original=snapshot.id, tags=tags)

    def _commit(self, former: Snapshot, present: Snapshot, dropped: int) -> Rewritten:
        assert former.id is not None
        if self.options.dry_run:
            return Rewritten(former=former.id, present=None, dropped=dropped)
        self.cancel.raise_if_cancelled()
        if self.options.forget:
            name: SnapshotId | None = replace_snapshot(self.repository, self.lock, former.id, present)
        else:
            self.lock.ensure_held()
            name = save_snapshot(self.repository, present).id
        return Rewritten(former=former.id, present=name, dropped=dropped)


def _summary(former: SnapshotSummary | None, filtered: Filtered) -> SnapshotSummary:
    """COMPAT(restic): where there was none, everything but the two totals is zero, times included."""
    zero = Instant(ns=GO_ZERO_NS)
    return msgspec.structs.replace(
        former or SnapshotSummary(backup_start=zero, backup_end=zero),
        total_files_processed=filtered.files,
        total_bytes_processed=filtered.size_bytes,
    )
