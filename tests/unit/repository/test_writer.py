"""When packs are closed, besides being full, and how much waits to be stored."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import cast

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import BackendError
from holdfast.model.blob import BlobType
from holdfast.protocols import FileKind, Handle, Payload
from holdfast.repository import writer
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.open_pack import OpenPack
from holdfast.repository.writer import PackWriter
from holdfast.testing.stand_in import standing_in
from repository_kit import new_repository


@pytest.mark.parametrize("blobs", [9, 10, 11, 25, 200])
def test_a_pack_holds_a_limited_number_of_blobs(blobs: int) -> None:
    repository = new_repository()
    with standing_in(writer, _PACK_BLOBS=10), Index(repository, private=True) as index:
        with PackWriter(repository, index) as packs:
            for number in range(blobs):
                content = b"%d" % number
                blob_id = sha256(content).digest()
                assert packs.claim(BlobType.DATA, blob_id)
                sealed = seal_blob(repository.sealer(), BlobType.DATA, content, Compression.AUTO)
                packs.add(BlobType.DATA, blob_id, *sealed)
            packs.flush()
        counts = [len(pack.blobs) for pack in index.packs()]
        assert sum(counts) == blobs
        assert max(counts) <= 10
        # Two are open at a time, and what is left of them becomes one where it fits.
        assert len(counts) <= blobs // 10 + 2
    assert check(repository, None, CheckOptions(read_data=True)).whole


class SlowBackend(MemoryBackend):
    """Its first save comes back when everything was added, or when nothing more has been for a while."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.ended = threading.Event()
        self.accepted_bytes: list[int] = []
        self.taken_bytes: list[int] = []
        self._first = threading.Lock()
        self._released = threading.Event()

    def save(self, handle: Handle, data: Payload) -> None:
        if handle.kind is FileKind.PACK:
            if self._first.acquire(blocking=False):
                self.ended.wait(1.0)
                self.taken_bytes.append(sum(self.accepted_bytes))
                self._released.set()
            self._released.wait()
        super().save(handle, data)


def test_no_more_waits_to_be_stored_than_the_packs_that_are_at_once() -> None:
    backend = SlowBackend()
    repository = new_repository(backend)
    pack_bytes, blob_bytes, blobs = 1 << 20, 100 << 10, 200
    with Index(repository, private=True) as index, PackWriter(repository, index, pack_bytes=pack_bytes) as packs:
        for number in range(blobs):
            packs.add(BlobType.DATA, number.to_bytes(32, "big"), bytes(blob_bytes), 0)
            backend.accepted_bytes.append(blob_bytes)
        backend.ended.set()
        packs.flush()
        assert sum(len(pack.blobs) for pack in index.packs()) == blobs
    uploads = min(4, backend.connections)
    assert 0 < backend.taken_bytes[0] <= (1 + uploads) * pack_bytes < blobs * blob_bytes


def add_all(packs: PackWriter, blobs: int) -> None:
    for number in range(blobs):
        packs.add(BlobType.DATA, number.to_bytes(32, "big"), bytes(100 << 10), 0)


def test_who_waits_for_room_hears_that_storing_failed() -> None:
    backend = SlowBackend()
    repository = new_repository(backend)
    with Index(repository, private=True) as index, PackWriter(repository, index, pack_bytes=1 << 20) as packs:
        failed = threading.Timer(0.05, packs.fail, [BackendError(url="test", object="a pack", reason="no")])
        failed.start()
        with pytest.raises(BackendError):
            add_all(packs, 1000)
        backend.ended.set()
        failed.join()


def test_an_open_pack_keeps_what_it_was_given(seed: int) -> None:
    rng = random.Random(seed)
    kinds, sizes = list(BlobType), (1, 300, 9000)
    given = [(rng.choice(kinds), rng.randbytes(32), rng.randbytes(rng.choice(sizes))) for _ in range(999)]
    first, second = OpenPack(), OpenPack()
    for number, (kind, blob_id, sealed) in enumerate(given):
        (first if number < 500 else second).add(kind, blob_id, sealed, number)
    assert (len(first), len(second)) == (500, 499)
    first.absorb(second)
    content = b"".join(first.buffers)
    assert len(content) == first.size
    found = [(blob.type, blob.id, content[blob.offset : blob.offset + blob.length]) for blob in first.blobs()]
    assert found == given
    assert [blob.raw_length for blob in first.blobs()] == list(range(999))
    # Small blobs share buffers, or each of them would take several times what it has.
    assert len(first.buffers) < 750


def test_a_pack_that_no_thread_takes_lets_nobody_wait_for_it_and_nothing_commit() -> None:
    repository = new_repository()
    with Index(repository, private=True) as index:
        packs = PackWriter(repository, index, pack_bytes=1 << 20)
        packs.close()
        with pytest.raises(RuntimeError):
            packs.add(BlobType.DATA, bytes(32), bytes(2 << 20), 0)
        for number in range(1, 20):
            with pytest.raises(RuntimeError):
                packs.add(BlobType.DATA, number.to_bytes(32, "big"), bytes(1 << 19), 0)
        with pytest.raises(RuntimeError):
            packs.flush()
        assert not list(index.packs())


class SlowlyAsked:
    """An index whose first answer comes when something else has happened since."""

    def __init__(self, index: Index, meanwhile: Callable[[], None]) -> None:
        self._index = index
        self.add = index.add
        self._meanwhile: Callable[[], None] | None = meanwhile

    def contains(self, kind: BlobType, blob_id: bytes) -> bool:
        found = self._index.contains(kind, blob_id)
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return found


def test_a_blob_that_is_listed_while_somebody_asks_for_it_is_not_stored_twice() -> None:
    repository = new_repository()
    blob_id = sha256(b"blob").digest()
    with Index(repository, private=True) as index, PackWriter(repository, index) as packs:

        def store() -> None:
            assert packs.claim(BlobType.DATA, blob_id)
            packs.add(BlobType.DATA, blob_id, *seal_blob(repository.sealer(), BlobType.DATA, b"blob", Compression.OFF))
            packs.flush()

        packs._index = cast(Index, SlowlyAsked(index, store))
        assert not packs.claim(BlobType.DATA, blob_id)
        packs.flush()
        assert sum(len(pack.blobs) for pack in index.packs()) == 1
