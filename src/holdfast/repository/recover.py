"""Making a snapshot of directories that no snapshot holds any more."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from holdfast import __version__
from holdfast.errors import HoldfastError
from holdfast.format import mode
from holdfast.format.tree import decode_tree, encode_nodes, references
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.check.findings import is_about_object
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.repository.tree_loader import TreeLoader
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.host import hostname, username

PATH = "/recover"
TAG = "recovered"

_BATCH = 256
_DIRECTORY_MODE = mode.DIR | 0o755


class RecoverReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        snapshot: holds each root as a directory named by the beginning of its id; None if there was none.
        roots: trees that neither a snapshot nor another tree refers to.
        trees: how many trees were read.
        unreadable: how many could not be.
    """

    snapshot: SnapshotId | None
    roots: tuple[BlobId, ...]
    trees: int
    unreadable: int


def recover(
    repository: Repository,
    lock: RepositoryLock,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RecoverReport:
    """Reads all trees there are, and puts those that nothing refers to into a new snapshot.

    For when snapshot files were lost or deleted by mistake, and prune has not run since.

    Memory: some 130 bytes for each tree.

    Raises:
        BackendError: the storage failed; there is no new snapshot.
        Interrupted: cancelled; the same holds.
    """
    with Index(repository, persistent=False) as index:
        index.sync(listener, on_damage=[])
        return _Recovery(repository, index, lock, listener, cancel or CancelToken()).run()


class _Recovery:
    def __init__(
        self, repository: Repository, index: Index, lock: RepositoryLock, listener: Listener, cancel: CancelToken
    ) -> None:
        self.repository = repository
        self.index = index
        self.lock = lock
        self.reader = Reader(repository, index)
        self.listener = listener
        self.cancel = cancel
        self.readable: set[bytes] = set()
        self.referred: set[bytes] = set()
        self.unreadable = 0

    def run(self) -> RecoverReport:
        self.referred.update(snapshot.tree for snapshot in load_snapshots(self.repository, self.listener))
        self._read_all()
        roots = sorted(map(BlobId, self.readable - self.referred))
        return RecoverReport(
            snapshot=self._save(roots) if roots else None,
            roots=tuple(roots),
            trees=len(self.readable),
            unreadable=self.unreadable,
        )

    def _read_all(self) -> None:
        ids = list(self.index.ids(BlobType.TREE))
        with TreeLoader(self.reader) as loader:
            for start in range(0, len(ids), _BATCH):
                self.cancel.raise_if_cancelled()
                for tree_id, loaded in loader.load(ids[start : start + _BATCH]):
                    self._read(tree_id, loaded)
                self.listener(Progress(phase="trees", items_done=min(start + _BATCH, len(ids)), items_total=len(ids)))

    def _read(self, tree_id: bytes, loaded: Buffer | HoldfastError) -> None:
        try:
            if isinstance(loaded, HoldfastError):
                raise loaded
            subtrees = references(loaded)[1]
        except HoldfastError as error:
            if not is_about_object(error):
                raise
            self.unreadable += 1
            self.listener(Warned(code=error.code, subject=f"tree {tree_id.hex()[:12]}", detail=error.phrase))
            return
        self.readable.add(tree_id)
        self.referred.update(subtrees)

    def _save(self, roots: list[BlobId]) -> SnapshotId | None:
        now = self.repository.clock.now()
        nodes = [
            Node(
                name=_name(root, roots),
                type=NodeType.DIR,
                mode=_DIRECTORY_MODE,
                mtime_ns=now.ns,
                atime_ns=now.ns,
                ctime_ns=now.ns,
                subtree=root,
            )
            for root in roots
        ]
        plaintext = encode_nodes(nodes)
        decode_tree(plaintext)
        tree_id = BlobId(sha256(plaintext).digest())
        compression = Compression.AUTO if self.repository.config.version >= 2 else Compression.OFF
        with PackWriter(self.repository, self.index, before_commit=self.lock.ensure_held) as writer:
            if writer.claim(BlobType.TREE, tree_id):
                sealed, raw_length = seal_blob(self.repository.sealer(), BlobType.TREE, plaintext, compression)
                writer.add(BlobType.TREE, tree_id, sealed, raw_length)
            # INVARIANT: the tree is durable and indexed before the snapshot refers to it.
            writer.flush()
        self.lock.ensure_held()
        snapshot = Snapshot(
            time=now,
            tree=tree_id,
            paths=(PATH,),
            hostname=hostname(),
            username=username(),
            tags=(TAG,),
            program_version=f"holdfast {__version__}",
        )
        return save_snapshot(self.repository, snapshot).id


def _name(root: bytes, roots: list[BlobId]) -> bytes:
    """The first eight digits of the id, or all of them where two begin alike."""
    short = root[:4]
    alike = sum(other[:4] == short for other in roots) > 1
    return (root.hex() if alike else short.hex()).encode("ascii")
