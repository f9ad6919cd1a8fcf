"""Reading blobs in an order that is known beforehand: neighbours in a pack with one request, some of it ahead.

Many small files cost as many requests as they have blobs if each is read by itself, which on a distant storage takes
hours. A batch reads what lies together at once; whatever it cannot read is looked for elsewhere, blob by blob.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from holdfast.errors import DamageError, FormatError, ObjectNotFound, Phrase, ShortRead
from holdfast.model.blob import BlobLocation, BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.ids import PackId
from holdfast.model.node import Node
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import open_blob
from holdfast.repository.reader import MAX_BLOB_BYTES, Reader

BATCH_BYTES = 4 << 20
"""Plaintext of a batch, unless a single blob is larger."""

_REQUEST_BYTES = 4 << 20
_GAP_BYTES = 64 << 10
_LOOKED_UP = 256
_THREADS_MAX = 4

_Places = list[tuple[bytes, BlobLocation]]


class ReadAhead:
    """Reads data blobs in batches. Close it, or use it as a context manager. For one consuming thread."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._executor: ThreadPoolExecutor | None = None

    def batch(self, blob_ids: Sequence[bytes]) -> Batch:
        """Blobs that are read together when the first of them is wanted; some `BATCH_BYTES` of them."""
        return Batch(self, blob_ids)

    def file(self, node: Node) -> Iterator[Buffer]:
        """A file's content in order, a batch ahead.

        Raises:
            DamageError: a blob cannot be read, or all of them together are not as long as the file.
        """
        total = 0
        batches = self._batches(node.content or ())
        waiting = deque(batch for batch in [next(batches, None)] if batch is not None)
        while waiting:
            batch = waiting.popleft()
            batch.start()
            if (following := next(batches, None)) is not None:
                following.start()
                waiting.append(following)
            for blob_id in batch.blob_ids:
                piece = batch.take(blob_id)
                total += len(piece)
                if total > node.size:
                    raise _wrong_size(node)
                yield piece
        if total != node.size:
            raise _wrong_size(node)

    def _batches(self, blob_ids: Sequence[bytes]) -> Iterator[Batch]:
        for start in range(0, len(blob_ids), _LOOKED_UP):
            portion = blob_ids[start : start + _LOOKED_UP]
            places = self.reader.index.lookup_many(BlobType.DATA, portion)
            batch: list[bytes] = []
            weight = 0
            for blob_id in portion:
                place = places.get(blob_id)
                size = 0 if place is None else place.plain_length
                if batch and weight + size > BATCH_BYTES:
                    yield Batch(self, batch)
                    batch, weight = [], 0
                batch.append(blob_id)
                weight += size
            yield Batch(self, batch)

    def submit(self, pack: PackId, places: _Places) -> Future[dict[bytes, Buffer]]:
        """Starts one request and the opening of what it brings."""
        if self._executor is None:
            threads = max(1, min(_THREADS_MAX, self.reader.repository.backend.connections))
            self._executor = ThreadPoolExecutor(threads, thread_name_prefix="holdfast-ahead")
        return self._executor.submit(self._read, pack, places)

    def _read(self, pack: PackId, places: _Places) -> dict[bytes, Buffer]:
        """What could be read of one stretch of a pack."""
        repository = self.reader.repository
        start = places[0][1].offset
        end = max(place.offset + place.length for _, place in places)
        try:
            sealed = repository.backend.load(Handle(FileKind.PACK, pack.hex()), start, end - start)
        except (ObjectNotFound, ShortRead):
            return {}
        opened: dict[bytes, Buffer] = {}
        for blob_id, place in places:
            try:
                what = f"data blob {blob_id.hex()[:12]}"
                offset = place.offset - start
                opened[blob_id] = open_blob(
                    repository.sealer(), sealed, offset, place.length, place.raw_length, blob_id, what
                )
            except DamageError:
                # `take` looks for another copy, and says what is wrong if there is none.
                continue
        return opened

    def close(self) -> None:
        """Ends the threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Batch:
    """Some blobs that are read together; made by `ReadAhead`."""

    def __init__(self, ahead: ReadAhead, blob_ids: Sequence[bytes]) -> None:
        self.blob_ids = blob_ids
        self._ahead = ahead
        self._futures: dict[bytes, Future[dict[bytes, Buffer]]] | None = None

    def start(self) -> None:
        """Begins to read. Does nothing the second time."""
        if self._futures is not None:
            return
        self._futures = {}
        places = self._ahead.reader.index.lookup_many(BlobType.DATA, dict.fromkeys(self.blob_ids))
        by_pack: dict[PackId, _Places] = {}
        for blob_id, place in places.items():
            if place.plain_length <= MAX_BLOB_BYTES:
                by_pack.setdefault(place.pack, []).append((blob_id, place))
        for pack, found in by_pack.items():
            for stretch in _stretches(found):
                future = self._ahead.submit(pack, stretch)
                self._futures.update((blob_id, future) for blob_id, _ in stretch)

    def take(self, blob_id: bytes) -> Buffer:
        """The plaintext of a blob of the batch, proved by its hash.

        Raises:
            BlobNotFound: no index lists it.
            DamageError: every copy is damaged or missing.
        """
        self.start()
        future = (self._futures or {}).get(blob_id)
        found = None if future is None else future.result().get(blob_id)
        return self._ahead.reader.load_blob(BlobType.DATA, blob_id) if found is None else found


def _stretches(places: _Places) -> Iterator[_Places]:
    places.sort(key=lambda item: item[1].offset)
    stretch: _Places = []
    start = end = 0
    for blob_id, place in places:
        if stretch and (place.offset > end + _GAP_BYTES or place.offset + place.length - start > _REQUEST_BYTES):
            yield stretch
            stretch = []
        if not stretch:
            start = end = place.offset
        stretch.append((blob_id, place))
        end = max(end, place.offset + place.length)
    yield stretch


def _wrong_size(node: Node) -> FormatError:
    return FormatError(
        object=f"file {node.name!r}",
        reason=Phrase("it has {size} bytes, its content another number", {"size": node.size}),
    )


class PieceReader:
    """A file's content as a stream; satisfies `holdfast.protocols.ContentReader`.

    Args:
        pieces: the content in order; raises at its end if it is not whole.
    """

    def __init__(self, pieces: Iterator[Buffer]) -> None:
        self._pieces = pieces
        self._rest: memoryview = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that is left by default; empty at the end. Raises `DamageError`."""
        if size < 0:
            rest, self._rest = self._rest, memoryview(b"")
            return b"".join([rest, *self._pieces])
        while size and not len(self._rest):
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            if isinstance(piece, bytes) and len(piece) <= size:
                return piece
            self._rest = memoryview(piece)
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def close(self) -> None:
        """Drops what was not read."""
        self._pieces = iter(())
        self._rest = memoryview(b"")
