"""Reading many blobs pack by pack, as they are stored, each proved by its content.

For whoever moves blobs from one place to another: `prune` copies sealed bytes as they are, `copy` seals them anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from holdfast.errors import DamageError, FormatError, ObjectNotFound, Phrase, ShortRead
from holdfast.model.blob import BlobLocation, BlobType, PackedBlob
from holdfast.model.buffer import Buffer
from holdfast.model.ids import BlobId, PackId
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import open_blob
from holdfast.repository.coalesce import Stretch, stretches
from holdfast.repository.index import Index
from holdfast.repository.reader import MAX_BLOB_BYTES
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken

T = TypeVar("T")

_THREADS_MAX = 8
_SMALL_BYTES = 32 << 10


class Fetched(NamedTuple):
    """A blob as it is stored and what it holds. `raw_length` is 0 where it is not compressed."""

    type: BlobType
    id: BlobId
    sealed: Buffer
    raw_length: int
    plaintext: Buffer


def in_parallel(
    repository: Repository, work: Callable[[T], None], items: Iterable[T], *, blob_bytes: int = 1 << 20
) -> None:
    """Calls `work` for each item, as many at once as the storage can use; only a few items wait. One error ends it.

    Args:
        blob_bytes: how large the blobs are that `work` handles, on average. Small ones on a local disk keep the
            interpreter busy and nothing else: threads would only wait for each other.
    """
    threads = max(1, min(_THREADS_MAX, repository.backend.connections))
    if threads == 1 or (blob_bytes < _SMALL_BYTES and is_local(repository)):
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="holdfast-fetch") as executor:
        waiting: deque[Future[None]] = deque()
        try:
            for item in items:
                if len(waiting) > 2 * threads:
                    waiting.popleft().result()
                waiting.append(executor.submit(work, item))
            while waiting:
                waiting.popleft().result()
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def is_local(repository: Repository) -> bool:
    """Whether reading costs no waiting."""
    return repository.backend.local_path(Handle(FileKind.PACK, bytes(32).hex())) is not None


def fetch(
    repository: Repository, index: Index, pack_id: PackId, blobs: Iterable[PackedBlob], cancel: CancelToken
) -> Iterator[Fetched]:
    """Reads blobs of one pack; for one that is damaged or missing there, another copy, if there is one.

    Memory: one stretch of the pack at a time.

    Args:
        pack_id: the pack to read.
        blobs: what of it, in any order.
        cancel: asked before each request.

    Raises:
        DamageError: a blob cannot be read anywhere.
    """
    for stretch in stretches(blobs):
        cancel.raise_if_cancelled()
        data = _load(repository, pack_id, stretch)
        for blob in stretch.blobs:
            yield _fetch_one(repository, index, pack_id, blob, data, stretch.offset)


def _load(repository: Repository, pack_id: PackId, stretch: Stretch) -> bytes:
    try:
        return repository.backend.load(Handle(FileKind.PACK, pack_id.hex()), stretch.offset, stretch.length)
    except (ObjectNotFound, ShortRead):
        # Each blob is then looked for by itself, here and elsewhere.
        return b""


def _fetch_one(
    repository: Repository, index: Index, pack_id: PackId, blob: PackedBlob, data: bytes, base: int
) -> Fetched:
    what = f"{blob.type.label} blob {blob.id.hex()[:12]}"
    start = blob.offset - base
    try:
        return _opened(repository, blob.type, blob.id, data[start : start + blob.length], blob.raw_length, what)
    except DamageError as error:
        here = BlobLocation(pack_id, blob.offset, blob.length, blob.raw_length)
        return _fetch_elsewhere(repository, index, blob, here, what, error)


def _opened(
    repository: Repository, kind: BlobType, blob_id: BlobId, sealed: bytes, raw_length: int, what: str
) -> Fetched:
    if raw_length > MAX_BLOB_BYTES:
        raise FormatError(
            object=what, reason=Phrase("{raw_length} bytes are more than a blob may have", {"raw_length": raw_length})
        )
    plaintext = open_blob(repository.sealer(), sealed, 0, len(sealed), raw_length, blob_id, what)
    return Fetched(kind, blob_id, sealed, raw_length, plaintext)


def _fetch_elsewhere(
    repository: Repository, index: Index, blob: PackedBlob, here: BlobLocation, what: str, error: DamageError
) -> Fetched:
    """The same place once more, past any cache, then every other place."""
    load = getattr(repository.backend, "load_uncached", repository.backend.load)
    for place in [here, *(place for place in index.lookup_all(blob.type, blob.id) if place != here)]:
        try:
            sealed = load(Handle(FileKind.PACK, place.pack.hex()), place.offset, place.length)
            return _opened(repository, blob.type, blob.id, sealed, place.raw_length, what)
        except DamageError as another:
            error = another
        except (ObjectNotFound, ShortRead):
            continue
    raise error
