"""One backup: from targets to a committed snapshot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Sequence

from msgspec.structs import replace

from holdfast import __version__
from holdfast.errors import HoldfastError, SourceError
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import BlobId
from holdfast.model.snapshot import Snapshot, SnapshotSummary
from holdfast.policy.grouping import find_parent, key_of
from holdfast.policy.grouping import parse as parse_group_by
from holdfast.repository.backup.commit import commit_snapshot
from holdfast.repository.backup.file_queue import FileQueue, Pending
from holdfast.repository.backup.report import BackupOptions, BackupReport, Counts
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.backup.selection import Selection
from holdfast.repository.backup.small_files import Job, SavedFile
from holdfast.repository.backup.stream_file import Stream, stream_entry
from holdfast.repository.backup.streams import StreamBlocks, StreamSaver
from holdfast.repository.backup.targets import TargetTree, snapshot_paths, target_tree
from holdfast.repository.backup.tree_builder import Directory, TreeBuilder
from holdfast.repository.backup.unchanged import UnchangedTest
from holdfast.repository.backup.walker import Walker
from holdfast.repository.blobs import Compression
from holdfast.repository.dry_writer import DryWriter
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot, load_snapshots
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.host import group_id, hostname, user_id, username
from holdfast.runtime.workers import WorkerPool


def backup(
    repository: Repository,
    index: Index,
    lock: RepositoryLock,
    targets: Sequence[str | bytes | os.PathLike[str]],
    options: BackupOptions,
    *,
    streams: Sequence[Stream] = (),
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
    pool: WorkerPool | None = None,
) -> BackupReport:
    """Makes a snapshot of files, directories and streams.

    The snapshot document is stored last, after every pack and index file it needs is durable; whatever happens
    before that leaves only unreferenced data behind, which the next run reuses.

    Args:
        repository: where to.
        index: synchronised with the repository.
        lock: held on the repository; asked before each commit.
        targets: paths as a person gave them.
        options: what to leave out, what to compare with, and so on.
        streams: further files, in the snapshot's root.
        listener: is told about progress and problems.
        cancel: stops the run at the next chunk or batch.
        pool: processes for small files; none means this thread.

    Returns:
        What was done; `problems` lists everything that is missing or changed while it was read.

    Raises:
        SourceError: a target does not exist.
        TargetError: something could not be stored; there is no snapshot.
        Interrupted: cancelled; there is no snapshot.
    """
    run = _Run(repository, index, lock, options, listener, cancel or CancelToken(), pool or WorkerPool(0))
    return run.execute([os.fsencode(target) for target in targets], list(streams))


class _Run:
    def __init__(
        self,
        repository: Repository,
        index: Index,
        lock: RepositoryLock,
        options: BackupOptions,
        listener: Listener,
        cancel: CancelToken,
        pool: WorkerPool,
    ) -> None:
        self.repository = repository
        self.index = index
        self.lock = lock
        self.options = options
        self.listener = listener
        self.cancel = cancel
        self.pool = pool
        self.counts = Counts()
        self.started = repository.clock.now()
        self.began = repository.clock.monotonic()
        self.compression = options.compression if repository.config.version >= 2 else Compression.OFF
        self.resume = ResumeJournal(repository.cache_dir, read=not options.force)
        self.targets: list[bytes] = []
        self.finishing = False
        self._told = 0.0
        self._problems_told = 0

    def execute(self, targets: list[bytes], streams: list[Stream]) -> BackupReport:
        self.targets = targets
        shape = target_tree(targets)
        paths = snapshot_paths(targets) + tuple("/" + stream.name for stream in streams)
        draft = self._draft(paths)
        parent = self._find_parent(draft)
        with self._writer() as writer:
            try:
                tree = self._save_everything(writer, shape, streams, parent)
                self._tell(force=True)
                return self._commit(writer, draft, parent, tree)
            except BaseException:
                self._keep_what_is_stored(writer)
                raise
            finally:
                self.resume.close()

    @contextlib.contextmanager
    def _writer(self) -> Generator[PackWriter]:
        writer_kind = DryWriter if self.options.dry_run else PackWriter
        with writer_kind(
            self.repository,
            self.index,
            pack_bytes=self.options.pack_bytes,
            before_commit=self.lock.ensure_held,
            on_index=self._index_stored,
        ) as writer:
            yield writer

    def _keep_what_is_stored(self, writer: PackWriter) -> None:
        """After a failure: packs that did get stored are listed, so that they need not be sent again."""
        with contextlib.suppress(HoldfastError):
            writer.checkpoint()
        self.resume.keep()

    def _index_stored(self) -> None:
        # What the last index file completes is about to be in a snapshot; if not, `_keep_what_is_stored` notes it.
        if not self.finishing:
            self.resume.keep()

    def _draft(self, paths: tuple[str, ...]) -> Snapshot:
        return Snapshot(
            time=self.options.time or self.started,
            tree=BlobId(bytes(32)),
            paths=paths,
            hostname=self.options.hostname or hostname(),
            username=username(),
            uid=user_id(),
            gid=group_id(),
            excludes=self.options.excludes + self.options.insensitive_excludes,
            tags=self.options.tags,
            program_version=f"holdfast {__version__}",
        )

    def _find_parent(self, draft: Snapshot) -> Snapshot | None:
        if self.options.force:
            return None
        if self.options.parent is not None:
            return load_snapshot(self.repository, self.options.parent)
        by = parse_group_by(self.options.group_by)
        found = load_snapshots(self.repository, self.listener)
        return find_parent(found, key_of(draft, by), by, not_after=draft.time)

    def _save_everything(
        self, writer: PackWriter, shape: TargetTree, streams: list[Stream], parent: Snapshot | None
    ) -> BlobId:
        reader = Reader(self.repository, self.index)
        builder = TreeBuilder(writer, reader, self.compression, self.counts)
        saver = StreamSaver(self.repository, writer, self.compression, self.cancel)
        index_path = str(self.index.path) if self.index.blob_count() else None
        job = Job(self.repository.master, self.compression, index_path, self.options.with_atime)
        files = FileQueue(builder, writer, saver, self.pool, job, self.counts, self.cancel, self._saved)
        walker = Walker(
            builder,
            files,
            UnchangedTest(self.index, self.options),
            self.resume,
            Selection(self.options, self.targets),
            self.options,
            self.counts,
            self._tell,
        )
        try:
            extra = [self._save_stream(saver, stream) for stream in streams]
            walker.walk(shape, parent.tree if parent is not None else None, extra)
        finally:
            files.close()
            saver.close()
        if builder.root_id is None:
            raise SourceError(path=", ".join(map(repr, shape.children)), reason="nothing could be read")
        return builder.root_id

    def _save_stream(self, saver: StreamSaver, stream: Stream) -> tuple[bytes, bytes]:
        try:
            ids, size = saver.save(StreamBlocks(stream.stream), os.fsencode(stream.name))
        except OSError as error:
            raise SourceError(path=stream.name, reason=error.strerror or str(error)) from error
        # A producer that failed must not leave a snapshot that looks whole.
        stream.check()
        now = self.started.ns
        self.counts.file(size, known=False)
        return stream_entry(stream, now, tuple(ids), size)

    def _saved(self, pending: Pending, saved: SavedFile) -> None:
        if saved.node is not None and saved.problem is None:
            self.resume.note(pending.shown_path, saved.node)
        self._tell()

    def _tell(self, directory: Directory | None = None, *, force: bool = False) -> None:
        """Tells progress at most ten times a second, and each new problem at once."""
        problems = self.counts.problems
        while self._problems_told < len(problems):
            problem = problems[self._problems_told]
            self._problems_told += 1
            self.listener(Warned(code=problem.code, subject=os.fsdecode(problem.path), detail=problem.detail))
        now = self.repository.clock.monotonic()
        if force or now - self._told >= 0.1:
            self._told = now
            current = os.fsdecode(directory.path) if directory is not None else ""
            self.listener(
                Progress(phase="backup", items_done=self.counts.files, bytes_done=self.counts.bytes, current=current)
            )

    def _commit(self, writer: PackWriter, draft: Snapshot, parent: Snapshot | None, tree: BlobId) -> BackupReport:
        # INVARIANT: packs, then index files, then the snapshot: the document is the only commit point.
        self.finishing = True
        writer.flush()
        ended = self.repository.clock.now()
        summary = self.counts.summary(writer.counts, self.started, ended)
        unchanged = parent is not None and parent.tree == tree
        snapshot: Snapshot | None = None
        if not self.options.dry_run and not (unchanged and self.options.skip_if_unchanged):
            final = replace(draft, tree=tree, parent=parent.id if parent is not None else None, summary=summary)
            snapshot = commit_snapshot(self.repository, self.index, self.lock, final)
            self.resume.forget()
        return BackupReport(
            snapshot=snapshot,
            tree=tree,
            parent=parent.id if parent is not None else None,
            problems=tuple(self.counts.problems),
            duration_s=self.repository.clock.monotonic() - self.began,
            **{name: getattr(summary, name) for name in _COUNTED},
        )


_COUNTED = tuple(name for name in SnapshotSummary.__struct_fields__ if not name.startswith("backup_"))
