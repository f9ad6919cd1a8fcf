"""Copying what is still needed out of packs that are about to be deleted."""

from __future__ import annotations

import os
import threading

from holdfast.errors import Phrase, PruneRefused, SealVerificationFailed
from holdfast.format import zstd
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress
from holdfast.model.ids import PackId, short
from holdfast.model.pack import Pack
from holdfast.repository.blobs import Compression
from holdfast.repository.fetch import Fetched, fetch, in_parallel
from holdfast.repository.index import Index
from holdfast.repository.prune.options import PruneOptions, PrunePlan
from holdfast.repository.repository import Repository
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken


class Repacker:
    """Reads packs in parallel, proves each needed blob, and hands its sealed bytes on to a writer.

    The sealed bytes stay as they are, since the key does; only what shall be compressed is sealed anew.
    Memory: what `fetch` holds for each of a few threads, and what the writer holds.
    """

    def __init__(
        self,
        repository: Repository,
        index: Index,
        writer: PackWriter,
        plan: PrunePlan,
        options: PruneOptions,
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self._repository = repository
        self._index = index
        self._writer = writer
        self._plan = plan
        self._listener = listener
        self._cancel = cancel
        version = repository.config.version
        self._compresses = {BlobType.TREE: version >= 2, BlobType.DATA: version >= 2 and options.repack_uncompressed}
        level = options.compression if options.compression is not Compression.OFF else Compression.AUTO
        self._level = level.value
        self._mutex = threading.Lock()
        self._taken: tuple[set[bytes], set[bytes]] = (set(), set())
        self._packs_done = 0
        self._bytes_done = 0

    def run(self) -> None:
        """Copies everything needed from the packs to repack; the writer then has to be flushed.

        Raises:
            DamageError: a needed blob is damaged and there is no other copy. Nothing it lies in was deleted.
        """
        repacked = self._plan.stats.repacked
        blob_bytes = repacked.size_bytes // max(1, repacked.blobs)
        in_parallel(self._repository, self._repack, self._plan.repack, blob_bytes=blob_bytes)

    def _repack(self, pack_id: PackId) -> None:
        pack = self._index.pack(pack_id)
        if pack is None:
            raise PruneRefused(reason=Phrase("pack {pack_id} is in no index any more", {"pack_id": short(pack_id)}))
        for blob in fetch(self._repository, self._index, pack_id, self._take(pack), self._cancel):
            sealed, raw_length = self._as_wanted(blob)
            self._writer.add(blob.type, blob.id, sealed, raw_length)
        with self._mutex:
            self._packs_done += 1
            self._bytes_done += sum(blob.length for blob in pack.blobs)
            done = Progress(
                phase="repack",
                items_done=self._packs_done,
                items_total=len(self._plan.repack),
                bytes_done=self._bytes_done,
                bytes_total=self._plan.stats.repacked.size_bytes,
            )
        self._listener(done)

    def _take(self, pack: Pack) -> list[PackedBlob]:
        """The needed blobs of a pack that nobody else copies."""
        used, kept = self._plan.used, self._plan.kept
        needed = [blob for blob in pack.blobs if blob.id in used[blob.type] and blob.id not in kept[blob.type]]
        wanted: list[PackedBlob] = []
        with self._mutex:
            for blob in needed:
                taken = self._taken[blob.type]
                if blob.id not in taken:
                    taken.add(blob.id)
                    wanted.append(blob)
        return wanted

    def _as_wanted(self, blob: Fetched) -> tuple[Buffer, int]:
        if blob.raw_length or not self._compresses[blob.type] or len(blob.sealed) <= OVERHEAD:
            return blob.sealed, blob.raw_length
        # COMPAT(restic): the compressed form is kept even where it is larger; otherwise the next prune would want
        # to compress it again.
        frame = zstd.compress(blob.plaintext, self._level)
        sealer = self._repository.sealer()
        sealed = sealer.seal(frame, os.urandom(16))
        if zstd.decompress(sealer.open(sealed, "blob"), len(blob.plaintext)) != blob.plaintext:
            raise SealVerificationFailed(object=f"{blob.type.label} blob")
        return sealed, len(blob.plaintext)
