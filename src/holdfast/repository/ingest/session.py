"""One snapshot on its way: folders and files in its root, pushed in by whoever has them."""

from __future__ import annotations

import contextlib

import msgspec
from msgspec.structs import replace

from holdfast import __version__
from holdfast.errors import FormatError, HoldfastError
from holdfast.format.node import encode_node
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.node import Node
from holdfast.model.snapshot import Snapshot
from holdfast.repository.backup.commit import commit_snapshot
from holdfast.repository.backup.report import Counts
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.backup.streams import StreamSaver
from holdfast.repository.backup.tree_builder import Directory, TreeBuilder
from holdfast.repository.blobs import Compression
from holdfast.repository.index import Index
from holdfast.repository.ingest.files import FileSaver
from holdfast.repository.ingest.proof import ensure_stored
from holdfast.repository.ingest.tree import TreeIngest
from holdfast.repository.ingest.unchanged import UnchangedEntries
from holdfast.repository.local_copies import past_caches
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.writer import DEFAULT_PACK_BYTES, PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.host import group_id, hostname, user_id, username


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshot shall be called and how it is stored.

    Attributes:
        paths: recorded in the snapshot; programs group snapshots by them.
        time: the snapshot's time; None for now.
        parent: recorded in the snapshot; which trees to compare with is said for each tree.
        journal_prefix: tells the files of this line of snapshots from others in the journal of interrupted runs.
    """

    paths: tuple[str, ...]
    tags: tuple[str, ...] = ()
    host: str = ""
    time: Instant | None = None
    parent: SnapshotId | None = None
    compression: Compression = Compression.AUTO
    pack_bytes: int = DEFAULT_PACK_BYTES
    journal_prefix: bytes = b""


class _DirectoryCounts(Counts):
    """Counts a directory by whether its tree is in the repository already, whatever snapshot it is from."""

    dirs_new: int
    dirs_changed: int
    dirs_unmodified: int

    def __init__(self, index: Index, *, first: bool) -> None:
        super().__init__()
        self._index = index
        self._first = first

    def directory(self, previous: BlobId | None, now: BlobId) -> None:
        """Counts a directory by its present tree."""
        del previous
        if self._index.contains(BlobType.TREE, now):
            self.dirs_unmodified += 1
        elif self._first:
            self.dirs_new += 1
        else:
            self.dirs_changed += 1


class Ingest:
    """A snapshot on its way. End it with `commit` or `abort`.

    Each tree may be filled by a thread of its own.

    Args:
        repository: where to.
        index: synchronised with the repository after the lock was taken.
        lock: held on the repository until this has ended; asked before each commit.
    """

    def __init__(self, repository: Repository, index: Index, lock: RepositoryLock, options: IngestOptions) -> None:
        self._repository = repository
        self._index = index
        self._lock = lock
        self._options = options
        self._started = repository.clock.now()
        self._compression = options.compression if repository.config.version >= 2 else Compression.OFF
        self._cancel = CancelToken()
        self._journal = ResumeJournal(repository.cache_dir)
        self._counts = _DirectoryCounts(index, first=options.parent is None)
        self._finishing = False
        self._ended = False
        self._writer = PackWriter(
            repository,
            index,
            pack_bytes=options.pack_bytes,
            before_commit=lock.ensure_held,
            on_index=self._index_stored,
        )
        self._streams = StreamSaver(repository, self._writer, self._compression, self._cancel)
        self._reader = Reader(repository, index)
        self._trees: list[TreeIngest] = []
        self._root: dict[bytes, bytes] = {}

    # --- content --------------------------------------------------------------------------------

    def unchanged(self, name: bytes, former: BlobId | None) -> UnchangedEntries:
        """Tells which files of a folder need not be given.

        Args:
            name: of the folder in the root.
            former: its tree in the snapshot to compare with; None if there is none.
        """
        prefix = self._options.journal_prefix + name + b"/"
        return UnchangedEntries(self._reader, former, self._journal, prefix)

    def tree(self, name: bytes) -> TreeIngest:
        """Begins a folder in the root; `put` makes it part of the snapshot once it is finished."""
        tree = TreeIngest(
            TreeBuilder(self._writer, self._reader, self._compression, self._counts),
            FileSaver(self._streams),
            self._counts,
            self._journal,
            self._options.journal_prefix + name,
        )
        self._trees.append(tree)
        return tree

    def put(self, node: Node, tree: BlobId) -> None:
        """Puts a finished folder into the root under the name of its node."""
        self._put(replace(node, subtree=tree, content=None))

    def put_file(self, node: Node, content: bytes) -> None:
        """Puts a small file into the root."""
        ids = self._streams.save_now([content]) if content else []
        self._put(replace(node, size=len(content), content=tuple(ids), subtree=None))

    def _put(self, node: Node) -> None:
        if node.name in self._root:
            raise FormatError(object=f"entry {node.name!r}", reason="the snapshot has another one of that name")
        self._root[node.name] = encode_node(node)

    @property
    def stored_bytes(self) -> int:
        """What was added to the repository so far."""
        return self._writer.counts.stored_bytes

    # --- the end --------------------------------------------------------------------------------

    def commit(self) -> Snapshot:
        """Stores the root and then, when everything it leads to is proved to be there, the snapshot.

        Raises:
            TargetError: there is no snapshot; call `abort`.
            Interrupted: it was aborted.
        """
        self._cancel.raise_if_cancelled()
        self._finishing = True
        root = self._store_root()
        self._writer.flush()
        ensure_stored(Reader(past_caches(self._repository), self._index), root)
        snapshot = commit_snapshot(self._repository, self._index, self._lock, self._snapshot(root))
        self._journal.forget()
        self._close()
        return snapshot

    def _store_root(self) -> BlobId:
        builder = TreeBuilder(self._writer, self._reader, self._compression, self._counts)
        directory = Directory(b"", None, 0, None, None)
        for name in sorted(self._root):
            directory.add(self._root[name])
        builder.listing_done(directory)
        if builder.root_id is None:
            raise FormatError(object="snapshot", reason="its root was never completed")
        return builder.root_id

    def _snapshot(self, root: BlobId) -> Snapshot:
        summary = self._counts.summary(self._writer.counts, self._started, self._repository.clock.now())
        return Snapshot(
            time=self._options.time or self._started,
            tree=root,
            paths=self._options.paths,
            hostname=self._options.host or hostname(),
            username=username(),
            uid=user_id(),
            gid=group_id(),
            tags=self._options.tags,
            parent=self._options.parent,
            program_version=f"holdfast {__version__}",
            summary=summary,
        )

    def abort(self) -> None:
        """Ends it without a snapshot; what is stored already is noted, so that the next run need not send it again."""
        if self._ended:
            return
        self._cancel.cancel()
        for tree in self._trees:
            tree.close()
        with contextlib.suppress(HoldfastError):
            self._writer.checkpoint()
        self._journal.keep()
        self._close()

    def _close(self) -> None:
        self._ended = True
        for tree in self._trees:
            tree.close()
        self._streams.close()
        self._writer.close()
        self._journal.close()

    def _index_stored(self) -> None:
        # What the last index file completes is about to be in a snapshot; if not, `abort` notes it.
        if not self._finishing:
            self._journal.keep()
