"""One prune: look at everything, decide, then delete in an order that a crash cannot make worse.

    packs that no index lists are deleted
    needed blobs are copied into new packs, which are listed in new index files
    index files that list packs about to go are replaced
    these packs are deleted

At each moment every blob in use lies in a pack that an index file lists. A crash leaves copies and unlisted packs,
which the next prune removes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from holdfast.backends.leftovers import collect_leftovers
from holdfast.errors import DamageError, HoldfastError, ObjectNotFound, PruneRefused
from holdfast.model.event import Listener, ignore
from holdfast.model.ids import IndexId, PackId, SnapshotId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind
from holdfast.repository.index import Index
from holdfast.repository.index_rewrite import IndexRewrite
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.prune.options import PruneOptions, PrunePlan, PruneStats
from holdfast.repository.prune.plan import make_plan
from holdfast.repository.prune.repack import Repacker
from holdfast.repository.reader import Reader
from holdfast.repository.removal import RemovalFailure, remove_files
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot
from holdfast.repository.trees import mark_references
from holdfast.repository.writer import PackWriter, WriterCounts
from holdfast.runtime.cancel import CancelToken

_LEFTOVER_AGE_S = 24 * 3600.0


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune did.

    Attributes:
        stats: what was found and decided.
        dry_run: whether that was all.
        copied_blobs, copied_bytes: what was written into new packs.
        packs_removed: packs that were deleted.
        indexes_written, indexes_removed: index files.
        failed: packs that could not be deleted; the next prune tries again.
    """

    stats: PruneStats
    dry_run: bool
    copied_blobs: int = 0
    copied_bytes: int = 0
    packs_removed: int = 0
    indexes_written: int = 0
    indexes_removed: int = 0
    failed: tuple[RemovalFailure, ...] = ()


