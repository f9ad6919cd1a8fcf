"""One backup on its way into a repository: a folder for each component, then the manifest, then the snapshot."""

from __future__ import annotations

import contextlib
from pathlib import Path

from msgspec.structs import replace

from holdfast.errors import DamageError, FormatError, HoldfastError, ObjectExists, Phrase, SnapshotNotFound, TargetError
from holdfast.format.mode import from_permissions
from holdfast.model.backup import Manifest, StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.component import Component
from holdfast.model.ids import BlobId, short
from holdfast.model.instant import Instant
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.protocols.content import Entry
from holdfast.repository.ingest.session import Ingest, IngestOptions
from holdfast.repository.ingest.unchanged import NEW, UnchangedEntries, Verdict
from holdfast.repository.local_copies import past_caches
from holdfast.repository.reader import Reader
from holdfast.repository.snapshots import load_snapshot
from holdfast.runtime.host import group_id, group_name, user_id, user_name
from holdfast.targets.repository_access import RepositoryAccess
from holdfast.targets.repository_listing import (
    MANIFEST_NAME,
    Listing,
    backup_id_of,
    encode_manifest,
    load_manifest,
    load_root,
    tags_of,
)
from holdfast.targets.repository_settings import compression_of, pack_bytes_of


class RepositoryComponentWriter:
    """Takes the entries of one component. `wants` may be called from another thread than the rest."""

    def __init__(self, ingest: Ingest, component: Component, former: BlobId | None, folder: Node) -> None:
        self._ingest = ingest
        self._folder = folder
        self._tree = ingest.tree(folder.name)
        self._unchanged: UnchangedEntries = ingest.unchanged(folder.name, former)
        # INVARIANT: put in by the thread that reads before the entry reaches the one that stores, which takes it out.
        self._verdicts: dict[bytes, Verdict] = {}
        self._waiting: tuple[Entry, Verdict] | None = None
        self._open = False
        self._finished = False
        self._name = component.name

    def wants(self, entry: Entry) -> bool:
        """Whether the content of a regular file is needed; called from the reading thread, in the order of entries."""
        if not entry.size_known:
            return True
        verdict = self._unchanged.judge(entry.path, entry.node)
        self._verdicts[entry.path] = verdict
        return verdict.entry is None

    def begin(self, entry: Entry) -> None:
        """The next entry. Raises `FormatError` if it is out of order."""
        self._settle()
        node = entry.node
        if node.type is NodeType.FILE:
            verdict = self._verdicts.pop(entry.path, NEW)
            if verdict.entry is not None:
                # Somebody else may want what is known here; then it comes, and what comes is what counts.
                self._waiting = entry, verdict
            else:
                self._start(entry, verdict)
        elif node.type is not NodeType.DIR:
            self._tree.other(entry.path, node)
        elif entry.path:
            self._tree.directory(entry.path, node)
        else:
            self._folder = replace(node, name=self._folder.name)

    def _start(self, entry: Entry, verdict: Verdict) -> None:
        self._waiting = None
        node = entry.node if entry.size_known else replace(entry.node, size=0)
        self._tree.file(entry.path, node, verdict)
        self._open = True

    def _content_comes(self) -> None:
        if self._waiting is not None:
            self._start(*self._waiting)

    def _settle(self) -> None:
        """The entry before is over: without content, it stays as it was known."""
        if self._waiting is not None:
            entry, verdict = self._waiting
            self._waiting = None
            self._tree.known(entry.path, verdict)

    def write(self, block: Buffer) -> None:
        """More of the current file. Raises `TargetError`."""
        self._content_comes()
        self._tree.write(block)

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """The current file is whole. Raises `TargetError`."""
        self._content_comes()
        self._open = False
        self._tree.end(sha256, size_bytes)

    def spoil(self) -> None:
        """The current file could not be read to its end: it is left out of the snapshot."""
        self._content_comes()
        if self._open:
            self._open = False
            self._tree.spoil()

    def finish(self, state: Path | None = None) -> None:
        """All entries were given. A repository needs no `state`."""
        del state
        self._settle()
        self._unchanged.close()
        self._ingest.put(self._folder, self._tree.finish())
        self._finished = True

    def require_finished(self) -> None:
        """Raises `TargetError` if the component is not complete."""
        if not self._finished:
            raise TargetError(
                detail=Phrase(
                    "component {name} was not completed, so the backup was not committed", {"name": self._name}
                )
            )


