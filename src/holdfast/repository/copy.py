"""Copying snapshots into another repository, sealed anew under its key.

Everything is proved on the way: what is read by its hash, what is written by opening it again. Copying into a fresh
repository is also how a master key is replaced.

Data counts as copied once the target's index lists it, so that an interrupted run is continued by the next.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from holdfast.errors import BlobNotFound, DamageError, HoldfastError, SealVerificationFailed
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import BlobId, PackId, SnapshotId, short
from holdfast.model.snapshot import Snapshot
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.fetch import Fetched, fetch, in_parallel
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.repository.trees import UsedBlobs, mark_references
from holdfast.repository.writer import DEFAULT_PACK_BYTES, PackWriter
from holdfast.runtime.cancel import CancelToken

_COMMIT_BYTES = 256 << 20
_LOOKUPS_MAX = 5_000

Wanted = tuple[PackId, list[PackedBlob]]
"""A pack and what is to be read of it."""


class CopyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to copy.

    Attributes:
        compression: for what is not compressed in the source.
        recompress: compress everything anew; otherwise what is compressed stays as it is.
        pack_bytes: size of the target's packs.
    """

    compression: Compression = Compression.AUTO
    recompress: bool = False
    pack_bytes: int = DEFAULT_PACK_BYTES


class CopiedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot of the source and the one of the target that stands for it; `new` if this run made it."""

    source: SnapshotId
    target: SnapshotId
    new: bool


class CopyFailure(msgspec.Struct, frozen=True):
    """A snapshot that could not be copied because something in the source is damaged."""

    source: SnapshotId
    code: str
    detail: str


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run copied. `copied_bytes` is what the target took up for it."""

    snapshots: tuple[CopiedSnapshot, ...]
    failed: tuple[CopyFailure, ...]
    copied_blobs: int
    copied_bytes: int


