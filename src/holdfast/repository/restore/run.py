"""One restore: from a snapshot to files that are proved to be right."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import wait
from pathlib import Path

from holdfast.errors import HoldfastError, UsageError
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import BlobId
from holdfast.model.snapshot import Snapshot
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.restore.batch import Batch
from holdfast.repository.restore.directories import Directories, Directory
from holdfast.repository.restore.fetch import Fetcher, Job
from holdfast.repository.restore.finish import Finisher
from holdfast.repository.restore.metadata import Rights
from holdfast.repository.restore.placing import Placer
from holdfast.repository.restore.planner import Planner
from holdfast.repository.restore.report import RestoreOptions, RestoreProblem, RestoreReport
from holdfast.repository.restore.safe_fs import Root
from holdfast.repository.restore.selection import Selection
from holdfast.repository.restore.walk import Entered, Item, Left, find_subfolder, walk
from holdfast.repository.restore.work import Setup
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool

_BATCHES_IN_FLIGHT = 2
_TELL_EVERY_S = 0.1


def restore_snapshot(
    repository: Repository,
    index: Index,
    snapshot: Snapshot,
    target: Path | bytes,
    options: RestoreOptions,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
    pool: WorkerPool | None = None,
) -> RestoreReport:
    """Restores a snapshot, or a part of it, into a directory.

    Nothing outside the directory is ever touched, whatever the snapshot contains and whoever else writes to the
    directory meanwhile. Items that cannot be restored are listed in the report, and all others are restored.

    Args:
        repository: a shared lock is held on it.
        index: synchronised with the repository.
        target: made if it is not there.
        listener: told about progress and each problem.
        cancel: stops between files; what was restored stays.
        pool: processes that do the work; else threads do it.

    Raises:
        PathNotFound: the subfolder is not in the snapshot.
        UsageError: `delete` would apply to the root of this system.
        RestoreError: the target cannot be made, or takes nothing more.
        DamageError: the snapshot's root cannot be read.
        TargetError: the storage failed.
        Interrupted: cancelled.
    """
    path = os.fsencode(target)
    patterns = options.includes or options.insensitive_includes
    if options.delete and os.path.realpath(path) == b"/" and not patterns:
        raise UsageError(detail="--delete into / needs --include to say what may be deleted")
    began = repository.clock.monotonic()
    reader = Reader(repository, index)
    tree = find_subfolder(reader, snapshot, options.subfolder)
    exists = os.path.isdir(path)
    root = Root.prepare(path) if exists or not options.dry_run else None
    run = _Run(repository, reader, root, options, listener, cancel or CancelToken(), pool)
    try:
        report = run.execute(snapshot, tree)
    finally:
        run.close()
    report.duration_s = repository.clock.monotonic() - began
    return report


class _Run:
    def __init__(
        self,
        repository: Repository,
        reader: Reader,
        root: Root | None,
        options: RestoreOptions,
        listener: Listener,
        cancel: CancelToken,
        pool: WorkerPool | None,
    ) -> None:
        self._reader = reader
        self._options = options
        self._listener = listener
        self._cancel = cancel
        self._clock = repository.clock
        self._told = 0.0
        self._done_bytes = 0
        self._total = (0, 0)
        self._report = RestoreReport()
        rights = Rights.of_process(set_ids=options.set_ids)
        self._directories = Directories(root, rights, dry=options.dry_run)
        self._top = Directory(None, b"", None)
        self._top.fresh = root is None
        setup = Setup(root or Root(b"", 0, 0), repository.master, rights, options.sparse)
        self._fetcher = Fetcher(repository, setup, pool)
        self._selection = Selection(options)
        self._placer = Placer(self._directories, self._selection, options, rights, self._report, self._on_error)
        self._planner = Planner(
            reader.index,
            self._directories,
            self._fetcher,
            lambda file, error: self._on_error(file.path(), error),
            keep_ranges=options.verify,
            sparse=options.sparse,
            dry=options.dry_run,
        )
        self._finisher = Finisher(
            reader,
            self._directories,
            self._fetcher,
            setup,
            self._report,
            self._on_problem,
            self._on_bytes,
            verify=options.verify,
        )

    def close(self) -> None:
        """Waits for work in progress, so that nothing is written after this."""
        self._fetcher.close()
        self._directories.close()

    # --- the run --------------------------------------------------------------------------------

    def execute(self, snapshot: Snapshot, tree: BlobId) -> RestoreReport:
        if snapshot.summary is not None and self._selection.everything and not self._options.subfolder:
            self._total = (snapshot.summary.total_files_processed, snapshot.summary.total_bytes_processed)
        batch = Batch()
        flying: deque[tuple[Batch, list[Job]]] = deque()
        try:
            for step in walk(self._reader, tree, self._top, self._selection, self._on_error):
                if self._cancel.cancelled:
                    self._cancel.raise_if_cancelled()
                self._take(step, batch)
                if batch.full:
                    self._launch(batch, flying)
                    batch = Batch()
            self._launch(batch, flying)
            while flying:
                self._land(flying)
        finally:
            for _, jobs in flying:
                for job in jobs:
                    job.future.cancel()
            wait([job.future for _, jobs in flying for job in jobs])
        self._tell(force=True)
        return self._report

    def _take(self, step: Entered | Item | Left, batch: Batch) -> None:
        if isinstance(step, Item):
            self._placer.place(step.directory, step.node, batch)
        elif isinstance(step, Entered):
            self._placer.enter(step)
        elif step.directory.made and step.directory.parent is not None:
            self._report.dirs += 1
            batch.left.append(step.directory)

    def _launch(self, batch: Batch, flying: deque[tuple[Batch, list[Job]]]) -> None:
        """Hands a batch out; while it is worked on, the next one is planned."""
        self._planner.plan(batch)
        jobs: list[Job] = [] if self._options.dry_run else self._fetcher.start(batch.packs)
        batch.forget_plan()
        flying.append((batch, jobs))
        while len(flying) > _BATCHES_IN_FLIGHT:
            self._land(flying)

    def _land(self, flying: deque[tuple[Batch, list[Job]]]) -> None:
        """Brings the oldest batch to its end."""
        batch, jobs = flying[0]
        if self._options.dry_run:
            self._finisher.count(batch)
        else:
            self._finisher.finish(batch, jobs)
        flying.popleft()
        self._tell()

    # --- telling --------------------------------------------------------------------------------

    def _on_error(self, path: bytes, error: HoldfastError) -> None:
        self._on_problem(self._report.add_error(path, error))

    def _on_problem(self, problem: RestoreProblem) -> None:
        self._listener(Warned(code=problem.code, subject=os.fsdecode(problem.path), detail=problem.detail))

    def _on_bytes(self, count: int) -> None:
        if self._cancel.cancelled:
            self._cancel.raise_if_cancelled()
        self._done_bytes += count
        self._tell()

    def _tell(self, *, force: bool = False) -> None:
        now = self._clock.monotonic()
        if force or now - self._told >= _TELL_EVERY_S:
            self._told = now
            report = self._report
            self._listener(
                Progress(
                    phase="restore",
                    items_done=report.files + report.dirs + report.others,
                    items_total=self._total[0],
                    bytes_done=max(self._done_bytes, report.restored_bytes),
                    bytes_total=self._total[1],
                )
            )
