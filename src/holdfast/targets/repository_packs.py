"""Reading the blobs of a backup pack by pack, and what each of these packs says of itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from holdfast.errors import BackendUnavailable, DamageError, HoldfastError, ObjectNotFound, Phrase, ShortRead
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId
from holdfast.protocols import FileKind, Handle
from holdfast.repository.fetch import fetch, in_parallel
from holdfast.repository.pack_header import read_header
from holdfast.repository.reader import Reader
from holdfast.runtime.cancel import CancelToken

_GATHERED_MAX = 500_000
_LOOKED_UP = 512

OnDamage = Callable[[str, str, str], None]
"""Told a code, what is damaged, and how."""


class NeededPacks:
    """Gathers what a backup needs and reads it pack by pack.

    Memory: some 150 bytes for each blob that waits, of which there are at most half a million, and 100 for each pack.

    Args:
        reader: past all caches.
        on_damage: may be called from several threads.
        on_read: told how many bytes of content were read; may be called from several threads.
    """

    def __init__(self, reader: Reader, on_damage: OnDamage, on_read: Callable[[int], None]) -> None:
        self._reader = reader
        self._on_damage = on_damage
        self._on_read = on_read
        self._waiting: dict[PackId, dict[BlobId, str]] = {}
        self._count = self._size = 0
        self._packs: set[PackId] = set()
        self._mutex = threading.Lock()

    def note(self, kind: BlobType, ids: Sequence[BlobId], shown: str, *, read: bool) -> int | None:
        """Takes up what a file or a folder consists of.

        Args:
            shown: its name in messages.
            read: read the blobs later; without, somebody else reads them, and only their packs are looked at.

        Returns:
            Their plaintext bytes; None, after telling, if one of them is in no index.
        """
        size = 0
        for start in range(0, len(ids), _LOOKED_UP):
            portion = ids[start : start + _LOOKED_UP]
            places = self._reader.index.lookup_many(kind, portion)
            for blob_id in portion:
                place = places.get(blob_id)
                if place is None:
                    self._on_damage(
                        "file-damaged",
                        shown,
                        Phrase(
                            "{label} blob {blob_id} is in no index",
                            {"label": kind.label, "blob_id": blob_id.hex()[:12]},
                        ),
                    )
                    return None
                size += place.plain_length
                self._packs.add(place.pack)
                if read and self._waiting.setdefault(place.pack, {}).setdefault(blob_id, shown) is shown:
                    self._count += 1
                    self._size += place.plain_length
        if self._count >= _GATHERED_MAX:
            self.read()
        return size

    def read(self) -> None:
        """Reads what waits. Raises `BackendUnavailable`."""
        waiting, average = list(self._waiting.items()), self._size // max(1, self._count)
        self._waiting, self._count, self._size = {}, 0, 0
        in_parallel(self._reader.repository, lambda item: self._read_blobs(*item), waiting, blob_bytes=average)

    def _read_blobs(self, pack_id: PackId, wanted: dict[BlobId, str]) -> None:
        pack = self._reader.index.pack(pack_id)
        blobs = [blob for blob in (pack.blobs if pack else ()) if blob.id in wanted and blob.type is BlobType.DATA]
        done: set[BlobId] = set()
        try:
            for fetched in fetch(self._reader.repository, self._reader.index, pack_id, blobs, CancelToken()):
                done.add(fetched.id)
                self._on_read(len(fetched.plaintext))
        except (DamageError, ObjectNotFound, ShortRead):
            # One is damaged everywhere; each of the rest is then tried by itself.
            for blob, error in self._one_by_one([blob for blob in blobs if blob.id not in done]):
                self._on_damage("file-damaged", wanted[blob.id], error.phrase)

    def _one_by_one(self, blobs: Sequence[PackedBlob]) -> Iterator[tuple[PackedBlob, HoldfastError]]:
        for blob in blobs:
            try:
                self._on_read(len(self._reader.load_blob(BlobType.DATA, blob.id)))
            except BackendUnavailable:
                raise
            except HoldfastError as error:
                yield blob, error

    def read_headers(self) -> None:
        """Compares what each pack says of itself with what the index says of it. Raises `BackendUnavailable`."""
        in_parallel(self._reader.repository, self._read_header, sorted(self._packs))

    def _read_header(self, pack_id: PackId) -> None:
        repository = self._reader.repository
        handle = Handle(FileKind.PACK, pack_id.hex())
        try:
            header = read_header(repository, pack_id, repository.backend.size(handle))
        except (DamageError, ObjectNotFound, ShortRead) as error:
            self._on_damage("pack-damaged", str(handle), error.phrase)
            return
        listed = self._reader.index.pack(pack_id)
        if listed is None or set(header.blobs) != set(listed.blobs):
            self._on_damage("pack-damaged", str(handle), "the index does not list what is in it")
