"""Saving what can be saved of damaged packs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from holdfast.errors import DamageError, HoldfastError, ObjectNotFound, RestoreError, ShortRead
from holdfast.model.blob import BlobLocation, BlobType, PackedBlob
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import PackId
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index import Index
from holdfast.repository.index_rewrite import IndexRewrite
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.pack_header import read_header
from holdfast.repository.reader import Reader
from holdfast.repository.removal import remove_files
from holdfast.repository.repository import Repository
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken

_PIECE = 16 << 20


class LostBlob(msgspec.Struct, frozen=True, gc=False):
    """A blob that could not be saved. `elsewhere`: another pack is said to have it, too."""

    type: BlobType
    id: bytes
    pack: PackId
    elsewhere: bool


class RepairPacksReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a repair of packs did.

    Attributes:
        saved: blobs that were put into new packs.
        lost: blobs that do not verify any more.
        packs_removed: damaged packs that are gone now.
        unknown: packs that were left alone, because nothing says what is in them: they have no header that can be
            read, and no index file lists them.
        copies: files with the damaged packs as they were.
    """

    saved: int
    lost: tuple[LostBlob, ...]
    packs_removed: int
    unknown: tuple[PackId, ...]
    copies: tuple[Path, ...]


def repair_packs(
    repository: Repository,
    lock: RepositoryLock,
    ids: Iterable[PackId],
    salvage_dir: Path | None = None,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RepairPacksReport:
    """Puts every blob that still verifies into new packs, then drops the damaged ones.

    New packs and their index are stored first, then index files without the damaged packs; the packs go last.

    Args:
        lock: held exclusively.
        ids: packs that `check` found damaged.
        salvage_dir: where to keep a copy of each pack as it is; None for no copies.

    Raises:
        RestoreError: a copy cannot be written; nothing was changed.
        BackendError: the storage failed; everything that verifies is still there.
        LockLost, Interrupted: stopped; a second run goes on from there.
    """
    wanted = list(dict.fromkeys(ids))
    copies = _keep_copies(repository, wanted, salvage_dir)
    with Index(repository, persistent=False) as index:
        index.sync(listener, on_damage=[])
        repair = _Repair(repository, lock, index, listener, cancel or CancelToken())
        repair.salvage(wanted)
        removed = repair.drop([pack_id for pack_id in wanted if pack_id not in repair.unknown])
    return RepairPacksReport(
        saved=repair.saved,
        lost=tuple(repair.lost),
        packs_removed=removed,
        unknown=tuple(repair.unknown),
        copies=copies,
    )


class _Repair:
    def __init__(
        self, repository: Repository, lock: RepositoryLock, index: Index, listener: Listener, cancel: CancelToken
    ) -> None:
        self.repository = repository
        self.lock = lock
        self.index = index
        self.reader = Reader(repository, index)
        self.listener = listener
        self.cancel = cancel
        self.compression = Compression.AUTO if repository.config.version >= 2 else Compression.OFF
        self.saved = 0
        self.lost: list[LostBlob] = []
        self.unknown: list[PackId] = []

    def salvage(self, packs: list[PackId]) -> None:
        """Copies all sound blobs; they are durable and listed when this returns."""
        with PackWriter(self.repository, self.index, before_commit=self.lock.ensure_held) as writer:
            try:
                for done, pack_id in enumerate(packs, 1):
                    for blob in self._blobs(pack_id):
                        self.cancel.raise_if_cancelled()
                        self._save(writer, pack_id, blob, set(packs))
                    self.listener(Progress(phase="salvage", items_done=done, items_total=len(packs)))
                writer.flush()
            except BaseException:
                with contextlib.suppress(HoldfastError):
                    writer.checkpoint()
                raise

    def _blobs(self, pack_id: PackId) -> list[PackedBlob]:
        """Everything that index or header have in a pack: either may be the one that is wrong."""
        pack = self.index.pack(pack_id)
        blobs = list(pack.blobs) if pack is not None else []
        try:
            size = self.repository.backend.size(Handle(FileKind.PACK, pack_id.hex()))
            blobs += read_header(self.repository, pack_id, size).blobs
        except (DamageError, ObjectNotFound, ShortRead):
            pass
        if not blobs:
            self.unknown.append(pack_id)
        return list(dict.fromkeys(blobs))

    def _save(self, writer: PackWriter, pack_id: PackId, blob: PackedBlob, damaged: set[PackId]) -> None:
        place = BlobLocation(pack_id, blob.offset, blob.length, blob.raw_length)
        what = f"{blob.type.label} blob {blob.id.hex()[:12]}"
        try:
            plaintext = self.reader.load_at(place, blob.id, what, uncached=True)
        except (DamageError, ObjectNotFound, ShortRead) as error:
            others = self.index.lookup_all(blob.type, blob.id)
            elsewhere = any(other.pack not in damaged for other in others)
            self.lost.append(LostBlob(blob.type, blob.id, pack_id, elsewhere))
            self.listener(Warned(code="blob-lost", subject=what, detail=error.phrase))
            return
        if writer.claim(blob.type, blob.id, even_if_indexed=True):
            sealed, raw_length = seal_blob(self.repository.sealer(), blob.type, bytes(plaintext), self.compression)
            writer.add(blob.type, blob.id, sealed, raw_length)
            self.saved += 1

    def drop(self, packs: list[PackId]) -> int:
        """Takes the packs out of the index, then deletes them."""
        change = IndexRewrite(self.repository, self.index, self.lock, packs, listener=self.listener)
        change.write()
        change.remove_former()
        change.settle()
        # SAFETY: asked for by name; what verified in them is durable elsewhere, and no index file lists them.
        done = remove_files(self.repository, self.lock, FileKind.PACK, packs, listener=self.listener)
        return len(done.removed)


def _keep_copies(repository: Repository, packs: list[PackId], folder: Path | None) -> tuple[Path, ...]:
    if folder is None:
        return ()
    copies: list[Path] = []
    for pack_id in packs:
        target = folder / f"pack-{pack_id.hex()}"
        try:
            _copy(repository, Handle(FileKind.PACK, pack_id.hex()), target)
        except ObjectNotFound:
            continue
        except OSError as error:
            raise RestoreError(path=str(target), reason=error.strerror or str(error)) from error
        copies.append(target)
    return tuple(copies)


def _copy(repository: Repository, handle: Handle, target: Path) -> None:
    size = repository.backend.size(handle)
    with open(target, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.writelines(
            repository.backend.load(handle, offset, min(_PIECE, size - offset)) for offset in range(0, size, _PIECE)
        )
        stream.flush()
        # DURABILITY: the original is about to be deleted.
        os.fsync(stream.fileno())