class RepositoryBackupWriter:
    """One backup on its way into a repository: not listed until `commit` returned."""

    def __init__(self, access: RepositoryAccess, listing: Listing, manifest: Manifest, target: str) -> None:
        self._access = access
        self._listing = listing
        self._target = target
        self._created_at = Instant.of(manifest.created_at)
        lock = access.shared()
        # INVARIANT: after the lock is taken: from now on nothing that the index lists goes away.
        index = access.index()
        self._former: list[Snapshot] = listing.snapshots()
        self._refuse_taken(manifest.backup_id)
        self._roots: dict[bytes, dict[bytes, Node]] = {}
        self._components: dict[str, RepositoryComponentWriter] = {}
        self._reader = Reader(access.open(), index)
        options = IngestOptions(
            paths=(f"/{manifest.app}",),
            tags=tags_of(manifest),
            host=manifest.host,
            time=self._created_at,
            parent=self._former[0].id if self._former else None,
            compression=compression_of(access.options),
            pack_bytes=pack_bytes_of(access.options),
            journal_prefix=f"app:{manifest.app}/".encode(),
        )
        self._ingest = Ingest(access.open(), index, lock, options)
        self._ended = False

    def _refuse_taken(self, backup_id: str) -> None:
        if any(backup_id_of(one) == backup_id for one in self._listing.snapshots()):
            self._access.release()
            raise ObjectExists(url=self._access.url, object=f"backup {backup_id}")

    def component(self, component: Component) -> RepositoryComponentWriter:
        """Begins a component; the counts in it are not known yet."""
        name = component.name.encode()
        if name == MANIFEST_NAME or component.name in self._components:
            raise FormatError(
                object=f"component {component.name!r}", reason="the snapshot has another entry of that name"
            )
        writer = RepositoryComponentWriter(
            self._ingest, component, self._former_tree(name), self._node(name, NodeType.DIR, 0o700)
        )
        self._components[component.name] = writer
        return writer

    def _former_tree(self, name: bytes) -> BlobId | None:
        """The component's folder in the newest backup that has one."""
        for snapshot in self._former:
            if snapshot.tree not in self._roots:
                try:
                    self._roots[snapshot.tree] = load_root(self._reader, snapshot)
                except HoldfastError:
                    # It is only a hint what need not be read.
                    self._roots[snapshot.tree] = {}
            found = self._roots[snapshot.tree].get(name)
            if found is not None and found.subtree is not None:
                return found.subtree
        return None

    def _node(self, name: bytes, kind: NodeType, permissions: int) -> Node:
        now = self._created_at.ns
        return Node(
            name=name,
            type=kind,
            mode=from_permissions(kind, permissions),
            mtime_ns=now,
            atime_ns=now,
            ctime_ns=now,
            uid=user_id(),
            gid=group_id(),
            user=user_name(user_id()),
            group=group_name(group_id()),
        )

    def commit(self, manifest: Manifest) -> StoredBackup:
        """Makes the backup durable and listed, and reads back what makes it one.

        Raises:
            TargetError: it is not listed.
        """
        for name in manifest.components:
            if name not in self._components:
                raise TargetError(
                    detail=Phrase("component {name} was never given, so the backup was not committed", {"name": name})
                )
            self._components[name].require_finished()
        # Two machines may have chosen the same id in the same second.
        self._refuse_taken(manifest.backup_id)
        # How the content is kept is the repository's business.
        components = {name: replace(component, files=()) for name, component in manifest.components.items()}
        complete = replace(manifest, components=components)
        # What the repository grows by; the manifest alone is new every time.
        added = self._ingest.stored_bytes + len(encode_manifest(complete))
        complete = replace(complete, total_size=added)
        self._ingest.put_file(self._node(MANIFEST_NAME, NodeType.FILE, 0o600), encode_manifest(complete))
        snapshot = self._ingest.commit()
        try:
            self._prove(snapshot, complete)
        except BaseException:
            self._withdraw(snapshot)
            raise
        self._ended = True
        self._access.release()
        return StoredBackup(target=self._target, manifest=complete, location=short(snapshot.id or b""))

    def _prove(self, snapshot: Snapshot, manifest: Manifest) -> None:
        """Reads the snapshot, its root and the manifest from the storage itself."""
        if snapshot.id is None:
            raise SnapshotNotFound(wanted=manifest.backup_id, reason="it was not stored")
        reader = Reader(past_caches(self._access.open()), self._reader.index)
        stored = load_snapshot(reader.repository, snapshot.id)
        root = load_root(reader, stored)
        if stored != snapshot or load_manifest(reader, root) != manifest:
            raise DamageError(object=f"snapshot {short(snapshot.id)}", reason="it is not what was stored")
        missing = [name for name in manifest.components if name.encode() not in root]
        if missing:
            raise DamageError(
                object=f"snapshot {short(snapshot.id)}",
                reason=Phrase("component {component} is not in it", {"component": missing[0]}),
            )

    def _withdraw(self, snapshot: Snapshot) -> None:
        """What could not be proved must not be listed."""
        if snapshot.id is not None:
            with contextlib.suppress(HoldfastError):
                # SAFETY: stored by this call, and nobody was told of it.
                self._access.open().remove(FileKind.SNAPSHOT, snapshot.id)

    def abort(self) -> None:
        """Leaves nothing that is listed; does nothing after `commit`."""
        if not self._ended:
            self._ended = True
            try:
                self._ingest.abort()
            finally:
                self._access.release()
