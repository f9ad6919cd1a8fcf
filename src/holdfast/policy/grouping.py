"""Groups of snapshots that belong together: same host, same paths, same tags."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from holdfast.errors import InvalidGrouping
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy.selection import newest_first

_NAMES = {"host": "host", "hosts": "host", "path": "paths", "paths": "paths", "tag": "tags", "tags": "tags"}


class GroupBy(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two snapshots belong together."""

    host: bool = False
    paths: bool = False
    tags: bool = False

    def __str__(self) -> str:
        return ",".join(name for name in ("host", "paths", "tags") if getattr(self, name))


HOST_AND_PATHS = GroupBy(host=True, paths=True)


class GroupKey(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What the snapshots of one group share; empty where it was not asked about. Paths and tags are sorted."""

    hostname: str = ""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def parse(text: str) -> GroupBy:
    """Reads `host,paths,tags`, any part of it, or nothing for one group of all.

    Raises:
        InvalidGrouping: a part is none of these.
    """
    chosen: dict[str, bool] = {}
    for part in text.split(",") if text.strip() else ():
        name = _NAMES.get(part.strip())
        if name is None:
            raise InvalidGrouping(text=part.strip())
        chosen[name] = True
    return GroupBy(**chosen)


def key_of(snapshot: Snapshot, by: GroupBy) -> GroupKey:
    """The group a snapshot belongs to."""
    return GroupKey(
        hostname=snapshot.hostname if by.host else "",
        paths=tuple(sorted(snapshot.paths)) if by.paths else (),
        tags=tuple(sorted(snapshot.tags)) if by.tags else (),
    )


def group(snapshots: Iterable[Snapshot], by: GroupBy) -> dict[GroupKey, list[Snapshot]]:
    """All groups in the order of their keys, each newest first."""
    groups: dict[GroupKey, list[Snapshot]] = {}
    for snapshot in newest_first(snapshots):
        groups.setdefault(key_of(snapshot, by), []).append(snapshot)
    return dict(sorted(groups.items()))


def find_parent(snapshots: Iterable[Snapshot], key: GroupKey, by: GroupBy, *, not_after: Instant) -> Snapshot | None:
    """The newest snapshot of a group that is not later than the one to be made; None for a first backup."""
    for snapshot in newest_first(snapshots):
        if snapshot.time.ns <= not_after.ns and key_of(snapshot, by) == key:
            return snapshot
    return None
