"""What must hold in a repository after any crash: nothing promised is lost, nothing listed is hollow.

The oracles read everything and trust nothing: a snapshot is represented by a digest over every path, every piece
of metadata and every byte of content, so "restores" means "would restore exactly this".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256

import msgspec

from holdfast.errors import HoldfastError, WrongPassword
from holdfast.format.node import encode_node
from holdfast.model.blob import BlobType
from holdfast.model.ids import SnapshotId, short
from holdfast.model.node import Node
from holdfast.model.repository_config import RepositoryConfig
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import Backend, FileKind
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.opening import open_repository
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot
from holdfast.runtime.clock import Clock

Digests = dict[SnapshotId, bytes]


class Violation(AssertionError):
    """A promise of the repository is broken."""


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What the operations that have returned so far have promised.

    Attributes:
        exists: the repository was made; if not, there may be none.
        snapshots: those whose backup reported success and whose removal nobody has asked for.
        passwords: of each group at least one password opens the repository.
    """

    exists: bool = True
    snapshots: frozenset[SnapshotId] = frozenset()
    passwords: tuple[tuple[bytes, ...], ...] = ()


# --- digests -----------------------------------------------------------------------------------------


def snapshot_digest(reader: Reader, snapshot: Snapshot) -> bytes:
    """A digest of everything a restore of the snapshot would make.

    Raises:
        HoldfastError: some of it cannot be read.
    """
    digest = sha256()
    waiting: list[tuple[bytes, bytes]] = [(b"", snapshot.tree)]
    while waiting:
        path, tree_id = waiting.pop()
        for node in reader.load_tree(tree_id):
            inner = path + b"/" + node.name
            _feed(digest.update, encode_node(node), inner)
            _feed_content(reader, node, inner, digest.update)
            if node.subtree is not None:
                waiting.append((inner, node.subtree))
    return digest.digest()


def _feed_content(reader: Reader, node: Node, path: bytes, update: Callable[[bytes], object]) -> None:
    size = 0
    for blob_id in node.content or ():
        plaintext = bytes(reader.load_blob(BlobType.DATA, blob_id))
        # The reader is under test as well: the content is held to its name once more.
        if sha256(plaintext).digest() != blob_id:
            raise Violation(f"{path!r} was read with content that does not belong to it")
        size += len(plaintext)
        _feed(update, plaintext)
    if node.content is not None and size != node.size:
        raise Violation(f"{path!r} has {size} bytes of content and {node.size} by its entry")


def _feed(update: Callable[[bytes], object], *parts: bytes) -> None:
    for part in parts:
        update(len(part).to_bytes(8, "little"))
        update(part)


def all_digests(repository: Repository) -> Digests:
    """Every listed snapshot with its digest, by way of an index of its own.

    Raises:
        Violation: a listed snapshot is hollow, or the index cannot be read.
    """
    found: Digests = {}
    with Index(repository, private=True) as index:
        try:
            index.sync()
        except HoldfastError as error:
            raise Violation(f"the index cannot be read: {error}") from error
        reader = Reader(repository, index)
        for name in repository.names(FileKind.SNAPSHOT):
            snapshot_id = SnapshotId(name)
            try:
                found[snapshot_id] = snapshot_digest(reader, load_snapshot(repository, snapshot_id))
            except HoldfastError as error:
                raise Violation(f"snapshot {short(name)} is listed and cannot be read: {error}") from error
    return found


# --- oracles -----------------------------------------------------------------------------------------


def opened(backend: Backend, promise: Promise, clock: Clock) -> tuple[Repository, bytes]:
    """Opens the repository with the passwords that were promised to work; returns one of them, too.

    Raises:
        Violation: of some group none does, or the repository is not there or damaged.
    """
    found = [_open_with_any(backend, group, clock) for group in promise.passwords]
    return found[-1]


def _open_with_any(backend: Backend, passwords: Iterable[bytes], clock: Clock) -> tuple[Repository, bytes]:
    for password in passwords:
        try:
            return open_repository(backend, password, clock=clock), password
        except WrongPassword:
            continue
        except HoldfastError as error:
            raise Violation(f"the repository does not open: {error}") from error
    raise Violation("a password that was promised to work does not")


def require_snapshots(
    repository: Repository, promised: Iterable[SnapshotId], known: Digests, *, strangers: bool = False
) -> None:
    """Committed snapshots are all there, and whatever is there is what was backed up.

    Args:
        promised: snapshots that must be listed.
        known: the digest of every snapshot that was ever made.
        strangers: others are allowed, as long as they are whole.

    Raises:
        Violation: a snapshot is lost, hollow, changed, or was never made.
    """
    found = all_digests(repository)
    for lost in set(promised) - set(found):
        raise Violation(f"snapshot {short(lost)} was committed and is gone")
    for snapshot_id, digest in found.items():
        if snapshot_id not in known and strangers:
            continue
        if snapshot_id not in known:
            raise Violation(f"snapshot {short(snapshot_id)} was never made")
        if known[snapshot_id] != digest:
            raise Violation(f"snapshot {short(snapshot_id)} restores to something else than was backed up")


def require_clean_check(repository: Repository) -> None:
    """A full check, every byte read, finds no damage without any repair before it.

    Raises:
        Violation: it does.
    """
    report = check(repository, None, CheckOptions(read_data=True))
    if not report.whole:
        raise Violation("check found damage: " + "; ".join(f"{one.object}: {one.detail}" for one in report.errors))


def require_loud_damage(backend: Backend, promise: Promise, known: Digests, config: RepositoryConfig) -> bool:
    """Reading a repository that somebody has damaged either fails or gives exactly what was backed up.

    Args:
        known: the digest of every snapshot.
        config: what the config said before.

    Returns:
        Whether it failed.

    Raises:
        Violation: something else was read than was written, without any error.
    """
    try:
        repository = open_repository(backend, promise.passwords[0][0])
        with Index(repository, private=True) as index:
            index.sync()
            reader = Reader(repository, index)
            for name in repository.names(FileKind.SNAPSHOT):
                snapshot_id = SnapshotId(name)
                digest = snapshot_digest(reader, load_snapshot(repository, snapshot_id))
                if known.get(snapshot_id) != digest:
                    raise Violation(f"snapshot {short(name)} silently restores to something else")
    except HoldfastError:
        return True
    if repository.config != config:
        raise Violation("the config silently says something else")
    return False