def copy(
    source: Repository,
    source_index: Index,
    target: Repository,
    target_index: Index,
    lock: RepositoryLock,
    snapshots: Sequence[Snapshot],
    options: CopyOptions,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> CopyReport:
    """Copies snapshots and everything they refer to that the target does not have.

    A snapshot that the target has already, by restic's rule, is passed over: one copied from the same original that
    still says the same in everything but its parent. One that cannot be read is passed over, too, and reported.

    Args:
        source: locked, so that nobody prunes it.
        source_index, target_index: synchronised.
        target: may be of another format version.
        lock: held on the target; asked before each commit.
        snapshots: of the source, in the order to copy them.

    Raises:
        TargetError: the target could not be written; snapshots saved before are whole.
        Interrupted: cancelled, with the same reservation.
    """
    run = _Run(source, source_index, target, target_index, lock, options, listener, cancel or CancelToken())
    return run.execute(snapshots)


class _Run:
    def __init__(
        self,
        source: Repository,
        source_index: Index,
        target: Repository,
        target_index: Index,
        lock: RepositoryLock,
        options: CopyOptions,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self.source = source
        self.source_index = source_index
        self.target = target
        self.target_index = target_index
        self.lock = lock
        self.options = options
        self.listener = listener
        self.cancel = cancel
        self.copied: list[CopiedSnapshot] = []
        self.failed: list[CopyFailure] = []
        self.waiting: list[Snapshot] = []
        self.committed_bytes = 0
        self.added: tuple[set[bytes], set[bytes]] = (set(), set())

    def execute(self, snapshots: Sequence[Snapshot]) -> CopyReport:
        present = _by_original(load_snapshots(self.target, self.listener))
        with PackWriter(
            self.target,
            self.target_index,
            pack_bytes=self.options.pack_bytes,
            before_commit=self.lock.ensure_held,
        ) as writer:
            try:
                self._copy_all(writer, snapshots, present)
                self._commit(writer)
            except BaseException:
                with contextlib.suppress(HoldfastError):
                    writer.checkpoint()
                raise
        return CopyReport(
            snapshots=tuple(self.copied),
            failed=tuple(self.failed),
            copied_blobs=writer.counts.data_blobs + writer.counts.tree_blobs,
            copied_bytes=writer.counts.stored_bytes,
        )

    def _copy_all(
        self, writer: PackWriter, snapshots: Sequence[Snapshot], present: dict[SnapshotId | None, list[Snapshot]]
    ) -> None:
        seen = UsedBlobs()
        for number, snapshot in enumerate(snapshots):
            self.listener(Progress(phase="copy-snapshots", items_done=number, items_total=len(snapshots)))
            assert snapshot.id is not None
            former = next((one for one in present.get(_origin(snapshot), ()) if _same(one, snapshot)), None)
            if former is not None and former.id is not None:
                self.copied.append(CopiedSnapshot(snapshot.id, former.id, new=False))
                continue
            try:
                self._copy_blobs(writer, snapshot, seen)
            except DamageError as error:
                # What was seen of this one may not have been copied, so the next must look at everything again.
                seen = UsedBlobs()
                self._note_failure(snapshot.id, error)
                continue
            self.waiting.append(snapshot)
            if writer.counts.stored_bytes - self.committed_bytes >= _COMMIT_BYTES:
                self._commit(writer)

    def _note_failure(self, snapshot_id: SnapshotId, error: DamageError) -> None:
        self.failed.append(CopyFailure(snapshot_id, error.code, error.phrase))
        self.listener(Warned(code=error.code, subject=f"snapshot {short(snapshot_id)}", detail=error.phrase))

    def _commit(self, writer: PackWriter) -> None:
        """Makes the data of the snapshots so far durable, then stores them."""
        # INVARIANT: packs, then index files, then the snapshots that need them.
        writer.flush()
        for names in self.added:
            names.clear()
        self.committed_bytes = writer.counts.stored_bytes
        for snapshot in self.waiting:
            self.lock.ensure_held()
            # A parent means nothing in another repository.
            saved = save_snapshot(
                self.target, msgspec.structs.replace(snapshot, parent=None, original=_origin(snapshot))
            )
            assert snapshot.id is not None
            assert saved.id is not None
            self.copied.append(CopiedSnapshot(snapshot.id, saved.id, new=True))
        self.waiting.clear()

    # --- blobs ----------------------------------------------------------------------------------

    def _copy_blobs(self, writer: PackWriter, snapshot: Snapshot, seen: UsedBlobs) -> None:
        """Copies what the snapshot refers to and neither the target nor a snapshot before it has."""
        missing: tuple[set[bytes], set[bytes]] = (set(), set())
        indexed, added = self.target_index.contains, self.added

        def note(tree_id: bytes, contents: list[BlobId], _subtrees: list[BlobId]) -> None:
            for kind, names in ((BlobType.TREE, [tree_id]), (BlobType.DATA, contents)):
                unknown = [one for one in names if one not in added[kind] and not indexed(kind, one)]
                missing[kind].update(unknown)

        mark_references(
            Reader(self.source, self.source_index),
            [snapshot.tree],
            listener=self.listener,
            cancel=self.cancel,
            on_tree=note,
            known=seen,
        )
        in_parallel(self.source, lambda wanted: self._copy_pack(writer, wanted), self._located(missing))

    def _located(self, missing: tuple[set[bytes], set[bytes]]) -> Iterator[Wanted]:
        """Where the missing blobs lie, pack by pack. Few are looked up, for many the whole index is read."""
        if len(missing[0]) + len(missing[1]) <= _LOOKUPS_MAX:
            yield from self._looked_up(missing)
            return
        for pack in self.source_index.packs():
            wanted = [blob for blob in pack.blobs if blob.id in missing[blob.type]]
            if wanted:
                for blob in wanted:
                    missing[blob.type].discard(blob.id)
                yield pack.id, wanted
        for kind in BlobType:
            for blob_id in missing[kind]:
                raise BlobNotFound(object=f"{kind.label} blob {blob_id.hex()[:12]}")

    def _looked_up(self, missing: tuple[set[bytes], set[bytes]]) -> Iterable[Wanted]:
        by_pack: dict[PackId, list[PackedBlob]] = {}
        for kind in BlobType:
            for blob_id in missing[kind]:
                place = self.source_index.lookup(kind, blob_id)
                if place is None:
                    raise BlobNotFound(object=f"{kind.label} blob {blob_id.hex()[:12]}")
                blob = PackedBlob(kind, BlobId(blob_id), place.offset, place.length, place.raw_length)
                by_pack.setdefault(place.pack, []).append(blob)
        return by_pack.items()

    def _copy_pack(self, writer: PackWriter, wanted: Wanted) -> None:
        pack_id, blobs = wanted
        for blob in fetch(self.source, self.source_index, pack_id, blobs, self.cancel):
            writer.add(blob.type, blob.id, *self._sealed_for_target(blob))
            # INVARIANT: only what the writer has. A blob that could not be read must be missing for the next
            # snapshot, too.
            self.added[blob.type].add(blob.id)

    def _sealed_for_target(self, blob: Fetched) -> tuple[Buffer, int]:
        sealer = self.target.sealer()
        if self.target.config.version < 2:
            return seal_blob(sealer, blob.type, bytes(blob.plaintext), Compression.OFF)
        if self.options.recompress or not blob.raw_length:
            return seal_blob(sealer, blob.type, bytes(blob.plaintext), self.options.compression)
        frame = self.source.sealer().open(blob.sealed, "blob")
        sealed = sealer.seal(frame, os.urandom(16))
        if not sealer.opens_to(sealed, frame, "blob"):
            raise SealVerificationFailed(object=f"{blob.type.label} blob")
        return sealed, blob.raw_length


# --- which snapshots are there already -------------------------------------------------------------


def _origin(snapshot: Snapshot) -> SnapshotId | None:
    return snapshot.original or snapshot.id


def _by_original(snapshots: Iterable[Snapshot]) -> dict[SnapshotId | None, list[Snapshot]]:
    """Snapshots by what they were made from, and by their own name."""
    found: dict[SnapshotId | None, list[Snapshot]] = {}
    for snapshot in snapshots:
        for name in {snapshot.original, snapshot.id} - {None}:
            found.setdefault(name, []).append(snapshot)
    return found


def _same(one: Snapshot, other: Snapshot) -> bool:
    """COMPAT(restic): all that matters is equal; parent, original, program and summary do not."""
    return (
        (one.time.ns, one.tree, one.hostname, one.username, one.uid, one.gid, one.excludes)
        == (other.time.ns, other.tree, other.hostname, other.username, other.uid, other.gid, other.excludes)
        and (len(one.paths), len(one.tags)) == (len(other.paths), len(other.tags))
        and set(one.paths) >= set(other.paths)
        and set(one.tags) >= set(other.tags)
    )
