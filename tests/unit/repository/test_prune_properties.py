"""Any snapshots, any of them forgotten, any options, a crash at any moment: what is left can be restored."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import BackendError
from holdfast.format import pack as pack_format
from holdfast.format.index import encode_index
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId
from holdfast.model.pack import Pack
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind, Handle, Payload, StoredObject
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.forget import forget, plan_by_name
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire, unlock
from holdfast.repository.opening import open_repository
from holdfast.repository.prune.options import UNLIMITED_UNUSED, MaxUnused, PruneOptions
from holdfast.repository.prune.run import prune
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository
from snapshot_kit import BLOB_BYTES, Tree, read_snapshot, store_snapshot


def block(number: int) -> bytes:
    return random.Random(number).randbytes(BLOB_BYTES)


FILES = st.lists(st.integers(0, 40), max_size=12).map(lambda numbers: b"".join(map(block, numbers)))
NAMES = st.sampled_from(["a", "b", "c", "é", "z"])
TREES = st.recursive(FILES, lambda below: st.dictionaries(NAMES, below, max_size=4), max_leaves=8).map(
    lambda tree: tree if isinstance(tree, dict) else {"file": tree}
)
OPTIONS = st.builds(
    PruneOptions,
    max_unused=st.sampled_from([MaxUnused(percent=0), MaxUnused(percent=50), MaxUnused(), UNLIMITED_UNUSED]),
    max_repack_bytes=st.sampled_from([None, None, 0, 3000]),
    repack_smaller_than_bytes=st.sampled_from([0, 1, 1000]),
    repack_cacheable_only=st.booleans(),
    repack_uncompressed=st.booleans(),
    unsafe_recover_no_free_space=st.sampled_from([False, False, False, True]),
    pack_bytes=st.sampled_from([500, 2000, 100_000]),
)


@given(
    trees=st.lists(st.tuples(TREES, st.booleans(), st.sampled_from([300, 1500]), st.booleans()), max_size=5),
    version=st.sampled_from([1, 2]),
    options=OPTIONS,
)
def test_kept_snapshots_stay_whole(
    trees: list[tuple[Tree, bool, int, bool]], version: int, options: PruneOptions
) -> None:
    if version == 1 and options.repack_uncompressed:
        options = PruneOptions()
    repository = new_repository(version=version, clock=FakeClock())
    with Index(repository) as index:
        kept: list[tuple[Snapshot, Tree]] = []
        gone: list[Snapshot] = []
        for number, (tree, stays, pack_bytes, again) in enumerate(trees):
            one = store_snapshot(repository, index, tree, pack_bytes=pack_bytes, again=again, time_ns=number)
            if stays:
                kept.append((one, tree))
            else:
                gone.append(one)
        with acquire(repository, True) as lock:
            forget(repository, lock, plan_by_name(gone))
            report = prune(repository, index, lock, options)
            assert_whole(repository, kept)
            limit = options.max_unused.limit_bytes(report.stats.used.size_bytes)
            free = options.max_repack_bytes is None and not options.unsafe_recover_no_free_space
            if free and not options.repack_cacheable_only:
                assert report.stats.remaining_unused_bytes <= limit
            again_report = prune(repository, index, lock, options)
        if options.repack_smaller_than_bytes == 1 and not options.max_repack_bytes:
            assert again_report.packs_removed == again_report.copied_blobs == again_report.indexes_written == 0
        assert_whole(repository, kept)


def assert_whole(repository: Repository, kept: list[tuple[Snapshot, Tree]]) -> None:
    """Seen by somebody who knows nothing yet: all are there, all restore, no index file lists what is not there."""
    with Index(repository, persistent=False) as fresh:
        fresh.sync()
        reader = Reader(repository, fresh)
        assert {one.id for one in load_snapshots(repository)} >= {one.id for one, _ in kept}
        for one, tree in kept:
            assert read_snapshot(reader, one) == tree
        sizes = {bytes.fromhex(e.name): e.size_bytes for e in repository.backend.list(FileKind.PACK)}
        for pack in fresh.packs():
            assert sizes[pack.id] == pack_format.pack_bytes(pack.blobs)


# --- crashes -------------------------------------------------------------------------------------


class Crashed(BackendError):
    """The machine is off."""


class CrashingBackend(MemoryBackend):
    """Carries out so many changes and then nothing any more, not even reading."""

    def __init__(self, changes: int | None = None) -> None:
        super().__init__("test", connections=1)
        self.left = changes
        self.changes = 0

    def _count(self, handle: Handle, *, change: bool) -> None:
        if self.left is not None and self.left <= 0:
            raise Crashed(url=self.url, object=handle, reason="crashed")
        if change:
            self.changes += 1
            if self.left is not None:
                self.left -= 1

    def save(self, handle: Handle, data: Payload) -> None:
        self._count(handle, change=True)
        super().save(handle, data)

    def remove(self, handle: Handle) -> None:
        self._count(handle, change=True)
        super().remove(handle)

    def load(self, handle: Handle, offset: int = 0, length: int | None = None) -> bytes:
        self._count(handle, change=False)
        return super().load(handle, offset, length)

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        self._count(Handle(kind), change=False)
        return super().list(kind)


OPTIONS_OF_CRASHES = PruneOptions(max_unused=MaxUnused(percent=0), pack_bytes=800, repack_smaller_than_bytes=1)


def scenario(backend: CrashingBackend, seed: int) -> tuple[Repository, list[tuple[Snapshot, Tree]], list[Snapshot]]:
    """A few snapshots that share blobs, some of them to be forgotten, and a pack that nobody lists."""
    rng = random.Random(seed)
    repository = new_repository(backend, clock=FakeClock())
    trees: list[Tree] = [
        {f"f{n}": b"".join(block(rng.randrange(30)) for _ in range(6)) for n in range(rng.randrange(1, 4))}
        for _ in range(4)
    ]
    with Index(repository, persistent=False) as index:
        stored = [
            store_snapshot(repository, index, tree, pack_bytes=700, time_ns=number, again=number == 2)
            for number, tree in enumerate(trees)
        ]
    backend.save(Handle(FileKind.PACK, "ee" * 32), [b"unlisted"])
    kept = [(stored[number], trees[number]) for number in (1, 3)]
    return repository, kept, [stored[0], stored[2]]


def forget_and_prune(repository: Repository, gone: list[Snapshot], index: Index) -> None:
    with acquire(repository, True) as lock:
        forget(repository, lock, plan_by_name(gone))
        prune(repository, index, lock, OPTIONS_OF_CRASHES)


def changes_of_a_whole_run(seed: int) -> int:
    backend = CrashingBackend()
    repository, kept, gone = scenario(backend, seed)
    before = backend.changes
    with Index(repository, persistent=False) as index:
        forget_and_prune(repository, gone, index)
    assert_whole(repository, kept)
    return backend.changes - before


@pytest.mark.parametrize("keeps_local_index", [False, True], ids=["fresh-index", "same-index"])
def test_crash_after_any_change(seed: int, keeps_local_index: bool) -> None:
    seed %= 1000
    for changes in range(changes_of_a_whole_run(seed)):
        backend = CrashingBackend()
        repository, kept, gone = scenario(backend, seed)
        with Index(repository, persistent=False) as index:
            backend.left = changes
            with contextlib.suppress(Crashed):
                forget_and_prune(repository, gone, index)
            backend.left = None
            after = open_repository(backend, b"secret", clock=FakeClock())
            unlock(after, remove_all=True)
            assert_whole(after, kept)
            still_there = [one for one in load_snapshots(after) if one.id not in {k.id for k, _ in kept}]
            if keeps_local_index:
                forget_and_prune(repository, still_there, index)
            else:
                with Index(after, persistent=False) as fresh:
                    forget_and_prune(after, still_there, fresh)
        assert_whole(after, kept)
        assert PackId(b"\xee" * 32) not in set(after.names(FileKind.PACK))
        with Index(after, persistent=False) as fresh:
            fresh.sync()
            assert fresh.pack_ids() == set(after.names(FileKind.PACK))


# --- packs as other programs wrote them ----------------------------------------------------------


def test_mixed_packs_are_taken_apart(repository: Repository) -> None:
    """Old versions of restic put trees and data into one pack."""
    with Index(repository) as index:
        tree: Tree = {"file": b"".join(map(block, range(5)))}
        snapshot = store_snapshot(repository, index, tree)
        mix_packs(repository, index)
        with acquire(repository, True) as lock:
            report = prune(repository, index, lock, PruneOptions(max_unused=UNLIMITED_UNUSED))
        assert report.stats.packs_repacked == 1
        assert all(len({blob.type for blob in pack.blobs}) == 1 for pack in index.packs())
        assert_whole(repository, [(snapshot, tree)])


def mix_packs(repository: Repository, index: Index) -> None:
    """Puts all blobs into one pack."""
    reader, sealer = Reader(repository, index), repository.sealer()
    former = index.index_ids(), list(index.pack_ids())
    blobs: list[PackedBlob] = []
    content = b""
    for blob in [blob for pack in index.packs() for blob in pack.blobs]:
        plaintext = bytes(reader.load_blob(blob.type, blob.id))
        sealed, raw_length = seal_blob(sealer, blob.type, plaintext, Compression.AUTO)
        blobs.append(PackedBlob(blob.type, BlobId(blob.id), len(content), len(sealed), raw_length))
        content += sealed
    assert {blob.type for blob in blobs} == set(BlobType)
    header = bytes(sealer.seal(pack_format.encode_header(blobs), b"n" * 16))
    content += header + pack_format.encode_header_length(len(header))
    pack_id = PackId(sha256(content).digest())
    repository.backend.save(Handle(FileKind.PACK, pack_id.hex()), [content])
    repository.save_unpacked(FileKind.INDEX, encode_index([Pack(pack_id, tuple(blobs))]))
    for name in former[0]:
        repository.remove(FileKind.INDEX, name)
    for name in former[1]:
        repository.remove(FileKind.PACK, name)
    index.sync()
