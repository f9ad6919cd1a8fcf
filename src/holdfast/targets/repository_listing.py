"""Which snapshots of a repository are backups of an application, and what their manifests say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from holdfast.errors import DamageError, ObjectNotFound, ShortRead, TargetError, english
from holdfast.model.backup import Manifest, is_backup_id
from holdfast.model.blob import BlobType
from holdfast.model.component import Problem
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshot
from holdfast.targets.repository_access import RepositoryAccess
from holdfast.targets.repository_marks import hold_of, write_privately

MANIFEST_NAME = b"manifest.json"
_THREADS_MAX = 8
_MANIFEST_BYTES_MAX = 256 << 20
_ID = "id:"


def app_tag(app: str) -> str:
    """The tag that all backups of an application share."""
    return f"app:{app}"


def tags_of(manifest: Manifest) -> tuple[str, ...]:
    """The tags of a backup's snapshot."""
    return (app_tag(manifest.app), f"{_ID}{manifest.backup_id}", f"type:{manifest.type.value}")


def backup_id_of(snapshot: Snapshot) -> str:
    """The backup that a snapshot is by its tags; empty if it is none."""
    found = [tag[len(_ID) :] for tag in snapshot.tags if tag.startswith(_ID)]
    return found[0] if len(found) == 1 and is_backup_id(found[0]) else ""


def load_root(reader: Reader, snapshot: Snapshot) -> dict[bytes, Node]:
    """The entries in the root of a snapshot by name. Raises `DamageError`."""
    return {node.name: node for node in reader.load_tree(snapshot.tree)}


def load_manifest(reader: Reader, root: dict[bytes, Node]) -> Manifest:
    """The manifest in the root of a snapshot.

    Raises:
        DamageError: there is none, or it cannot be read.
    """
    node = root.get(MANIFEST_NAME)
    if node is None or node.type is not NodeType.FILE or node.size > _MANIFEST_BYTES_MAX:
        raise DamageError(object="manifest.json", reason="the snapshot has none")
    text = b"".join(bytes(reader.load_blob(BlobType.DATA, blob_id)) for blob_id in node.content or ())
    return decode_manifest(text)


def encode_manifest(manifest: Manifest) -> bytes:
    """A manifest as it is stored: indented, for people who look into the snapshot."""
    return msgspec.json.format(msgspec.json.encode(manifest, enc_hook=english), indent=2) + b"\n"


def decode_manifest(text: bytes) -> Manifest:
    """The inverse of `encode_manifest`. Raises `DamageError`."""
    try:
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamageError(object="manifest.json", reason=str(error)) from error


class Found(msgspec.Struct, frozen=True):
    """A backup and its snapshots: one, or two that differ in their tags after an interrupted change of tags."""

    manifest: Manifest
    snapshots: tuple[Snapshot, ...]

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that counts: a held one, else the newest by name."""
        return max(self.snapshots, key=lambda one: (hold_of(one.tags).held, one.id or b""))


class Listing:
    """Finds the backups of one application.

    Args:
        cache: a folder for manifests by the tree of their snapshot, which decides every byte of them.

    Attributes:
        problems: snapshots that the last look at the repository could not read; whose they are cannot be told.
    """

    def __init__(self, access: RepositoryAccess, app: str, cache: Path) -> None:
        self._access = access
        self._app = app
        self._cache = cache
        # Snapshots never change.
        self._loaded: dict[bytes, Snapshot] = {}
        self.problems: list[Problem] = []

    def snapshots(self) -> list[Snapshot]:
        """Snapshots that are tagged as backups of the application, newest first."""
        tag = app_tag(self._app)
        repository = self._access.open()
        names = list(repository.names(FileKind.SNAPSHOT))
        missing = [SnapshotId(name) for name in names if name not in self._loaded]
        with ThreadPoolExecutor(max(1, min(_THREADS_MAX, repository.backend.connections))) as threads:
            fresh = [one for one in threads.map(partial(_load, repository), missing) if one is not None]
        known = self._loaded | {one.id: one for one in fresh if one.id is not None}
        self._loaded = {name: known[name] for name in names if name in known}
        unread = [name for name in names if name not in known]
        # One that somebody removed after it was listed is gone, not damaged.
        there = list(repository.names(FileKind.SNAPSHOT)) if unread else []
        self.problems = [_damaged(name) for name in unread if name in there]
        found = [one for one in self._loaded.values() if tag in one.tags]
        return sorted(found, key=lambda one: (one.time.ns, one.id or b""), reverse=True)

    def backups(self) -> dict[str, Found]:
        """Backups by id, newest first. What has the tags and no readable manifest is none."""
        by_id: dict[str, list[Snapshot]] = {}
        for snapshot in self.snapshots():
            if backup_id := backup_id_of(snapshot):
                by_id.setdefault(backup_id, []).append(snapshot)
        found: dict[str, Found] = {}
        for backup_id, snapshots in by_id.items():
            manifests = [(self._manifest(one), one) for one in snapshots]
            mine = [(m, one) for m, one in manifests if m and m.backup_id == backup_id and m.app == self._app]
            if mine:
                manifest, first = min(mine, key=lambda pair: pair[1].tree)
                # SAFETY: another tree is another backup, whatever its tags say, and is not removed with this one.
                found[backup_id] = Found(manifest, tuple(one for _, one in mine if one.tree == first.tree))
        self._tidy(one.tree for each in found.values() for one in each.snapshots)
        return dict(sorted(found.items(), key=_age, reverse=True))

    def _manifest(self, snapshot: Snapshot) -> Manifest | None:
        path = self._path(snapshot.tree)
        with contextlib.suppress(OSError, DamageError):
            return decode_manifest(path.read_bytes())
        # Outside of any `try`: a damaged index must not look like a repository without backups.
        manifest = _read(self._access.reader(fresh=False), snapshot)
        if manifest is None:
            # It may have been stored by somebody else after the index was last looked at.
            manifest = _read(self._access.reader(), snapshot)
        if manifest is not None:
            with contextlib.suppress(TargetError):
                write_privately(path, encode_manifest(manifest))
        return manifest

    def _path(self, tree: BlobId) -> Path:
        return self._cache / f"{tree.hex()}.json"

    def _tidy(self, trees: Iterable[BlobId]) -> None:
        """Drops cached manifests of backups that are gone."""
        wanted = {self._path(tree).name for tree in trees}
        with contextlib.suppress(OSError):
            for path in list(self._cache.iterdir()) if self._cache.is_dir() else []:
                if path.name not in wanted:
                    path.unlink(missing_ok=True)


def _damaged(name: bytes) -> Problem:
    detail = "it is damaged, so that the backup in it is not listed; holdfast repo check says more"
    return Problem(code="snapshot-damaged", subject=f"snapshot {name.hex()[:8]}", detail=detail)


def _load(repository: Repository, snapshot_id: SnapshotId) -> Snapshot | None:
    try:
        return load_snapshot(repository, snapshot_id)
    except (DamageError, ObjectNotFound):
        return None


def _read(reader: Reader, snapshot: Snapshot) -> Manifest | None:
    try:
        return load_manifest(reader, load_root(reader, snapshot))
    except (DamageError, ObjectNotFound, ShortRead):
        return None


def _age(item: tuple[str, Found]) -> tuple[float, str]:
    return item[1].manifest.created_at.timestamp(), item[0]