def prune(
    repository: Repository,
    index: Index,
    lock: RepositoryLock,
    options: PruneOptions,
    *,
    ignoring: Collection[SnapshotId] = (),
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> PruneReport:
    """Plans and, unless it is a dry run, carries the plan out.

    Args:
        index: brought up to date before anything else.
        lock: held exclusively; looked after before each step that counts.
        ignoring: snapshots that a dry run shall take for deleted.

    Raises:
        PruneRefused: the repository is not whole; nothing was deleted.
        DamageError: a blob to be copied is damaged in every copy; whatever is needed is still where it was.
        LockLost, Interrupted: stopped; the next prune goes on from here.
    """
    plan = prepare(repository, index, lock, options, ignoring=ignoring, listener=listener, cancel=cancel)
    if options.dry_run:
        return PruneReport(stats=plan.stats, dry_run=True)
    return execute(repository, index, lock, plan, options, listener=listener, cancel=cancel)


# --- deciding ------------------------------------------------------------------------------------


def prepare(
    repository: Repository,
    index: Index,
    lock: RepositoryLock,
    options: PruneOptions,
    *,
    ignoring: Collection[SnapshotId] = (),
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> PrunePlan:
    """Looks at everything and decides; changes nothing. Arguments and errors as for `prune`."""
    if not lock.exclusive and not options.dry_run:
        raise ValueError("pruning needs an exclusive lock")
    if ignoring and not options.dry_run:
        raise ValueError("snapshots that exist can be ignored in a dry run only")
    try:
        # SAFETY: under the lock, so that whatever somebody stored a moment ago is known. A pack that is not listed
        # in what is read here will be deleted.
        index.sync(listener)
        roots = _roots(repository, ignoring)
        used = mark_references(Reader(repository, index), roots, listener=listener, cancel=cancel)
    except (DamageError, ObjectNotFound) as error:
        raise PruneRefused(reason=error.phrase) from error
    sizes = {PackId(bytes.fromhex(entry.name)): entry.size_bytes for entry in repository.backend.list(FileKind.PACK)}
    return make_plan(_ListedPacks(index), (used.data, used.trees), sizes, options, version=repository.config.version)


def _roots(repository: Repository, ignoring: Collection[SnapshotId]) -> list[bytes]:
    """The trees of all snapshots. One that cannot be read stops everything: who knows what it needs."""
    names = [SnapshotId(name) for name in repository.names(FileKind.SNAPSHOT) if name not in ignoring]
    threads = max(1, min(16, repository.backend.connections))
    with ThreadPoolExecutor(threads, thread_name_prefix="holdfast-snapshots") as executor:
        return [snapshot.tree for snapshot in executor.map(partial(load_snapshot, repository), names)]


class _ListedPacks:
    """The packs of an index, each once, as often as they are asked for."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __iter__(self) -> Iterator[Pack]:
        seen: set[PackId] = set()
        for pack in self._index.packs():
            if pack.id not in seen:
                seen.add(pack.id)
                yield pack


# --- doing ---------------------------------------------------------------------------------------


def execute(
    repository: Repository,
    index: Index,
    lock: RepositoryLock,
    plan: PrunePlan,
    options: PruneOptions,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> PruneReport:
    """Carries out a plan made under the same lock."""
    run = _Run(repository, index, lock, plan, options, listener, cancel or CancelToken())
    return run.execute()


class _Run:
    def __init__(
        self,
        repository: Repository,
        index: Index,
        lock: RepositoryLock,
        plan: PrunePlan,
        options: PruneOptions,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self.repository = repository
        self.index = index
        self.lock = lock
        self.plan = plan
        self.options = options
        self.listener = listener
        self.cancel = cancel
        self.packs_removed = 0
        self.written: list[IndexId] = []
        self.failed: list[RemovalFailure] = []

    def execute(self) -> PruneReport:
        plan = self.plan
        self._remove(plan.unreferenced)
        copied = self._repack() if plan.repack else WriterCounts()
        gone = [*plan.remove, *plan.repack]
        change = self._drop(gone)
        self._collect_leftovers()
        return PruneReport(
            stats=plan.stats,
            dry_run=False,
            copied_blobs=copied.data_blobs + copied.tree_blobs,
            copied_bytes=copied.stored_bytes,
            packs_removed=self.packs_removed,
            indexes_written=len(self.written) + (len(change.written) if change is not None else 0),
            indexes_removed=len(change.former) if change is not None else 0,
            failed=tuple(self.failed),
        )

    def _repack(self) -> WriterCounts:
        with PackWriter(
            self.repository,
            self.index,
            pack_bytes=self.options.pack_bytes,
            before_commit=self.lock.ensure_held,
        ) as writer:
            try:
                Repacker(self.repository, self.index, writer, self.plan, self.options, self.listener, self.cancel).run()
                # DURABILITY: the copies are stored and listed before anything they were copied from is touched.
                writer.flush()
                self.written = writer.index_ids
            except BaseException:
                with contextlib.suppress(HoldfastError):
                    writer.checkpoint()
                raise
            return writer.counts

    def _drop(self, gone: list[PackId]) -> IndexRewrite | None:
        """Takes packs out of the index and deletes them."""
        if not gone and not self.plan.vanished:
            return None
        change = IndexRewrite(
            self.repository,
            self.index,
            self.lock,
            {*gone, *self.plan.vanished},
            keep=self.written,
            listener=self.listener,
            cancel=self.cancel,
        )
        # DURABILITY: no index file may list a pack that is gone: others would rely on what it held.
        if self.options.unsafe_recover_no_free_space:
            change.remove_former()
            self._remove(gone)
            change.write()
            change.settle()
        else:
            change.write()
            change.remove_former()
            change.settle()
            self._remove(gone)
        return change

    def _remove(self, packs: Collection[PackId]) -> None:
        # SAFETY: only what the plan names; `make_plan` proved that nothing needed lies there alone.
        done = remove_files(
            self.repository, self.lock, FileKind.PACK, list(packs), listener=self.listener, cancel=self.cancel
        )
        self.packs_removed += len(done.removed)
        self.failed += done.failed

    def _collect_leftovers(self) -> None:
        """Temporary files of writers that died, where the storage has such a thing."""
        collect_leftovers(self.repository.backend, _LEFTOVER_AGE_S)
