"""From what a person types (`latest`, `latest~2`, `1a2b3c`, `latest:/etc`) to snapshots and trees."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import msgspec

from holdfast.errors import SnapshotNotFound
from holdfast.model.event import Listener, ignore
from holdfast.model.ids import BlobId, SnapshotId, short
from holdfast.model.snapshot import Snapshot
from holdfast.policy.selection import EVERYTHING, SnapshotFilter, newest_first, split_subfolder
from holdfast.policy.selection import resolve as resolve_among
from holdfast.protocols import FileKind
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot, load_snapshots
from holdfast.repository.trees import find_subtree

_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z")


class Resolved(msgspec.Struct, frozen=True):
    """A directory in a snapshot.

    Attributes:
        snapshot: the snapshot.
        path: where in it, beginning with a slash; empty for its root.
        tree: the tree there.
    """

    snapshot: Snapshot
    path: bytes
    tree: BlobId


def resolve_id(repository: Repository, prefix: str) -> SnapshotId:
    """The one snapshot whose name begins like this; none is loaded. Raises `SnapshotNotFound`."""
    found = [name for name in repository.names(FileKind.SNAPSHOT) if name.hex().startswith(prefix)]
    if not found:
        raise SnapshotNotFound(wanted=prefix, reason="no snapshot id begins like this")
    if len(found) > 1:
        raise SnapshotNotFound(wanted=prefix, reason="several snapshot ids begin like this")
    return SnapshotId(found[0])


def resolve_snapshot(
    repository: Repository, text: str, wanted: SnapshotFilter = EVERYTHING, listener: Listener = ignore
) -> Snapshot:
    """The snapshot that an id, the beginning of one, `latest` or `latest~2` stands for.

    Args:
        wanted: which snapshots `latest` chooses from.
        listener: told of snapshots that cannot be read, which `latest` passes over.

    Raises:
        SnapshotNotFound: none or several match.
        DamageError: the one that is meant by its id cannot be read.
    """
    if _PREFIX.match(text):
        # Only the one that is meant is loaded: others may be many, or damaged.
        return load_snapshot(repository, resolve_id(repository, text))
    return resolve_among(text, load_snapshots(repository, listener), wanted)


def resolve_directory(
    reader: Reader, text: str, wanted: SnapshotFilter = EVERYTHING, listener: Listener = ignore
) -> Resolved:
    """The snapshot and directory that `ID` or `ID:path` stands for.

    Raises:
        SnapshotNotFound: none or several match.
        PathNotFound: the snapshot has no such directory.
    """
    name, subfolder = split_subfolder(text)
    snapshot = resolve_snapshot(reader.repository, name, wanted, listener)
    path = os.fsencode(subfolder).strip(b"/")
    tree = find_subtree(reader, snapshot.tree, path, short(snapshot.id or b""))
    return Resolved(snapshot, b"/" + path if path else b"", tree)


def select_snapshots(
    repository: Repository,
    texts: Sequence[str] = (),
    wanted: SnapshotFilter = EVERYTHING,
    listener: Listener = ignore,
) -> list[Snapshot]:
    """The snapshots that were named, each once, in the order named; without names all that the filter takes.

    Returns:
        Without names: newest first.

    Raises:
        SnapshotNotFound: a name matches none or several.
    """
    if not texts:
        return newest_first(wanted.choose(load_snapshots(repository, listener)))
    named = [resolve_snapshot(repository, text, wanted, listener) for text in texts]
    return list({snapshot.id: snapshot for snapshot in named}.values())
