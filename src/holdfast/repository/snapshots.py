"""Snapshot documents of a repository."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from holdfast.errors import DamageError, ObjectNotFound
from holdfast.format import snapshot as snapshot_format
from holdfast.model.event import Listener, Warned, ignore
from holdfast.model.ids import SnapshotId, short
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.held_lock import RepositoryLock
from holdfast.repository.repository import Repository


def load_snapshot(repository: Repository, snapshot_id: SnapshotId) -> Snapshot:
    """One snapshot. Raises `ObjectNotFound` or a `DamageError`."""
    document = repository.load_unpacked(FileKind.SNAPSHOT, snapshot_id)
    return snapshot_format.decode(document, f"snapshot {short(snapshot_id)}", id=snapshot_id)


def iterate_snapshots(repository: Repository, listener: Listener = ignore) -> Iterator[Snapshot]:
    """All readable snapshots in no particular order; unreadable ones are told to the listener and left out.

    A snapshot that is deleted by somebody else between listing and loading is simply not there.
    """
    for name in repository.names(FileKind.SNAPSHOT):
        snapshot_id = SnapshotId(name)
        try:
            yield load_snapshot(repository, snapshot_id)
        except ObjectNotFound:
            continue
        except DamageError as error:
            listener(Warned(code=error.code, subject=f"snapshot {short(snapshot_id)}", detail=error.phrase))


def load_snapshots(repository: Repository, listener: Listener = ignore) -> list[Snapshot]:
    """All readable snapshots, oldest first."""
    return sorted(iterate_snapshots(repository, listener), key=lambda snapshot: snapshot.time.ns)


def save_snapshot(repository: Repository, snapshot: Snapshot) -> Snapshot:
    """Stores a snapshot: the commit point of a backup. Everything it refers to must be durable and indexed already."""
    snapshot_id = SnapshotId(repository.save_unpacked(FileKind.SNAPSHOT, snapshot_format.encode(snapshot)))
    return with_id(snapshot, snapshot_id)


def replace_snapshot(repository: Repository, lock: RepositoryLock, former: SnapshotId, present: Snapshot) -> SnapshotId:
    """Stores a changed snapshot, then deletes the one it was made from. Returns the new name.

    Args:
        lock: held exclusively.
    """
    if not lock.exclusive:
        raise ValueError("replacing a snapshot needs an exclusive lock")
    lock.ensure_held()
    name = SnapshotId(repository.save_unpacked(FileKind.SNAPSHOT, snapshot_format.encode(present)))
    lock.ensure_held()
    with contextlib.suppress(ObjectNotFound):
        # SAFETY: its successor is durable and refers to what it referred to, or to what was asked for instead.
        repository.remove(FileKind.SNAPSHOT, former)
    return name


def with_id(snapshot: Snapshot, snapshot_id: SnapshotId) -> Snapshot:
    """The same snapshot under the name it was stored as."""
    return msgspec.structs.replace(snapshot, id=snapshot_id)
