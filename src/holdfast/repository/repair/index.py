"""Writing an index of what is really there."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from holdfast.errors import DamageError, FormatError, HoldfastError, ObjectNotFound, ShortRead
from holdfast.format.index import decode_index, encode_index
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import IndexId, PackId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.documents import fetch
from holdfast.repository.index import Index
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.pack_header import facts, read_header
from holdfast.repository.removal import remove_files
from holdfast.repository.repository import Repository
from holdfast.repository.writer import INDEX_BLOBS
from holdfast.runtime.cancel import CancelToken


class RepairIndexReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a repair of the index did.

    Attributes:
        packs: how many packs are stored.
        packs_read: how many headers were read.
        added: packs that were in no index.
        corrected: packs that the index listed wrongly.
        dropped: packs that the index listed and that are not there.
        unreadable: packs whose header cannot be read: `repair packs` saves what can be saved of them. What an index
            file said of them is kept, since nothing else knows what is in them.
        damaged: index files that could not be read and were replaced.
        indexes_written, indexes_removed: index files.
    """

    packs: int
    packs_read: int
    added: tuple[PackId, ...]
    corrected: tuple[PackId, ...]
    dropped: tuple[PackId, ...]
    unreadable: tuple[PackId, ...]
    damaged: tuple[IndexId, ...]
    indexes_written: int
    indexes_removed: int


def repair_index(
    repository: Repository,
    lock: RepositoryLock,
    read_all: bool = False,
    *,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RepairIndexReport:
    """Makes the index list what the packs that are there hold.

    Index files that are right stay as they are. New ones are stored before any other is deleted, so that a crash
    leaves packs listed twice at worst.

    Args:
        lock: held exclusively.
        read_all: trust no index entry and read the header of every pack.

    Raises:
        BackendError: the storage failed; nothing was deleted, or nothing more.
        LockLost, Interrupted: stopped; a second run goes on from there.
    """
    with Index(repository, persistent=False, private=True) as index:
        return _Repair(repository, lock, index, listener, cancel or CancelToken()).run(read_all=read_all)


class _Repair:
    def __init__(
        self, repository: Repository, lock: RepositoryLock, index: Index, listener: Listener, cancel: CancelToken
    ) -> None:
        self.repository = repository
        self.lock = lock
        self.index = index
        self.listener = listener
        self.cancel = cancel
        self.damaged: list[IndexId] = []
        self.known: dict[PackId, bytes] = {}
        self.doubtful: set[PackId] = set()
        self.corrected: list[PackId] = []
        self.added: list[PackId] = []
        self.unreadable: list[PackId] = []
        self.batch = _Batch(repository, lock)

    def run(self, *, read_all: bool) -> RepairIndexReport:
        sizes = {
            PackId(bytes.fromhex(pack.name)): pack.size_bytes for pack in self.repository.backend.list(FileKind.PACK)
        }
        self._load_indexes()
        self._compare(sizes)
        to_read = [name for name in sizes if read_all or name in self.doubtful or name not in self.known]
        self._read_headers(to_read, sizes)
        dropped = [name for name in self.known if name not in sizes]
        concerned = self._concerned({*dropped, *self.corrected})
        for pack in self._staying(concerned, {*dropped, *self.corrected}):
            self.batch.add(pack)
        self.batch.flush()
        former = [*concerned, *self.damaged]
        # SAFETY: whatever they list and is there, is listed by files that stay or that have just been stored.
        remove_files(self.repository, self.lock, FileKind.INDEX, former, strict=True, listener=self.listener)
        return RepairIndexReport(
            packs=len(sizes),
            packs_read=len(to_read),
            added=tuple(self.added),
            corrected=tuple(self.corrected),
            dropped=tuple(dropped),
            unreadable=tuple(self.unreadable),
            damaged=tuple(self.damaged),
            indexes_written=self.batch.written,
            indexes_removed=len(former),
        )

    def _load_indexes(self) -> None:
        def decode(name: bytes) -> list[Pack]:
            return decode_index(self.repository.load_unpacked(FileKind.INDEX, name), Handle(FileKind.INDEX, name.hex()))

        names = list(self.repository.names(FileKind.INDEX))
        for name, packs in fetch(self.repository.backend, names, decode):
            self.cancel.raise_if_cancelled()
            if isinstance(packs, DamageError):
                self.damaged.append(IndexId(name))
                self.listener(Warned(code=packs.code, subject=f"index/{name.hex()}", detail=packs.phrase))
            elif isinstance(packs, HoldfastError):
                raise packs
            else:
                self.index.add(IndexId(name), packs)

    def _compare(self, sizes: dict[PackId, int]) -> None:
        """Notes which entries are doubtful: impossible, of the wrong size, or contradicting another one."""
        for pack in self.index.packs():
            try:
                size, header = facts(pack)
            except FormatError:
                size, header = 0, b""
            digest = sha256(header).digest()
            if self.known.setdefault(pack.id, digest) != digest or sizes.get(pack.id, size) != size:
                self.doubtful.add(pack.id)

    def _read_headers(self, names: list[PackId], sizes: dict[PackId, int]) -> None:
        def read(name: bytes) -> Pack:
            return read_header(self.repository, PackId(name), sizes[PackId(name)])

        for done, (name, pack) in enumerate(fetch(self.repository.backend, list(names), read), 1):
            self.cancel.raise_if_cancelled()
            self.listener(Progress(phase="pack-headers", items_done=done, items_total=len(names)))
            if isinstance(pack, DamageError | ShortRead | ObjectNotFound):
                self.unreadable.append(PackId(name))
                self.listener(Warned(code=pack.code, subject=f"data/{name.hex()}", detail=pack.phrase))
            elif isinstance(pack, HoldfastError):
                raise pack
            else:
                self._take(pack)

    def _take(self, pack: Pack) -> None:
        known = self.known.get(pack.id)
        if known is None:
            self.added.append(pack.id)
        elif pack.id in self.doubtful or known != sha256(facts(pack)[1]).digest():
            self.corrected.append(pack.id)
        else:
            return
        self.batch.add(pack)

    def _concerned(self, changed: set[PackId]) -> list[IndexId]:
        return sorted({name for pack_id in changed for name in self.index.indexes_of(pack_id)})

    def _staying(self, concerned: list[IndexId], changed: set[PackId]) -> Iterator[Pack]:
        seen: set[PackId] = set()
        for name in concerned:
            for pack in self.index.packs_of(name):
                if pack.id not in changed and pack.id not in seen:
                    seen.add(pack.id)
                    yield pack


class _Batch:
    """Collects packs and stores an index file whenever there are enough of them."""

    def __init__(self, repository: Repository, lock: RepositoryLock) -> None:
        self._repository = repository
        self._lock = lock
        self._packs: list[Pack] = []
        self._blobs = 0
        self.written = 0

    def add(self, pack: Pack) -> None:
        """Takes a pack up."""
        self._packs.append(pack)
        self._blobs += len(pack.blobs)
        if self._blobs >= INDEX_BLOBS:
            self.flush()

    def flush(self) -> None:
        """Stores what was collected."""
        if self._packs:
            self._lock.ensure_held()
            self._repository.save_unpacked(FileKind.INDEX, encode_index(self._packs))
            self.written += 1
        self._packs, self._blobs = [], 0
