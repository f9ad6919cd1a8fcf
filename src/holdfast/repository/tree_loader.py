"""Loading many trees with few requests: neighbours in a pack are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Self

import msgspec

from holdfast.errors import BlobNotFound, DamageError, HoldfastError, ObjectNotFound, ShortRead
from holdfast.model.blob import BlobLocation, BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.ids import PackId
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import open_blob
from holdfast.repository.reader import MAX_BLOB_BYTES, Reader

_RANGE_BYTES = 4 << 20
_GAP_BYTES = 64 << 10

LoadedTree = tuple[bytes, Buffer | HoldfastError]
"""A tree's id and its plaintext, or why there is none."""


class PackRange(msgspec.Struct):
    """A stretch of a pack and the trees in it, by ascending offset."""

    pack: PackId
    offset: int
    length: int
    blobs: list[tuple[bytes, BlobLocation]]


class TreeLoader:
    """Loads trees in batches. Close it, or use it as a context manager.

    Memory: the stretches being read (4 MiB each, one for each connection of a remote storage) and one plaintext.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._backend = reader.repository.backend
        self._executor: ThreadPoolExecutor | None = None

    def load(self, tree_ids: Sequence[bytes]) -> Iterator[LoadedTree]:
        """The plaintext of each tree, proved by its hash, in the order they lie in storage.

        Damaged copies are made up for by others; what cannot be read at all comes as the error that says why.
        """
        ranges, missing = plan_ranges(self._reader, tree_ids)
        for tree_id in missing:
            yield tree_id, BlobNotFound(object=f"tree blob {tree_id.hex()[:12]}")
        for part, sealed in self._read(ranges):
            for tree_id, place in part.blobs:
                yield tree_id, self._open(part, sealed, tree_id, place)

    def _read(self, ranges: list[PackRange]) -> Iterator[tuple[PackRange, bytes | None]]:
        connections = self._backend.connections
        if len(ranges) < 2 or connections < 2 or self._is_local():
            for part in ranges:
                yield part, self._read_range(part)
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(connections, thread_name_prefix="holdfast-trees")
        waiting = iter(ranges)
        running: list[tuple[PackRange, Future[bytes | None]]] = [
            (part, self._executor.submit(self._read_range, part)) for part in islice(waiting, connections)
        ]
        while running:
            part, future = running.pop(0)
            yield part, future.result()
            running += [(more, self._executor.submit(self._read_range, more)) for more in islice(waiting, 1)]

    def _read_range(self, part: PackRange) -> bytes | None:
        """The bytes; None where they cannot be had in one piece, and each tree shall be tried by itself."""
        try:
            return self._backend.load(Handle(FileKind.PACK, part.pack.hex()), part.offset, part.length)
        except (ObjectNotFound, ShortRead):
            return None

    def _open(
        self, part: PackRange, sealed: bytes | None, tree_id: bytes, place: BlobLocation
    ) -> Buffer | HoldfastError:
        what = f"tree blob {tree_id.hex()[:12]}"
        try:
            if sealed is None or place.plain_length > MAX_BLOB_BYTES:
                return self._reader.load_blob(BlobType.TREE, tree_id)
            start = place.offset - part.offset
            sealer = self._reader.repository.sealer()
            return open_blob(sealer, sealed, start, place.length, place.raw_length, tree_id, what)
        except DamageError as error:
            return error if sealed is None else self._open_otherwise(tree_id)

    def _open_otherwise(self, tree_id: bytes) -> Buffer | HoldfastError:
        """Past any cache, and from other packs."""
        try:
            return self._reader.load_blob(BlobType.TREE, tree_id)
        except DamageError as error:
            return error

    def _is_local(self) -> bool:
        return self._backend.local_path(Handle(FileKind.PACK, bytes(32).hex())) is not None

    def close(self) -> None:
        """Ends the threads, if there are any."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plan_ranges(reader: Reader, tree_ids: Sequence[bytes]) -> tuple[list[PackRange], list[bytes]]:
    """Which stretches of which packs to read for these trees, and which of them are in no index."""
    by_pack: dict[PackId, list[tuple[bytes, BlobLocation]]] = {}
    missing: list[bytes] = []
    for tree_id in tree_ids:
        place = reader.index.lookup(BlobType.TREE, tree_id)
        if place is None:
            missing.append(tree_id)
        else:
            by_pack.setdefault(place.pack, []).append((tree_id, place))
    ranges: list[PackRange] = []
    for pack, blobs in by_pack.items():
        blobs.sort(key=lambda blob: blob[1].offset)
        ranges += _joined(pack, blobs)
    return ranges, missing


def _joined(pack: PackId, blobs: list[tuple[bytes, BlobLocation]]) -> Iterator[PackRange]:
    part: PackRange | None = None
    for blob in blobs:
        place = blob[1]
        end = place.offset + place.length
        if part is not None and place.offset <= part.offset + part.length + _GAP_BYTES:
            length = max(part.length, end - part.offset)
            if length <= _RANGE_BYTES:
                part.length = length
                part.blobs.append(blob)
                continue
        if part is not None:
            yield part
        part = PackRange(pack, place.offset, place.length, [blob])
    if part is not None:
        yield part
