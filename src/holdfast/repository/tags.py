"""Changing the tags of snapshots: each changed snapshot is stored anew, then the old file is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import SnapshotId
from holdfast.model.snapshot import Snapshot
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import replace_snapshot
from holdfast.runtime.cancel import CancelToken


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the tags of a snapshot. Either `replace` is given, or any of the others.

    Attributes:
        add: put behind those there are, unless there already.
        remove: taken away.
        replace: all tags there shall be; empty for none at all.
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    replace: tuple[str, ...] | None = None

    def apply(self, tags: Sequence[str]) -> tuple[str, ...]:
        """The tags afterwards, in the order in which they were given."""
        if self.replace is not None:
            return _distinct(self.replace)
        if not self.add and not self.remove:
            return tuple(tags)
        removed = set(self.remove)
        return tuple(tag for tag in (*tags, *_distinct(self.add, tags)) if tag not in removed)


class ReplacedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot and the one that took its place."""

    former: SnapshotId
    present: SnapshotId


class TagReport(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots were changed, and how many already were as wanted."""

    changed: tuple[ReplacedSnapshot, ...]
    unchanged: int


def change_tags(
    repository: Repository,
    lock: RepositoryLock,
    snapshots: Iterable[Snapshot],
    change: TagChange,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> TagReport:
    """Changes the tags of snapshots; `original` goes on naming the first of the line.

    Args:
        lock: held exclusively.
        snapshots: stored ones.

    Raises:
        TargetError: a file could not be written or deleted; at worst a snapshot exists with both sets of tags.
    """
    token = cancel or CancelToken()
    chosen = list(snapshots)
    changed: list[ReplacedSnapshot] = []
    for number, snapshot in enumerate(chosen):
        token.raise_if_cancelled()
        tags = change.apply(snapshot.tags)
        if tags != snapshot.tags and snapshot.id is not None:
            original = snapshot.original or snapshot.id
            altered = msgspec.structs.replace(snapshot, tags=tags, original=original)
            changed.append(ReplacedSnapshot(snapshot.id, replace_snapshot(repository, lock, snapshot.id, altered)))
        listener(Progress(phase="tags", items_done=number + 1, items_total=len(chosen)))
    return TagReport(changed=tuple(changed), unchanged=len(chosen) - len(changed))


def _distinct(tags: Iterable[str], present: Iterable[str] = ()) -> tuple[str, ...]:
    known = set(present)
    return tuple(tag for tag in dict.fromkeys(tags) if tag not in known)
