"""The one moment at which a backup comes to exist."""

from __future__ import annotations

from holdfast.errors import LockLost
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import save_snapshot


def commit_snapshot(repository: Repository, index: Index, lock: RepositoryLock, snapshot: Snapshot) -> Snapshot:
    """Stores a snapshot after everything it refers to.

    INVARIANT: packs, then index files, then the snapshot: the caller has flushed its writer.

    Args:
        index: what the run relied on, including the index files that the run itself stored.
        lock: held on the repository.

    Returns:
        The snapshot with the name it was stored under.

    Raises:
        LockLost: the lock or an index file this run relied on is gone: the blobs it listed may be gone as well.
    """
    lock.ensure_held()
    if not set(index.index_ids()) <= set(repository.names(FileKind.INDEX)):
        raise LockLost(url=repository.url, reason="index files it relied on were removed meanwhile")
    return save_snapshot(repository, snapshot)
