"""Choosing snapshots: by host, tag and path, by id prefix, by `latest`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from holdfast.errors import SnapshotNotFound
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot

_LATEST = re.compile(r"latest(?:~([0-9]{1,9}))?\Z")
_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z")


class SnapshotFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots are meant; an empty field leaves all of them.

    Attributes:
        hosts: the snapshot's host is one of these.
        tags: the snapshot has every tag of one of these sets; the set of one empty tag means untagged snapshots.
        paths: the snapshot was made of all of these paths.
    """

    hosts: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()
    paths: tuple[str, ...] = ()

    def matches(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot is meant."""
        return (
            (not self.hosts or snapshot.hostname in self.hosts)
            and (not self.tags or any(has_tags(snapshot, tags) for tags in self.tags))
            and all(path in snapshot.paths for path in self.paths)
        )

    def choose(self, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
        """Those that are meant, in the order given."""
        return [snapshot for snapshot in snapshots if self.matches(snapshot)]


EVERYTHING = SnapshotFilter()


def has_tags(snapshot: Snapshot, tags: Collection[str]) -> bool:
    """Whether the snapshot has all these tags. An empty tag stands for having none."""
    return all(tag in snapshot.tags or (tag == "" and not snapshot.tags) for tag in tags)


def parse_tags(text: str) -> tuple[str, ...]:
    """A set of tags as typed: separated by commas."""
    return tuple(tag.strip() for tag in text.split(","))


def newest_first(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Sorted by time; those of the same time by id, so that the order never depends on a listing."""
    return sorted(snapshots, key=lambda snapshot: (-snapshot.time.ns, snapshot.id or b""))


def latest(
    snapshots: Iterable[Snapshot],
    wanted: SnapshotFilter = EVERYTHING,
    *,
    back: int = 0,
    not_after: Instant | None = None,
) -> Snapshot | None:
    """The newest snapshot, or one further back; None if there are not that many.

    Args:
        snapshots: all that there are.
        wanted: which ones count.
        back: how many to skip.
        not_after: leaves out later ones.
    """
    chosen = wanted.choose(snapshots)
    if not_after is not None:
        chosen = [snapshot for snapshot in chosen if snapshot.time.ns <= not_after.ns]
    ordered = newest_first(chosen)
    return ordered[back] if back < len(ordered) else None


def split_subfolder(text: str) -> tuple[str, str]:
    """Splits `ID:path` into the snapshot and the path in it (empty if there is none)."""
    snapshot, _, path = text.partition(":")
    return snapshot, path


def resolve(text: str, snapshots: Iterable[Snapshot], wanted: SnapshotFilter = EVERYTHING) -> Snapshot:
    """Finds the snapshot that `latest`, `latest~2` or the beginning of an id stands for.

    Args:
        text: what was typed, without a `:path`.
        snapshots: all that there are.
        wanted: which ones `latest` may choose from; an id is looked for among all.

    Raises:
        SnapshotNotFound: none or several match.
    """
    counted = _LATEST.match(text)
    if counted:
        found = latest(snapshots, wanted, back=int(counted[1] or 0))
        if found is None:
            raise SnapshotNotFound(wanted=text, reason="there are not that many snapshots")
        return found
    if not _PREFIX.match(text):
        raise SnapshotNotFound(wanted=text, reason="it is neither `latest` nor the beginning of a snapshot id")
    matching = [snapshot for snapshot in snapshots if snapshot.id and snapshot.id.hex().startswith(text)]
    if not matching:
        raise SnapshotNotFound(wanted=text, reason="no snapshot id begins like this")
    if len(matching) > 1:
        raise SnapshotNotFound(wanted=text, reason="several snapshot ids begin like this")
    return matching[0]
