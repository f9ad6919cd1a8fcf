"""Pruning whole repositories: what snapshots need stays, what nobody needs goes, whatever happens in between."""

from __future__ import annotations

import os
import random

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import AccessDenied, BackendError, DamageError, Interrupted, LockLost, PruneRefused
from holdfast.model.blob import BlobType
from holdfast.model.event import Event, Progress
from holdfast.model.ids import BlobId, PackId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind, Handle
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.prune.options import MaxUnused, PruneOptions
from holdfast.repository.prune.run import PruneReport, prune
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.repository.writer import PackWriter
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository
from snapshot_kit import Tree, read_snapshot, store_snapshot

NOTHING_UNUSED = PruneOptions(max_unused=MaxUnused(percent=0), pack_bytes=2000, repack_smaller_than_bytes=1)


def bytes_of(rng: random.Random, blobs: int) -> bytes:
    return rng.randbytes(64 * blobs)


def run(repository: Repository, index: Index, options: PruneOptions = NOTHING_UNUSED, **more: object) -> PruneReport:
    with acquire(repository, True) as lock:
        return prune(repository, index, lock, options, **more)  # type: ignore[arg-type]


def assert_index_is_in_step(repository: Repository, index: Index) -> None:
    """The local index says what a fresh one says, and neither lists a pack that is not there."""
    with Index(repository, persistent=False) as fresh:
        fresh.sync()
        assert set(fresh.index_ids()) == set(index.index_ids())
        assert fresh.pack_ids() == index.pack_ids()
        assert {p.id: p.blobs for p in fresh.packs()} == {p.id: p.blobs for p in index.packs()}
        assert {*fresh.ids(BlobType.DATA)} == {*index.ids(BlobType.DATA)}
        assert fresh.blob_count() == index.blob_count()
        assert fresh.pack_ids() <= set(repository.names(FileKind.PACK))


@pytest.fixture
def index(repository: Repository) -> Index:
    return Index(repository)


@pytest.fixture
def two(repository: Repository, index: Index, rng: random.Random) -> dict[str, Snapshot]:
    """One snapshot that shares some of its data with another."""
    shared = bytes_of(rng, 20)
    first: Tree = {"shared": shared, "own": bytes_of(rng, 30), "dir": {"x": bytes_of(rng, 3)}}
    second: Tree = {"shared": shared, "own": bytes_of(rng, 30), "empty": b"", "none": {}}
    return {
        "first": store_snapshot(repository, index, first, time_ns=1),
        "second": store_snapshot(repository, index, second, time_ns=2),
    }


def forget(repository: Repository, snapshot: Snapshot) -> None:
    assert snapshot.id is not None
    repository.remove(FileKind.SNAPSHOT, snapshot.id)


def stored_bytes(repository: Repository) -> int:
    return sum(entry.size_bytes for entry in repository.backend.list(FileKind.PACK))


def test_data_of_forgotten_snapshots_goes(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    tree = read_snapshot(Reader(repository, index), two["second"])
    before = stored_bytes(repository)
    forget(repository, two["first"])
    report = run(repository, index)
    assert read_snapshot(Reader(repository, index), two["second"]) == tree
    assert stored_bytes(repository) < before
    assert report.stats.remaining_unused_bytes == 0
    assert report.packs_removed == len(set(report.failed)) + report.stats.packs_removed + report.stats.packs_repacked
    assert_index_is_in_step(repository, index)


def test_second_prune_does_nothing(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    forget(repository, two["first"])
    run(repository, index)
    before = {kind: set(repository.names(kind)) for kind in (FileKind.PACK, FileKind.INDEX)}
    report = run(repository, index)
    assert (report.packs_removed, report.copied_blobs, report.indexes_written) == (0, 0, 0)
    assert {kind: set(repository.names(kind)) for kind in before} == before


def test_everything_goes_with_the_last_snapshot(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    for snapshot in two.values():
        forget(repository, snapshot)
    run(repository, index)
    assert list(repository.names(FileKind.PACK)) == list(repository.names(FileKind.INDEX)) == []
    assert index.blob_count() == 0


def test_dry_run_changes_nothing(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    kinds = (FileKind.PACK, FileKind.INDEX, FileKind.SNAPSHOT)
    before = {kind: set(repository.names(kind)) for kind in kinds}
    ignoring = {two["first"].id, two["second"].id}
    options = PruneOptions(dry_run=True)
    with acquire(repository, False) as lock:
        report = prune(repository, index, lock, options, ignoring=ignoring)  # type: ignore[arg-type]
    assert report.dry_run
    assert report.stats.used.blobs == 0
    assert report.stats.packs_removed == len(before[FileKind.PACK])
    assert {kind: set(repository.names(kind)) for kind in kinds} == before


def test_ignoring_snapshots_is_for_dry_runs_only(
    repository: Repository, index: Index, two: dict[str, Snapshot]
) -> None:
    with pytest.raises(ValueError, match="dry run"):
        run(repository, index, ignoring={two["first"].id})


def test_unlisted_packs_go(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    del two
    repository.backend.save(Handle(FileKind.PACK, "ab" * 32), [b"left by a backup that was killed"])
    assert run(repository, index).packs_removed == 1
    assert PackId(b"\xab" * 32) not in set(repository.names(FileKind.PACK))


def test_index_files_written_meanwhile_are_seen(repository: Repository, index: Index, rng: random.Random) -> None:
    """What another machine stored after our index was synchronised must not look unlisted."""
    index.sync()
    with Index(repository, persistent=False) as other:
        snapshot = store_snapshot(repository, other, {"file": bytes_of(rng, 40)})
    report = run(repository, index)
    assert report.packs_removed == 0
    assert read_snapshot(Reader(repository, index), snapshot)["file"]


def test_many_small_index_files_become_one(repository: Repository, index: Index, rng: random.Random) -> None:
    snapshots = [store_snapshot(repository, index, {"f": bytes_of(rng, 3)}, time_ns=n) for n in range(12)]
    forget(repository, snapshots[0])
    run(repository, index)
    assert len(list(repository.names(FileKind.INDEX))) == 1
    assert_index_is_in_step(repository, index)


def test_sealed_bytes_are_copied_as_they_are(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    def sealed() -> dict[bytes, bytes]:
        found = {}
        for pack in index.packs():
            content = repository.backend.load(Handle(FileKind.PACK, pack.id.hex()))
            found |= {blob.id: content[blob.offset : blob.offset + blob.length] for blob in pack.blobs}
        return found

    before = sealed()
    forget(repository, two["first"])
    assert run(repository, index).copied_blobs
    after = sealed()
    assert after.items() <= before.items()


# --- repositories that are not whole -------------------------------------------------------------


def everything(repository: Repository) -> dict[FileKind, set[bytes]]:
    return {kind: set(repository.names(kind)) for kind in (FileKind.PACK, FileKind.INDEX, FileKind.SNAPSHOT)}


def test_unreadable_snapshot_stops_everything(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    forget(repository, two["first"])
    repository.backend.save(Handle(FileKind.SNAPSHOT, "cd" * 32), [b"no snapshot at all"])
    before = everything(repository)
    with pytest.raises(PruneRefused, match="snapshots/cdcd"):
        run(repository, index)
    assert everything(repository) == before


def test_snapshot_without_its_tree_stops_everything(
    repository: Repository, index: Index, two: dict[str, Snapshot]
) -> None:
    forget(repository, two["first"])
    save_snapshot(repository, Snapshot(time=Instant(ns=0), tree=BlobId(os.urandom(32)), paths=("/x",)))
    before = everything(repository)
    with pytest.raises(PruneRefused, match="tree blob"):
        run(repository, index)
    assert everything(repository) == before


def test_unreadable_index_stops_everything(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    forget(repository, two["first"])
    repository.backend.save(Handle(FileKind.INDEX, "cd" * 32), [b"no index at all"])
    before = everything(repository)
    with pytest.raises(PruneRefused, match="index/cdcd"):
        run(repository, index)
    assert everything(repository) == before


def test_missing_pack_stops_everything(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    forget(repository, two["first"])
    data = next(pack.id for pack in index.packs() if pack.blobs[0].type is BlobType.DATA)
    needed = next(p.id for p in index.packs() if any(b.id in used_data(repository, index) for b in p.blobs))
    del data
    repository.remove(FileKind.PACK, needed)
    before = everything(repository)
    with pytest.raises(PruneRefused, match="missing"):
        run(repository, index)
    assert everything(repository) == before


def used_data(repository: Repository, index: Index) -> set[bytes]:
    found: set[bytes] = set()
    for snapshot in load_snapshots(repository):
        for node in Reader(repository, index).load_tree(snapshot.tree):
            found.update(node.content or ())
    return found


def damage(repository: Repository, index: Index, blob_id: bytes) -> None:
    """Flips a bit of one copy of a blob, keeping the pack's name and size."""
    place = index.lookup(BlobType.DATA, blob_id)
    assert place is not None
    handle = Handle(FileKind.PACK, place.pack.hex())
    content = bytearray(repository.backend.load(handle))
    content[place.offset + 20] ^= 1
    repository.backend.save(handle, [bytes(content)])


def two_kinds_of_data(repository: Repository, index: Index, rng: random.Random) -> tuple[Snapshot, Snapshot, bytes]:
    """Two snapshots whose blobs lie in the same pack, and a blob of the second."""
    gone: Tree = {"gone": bytes_of(rng, 10)}
    kept: Tree = {"kept": bytes_of(rng, 10)}
    both = store_snapshot(repository, index, gone | kept, pack_bytes=100_000)
    left = store_snapshot(repository, index, kept, pack_bytes=100_000)
    node = Reader(repository, index).load_tree(left.tree)[0]
    assert node.content is not None
    return both, left, node.content[3]


def test_damaged_blob_to_be_copied_stops_the_run(repository: Repository, index: Index, rng: random.Random) -> None:
    both, _, blob = two_kinds_of_data(repository, index, rng)
    forget(repository, both)
    damage(repository, index, blob)
    packs = set(repository.names(FileKind.PACK))
    with pytest.raises(DamageError, match=blob.hex()[:12]):
        run(repository, index)
    assert packs <= set(repository.names(FileKind.PACK))


def test_another_copy_makes_up_for_a_damaged_blob(repository: Repository, index: Index, rng: random.Random) -> None:
    both, left, blob = two_kinds_of_data(repository, index, rng)
    tree = read_snapshot(Reader(repository, index), left)
    damage(repository, index, blob)
    # The second copy lies in a pack of its own with something useless: both packs have to be repacked or dropped.
    with PackWriter(repository, index) as writer:
        content = tree["kept"]
        assert isinstance(content, bytes)
        for kind, plaintext in ((BlobType.DATA, content[3 * 64 : 4 * 64]), (BlobType.DATA, b"useless" * 20)):
            blob_id = blob if plaintext == content[3 * 64 : 4 * 64] else os.urandom(32)
            writer.claim(kind, blob_id, even_if_indexed=True)
            writer.add(kind, blob_id, *seal_blob(repository.sealer(), kind, plaintext, Compression.AUTO))
        writer.flush()
    forget(repository, both)
    run(repository, index)
    assert read_snapshot(Reader(repository, index), left) == tree


# --- compression ---------------------------------------------------------------------------------


def test_uncompressed_trees_are_compressed(repository: Repository, index: Index, rng: random.Random) -> None:
    tree: Tree = {"file": bytes_of(rng, 5), "text": b"text" * 100}
    snapshot = store_snapshot(repository, index, tree, compression=Compression.OFF)
    run(repository, index)
    assert all(b.raw_length for p in index.packs() for b in p.blobs if b.type is BlobType.TREE)
    assert not all(b.raw_length for p in index.packs() for b in p.blobs if b.type is BlobType.DATA)
    assert read_snapshot(Reader(repository, index), snapshot) == tree
    assert run(repository, index).copied_blobs == 0


def test_uncompressed_data_is_compressed_on_demand_and_only_once(
    repository: Repository, index: Index, rng: random.Random
) -> None:
    tree: Tree = {"file": bytes_of(rng, 5), "text": b"text" * 100, "empty": b""}
    snapshot = store_snapshot(repository, index, tree, compression=Compression.OFF)
    options = PruneOptions(repack_uncompressed=True, repack_smaller_than_bytes=1)
    run(repository, index, options)
    assert all(b.raw_length for p in index.packs() for b in p.blobs)
    assert read_snapshot(Reader(repository, index), snapshot) == tree
    assert run(repository, index, options).copied_blobs == 0


def test_version_1_stays_uncompressed(clock: FakeClock, rng: random.Random) -> None:
    repository = new_repository(version=1, clock=clock)
    with Index(repository) as index:
        kept: Tree = {"kept": bytes_of(rng, 10)}
        both = store_snapshot(repository, index, kept | {"gone": bytes_of(rng, 10)}, pack_bytes=100_000)
        left = store_snapshot(repository, index, kept)
        forget(repository, both)
        assert run(repository, index, NOTHING_UNUSED).copied_blobs
        assert not any(b.raw_length for p in index.packs() for b in p.blobs)
        assert read_snapshot(Reader(repository, index), left) == kept


# --- stopping ------------------------------------------------------------------------------------


def test_shared_lock_is_not_enough(repository: Repository, index: Index) -> None:
    with acquire(repository, False) as lock, pytest.raises(ValueError, match="exclusive"):
        prune(repository, index, lock, NOTHING_UNUSED)


def test_lost_lock_stops_before_anything_is_deleted(
    repository: Repository, index: Index, two: dict[str, Snapshot]
) -> None:
    forget(repository, two["first"])
    before = everything(repository)
    with acquire(repository, True) as lock:
        lock.release()
        with pytest.raises(LockLost):
            prune(repository, index, lock, NOTHING_UNUSED)
    assert before[FileKind.PACK] <= everything(repository)[FileKind.PACK]
    assert everything(repository)[FileKind.INDEX] == before[FileKind.INDEX]


def test_cancelled_run_is_continued_by_the_next(repository: Repository, index: Index, two: dict[str, Snapshot]) -> None:
    tree = read_snapshot(Reader(repository, index), two["second"])
    forget(repository, two["first"])
    token = CancelToken()

    def cancel_in_the_middle(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "repack":
            token.cancel()

    with pytest.raises(Interrupted):
        run(repository, index, listener=cancel_in_the_middle, cancel=token)
    assert read_snapshot(Reader(repository, index), two["second"]) == tree
    run(repository, index)
    assert read_snapshot(Reader(repository, index), two["second"]) == tree
    assert_index_is_in_step(repository, index)


def test_budget_is_used_up_run_by_run(repository: Repository, index: Index, rng: random.Random) -> None:
    trees: list[Tree] = [{"f": bytes_of(rng, 60)} for _ in range(2)]
    mixed = [t["f"][i : i + 64] for i in range(0, 60 * 64, 64) for t in trees]  # type: ignore[index]
    both = store_snapshot(repository, index, {"f": b"".join(mixed)})  # type: ignore[arg-type]
    left = store_snapshot(repository, index, trees[0])
    forget(repository, both)
    options = PruneOptions(
        max_unused=MaxUnused(percent=0), pack_bytes=2000, repack_smaller_than_bytes=1, max_repack_bytes=6000
    )
    sizes = [stored_bytes(repository)]
    for _ in range(20):
        run(repository, index, options)
        assert read_snapshot(Reader(repository, index), left) == trees[0]
        sizes.append(stored_bytes(repository))
        if sizes[-1] == sizes[-2]:
            break
    assert len(sizes) > 3
    assert run(repository, index).copied_blobs == 0


class Refusing(MemoryBackend):
    """Cannot delete files of one kind."""

    refused: FileKind | None = None

    def remove(self, handle: Handle) -> None:
        if handle.kind is self.refused:
            raise AccessDenied(url=self.url, object=str(handle), reason="refused")
        super().remove(handle)


@pytest.fixture
def refusing(clock: FakeClock) -> Repository:
    return new_repository(Refusing("test"), clock=clock)


def prepared(repository: Repository, index: Index, rng: random.Random) -> tuple[Snapshot, Tree]:
    both, left, _ = two_kinds_of_data(repository, index, rng)
    forget(repository, both)
    return left, read_snapshot(Reader(repository, index), left)


def test_packs_that_cannot_be_deleted_are_reported_and_tried_again(refusing: Repository, rng: random.Random) -> None:
    with Index(refusing) as index:
        left, tree = prepared(refusing, index, rng)
        refusing.backend.refused = FileKind.PACK  # type: ignore[attr-defined]
        report = run(refusing, index)
        assert {failure.code for failure in report.failed} == {"access-denied"}
        refusing.backend.refused = None  # type: ignore[attr-defined]
        assert run(refusing, index).packs_removed == len(report.failed)
        assert read_snapshot(Reader(refusing, index), left) == tree


def test_no_pack_goes_while_an_old_index_file_lists_it(refusing: Repository, rng: random.Random) -> None:
    with Index(refusing) as index:
        left, tree = prepared(refusing, index, rng)
        packs = set(refusing.names(FileKind.PACK))
        refusing.backend.refused = FileKind.INDEX  # type: ignore[attr-defined]
        with pytest.raises(BackendError):
            run(refusing, index)
        assert packs <= set(refusing.names(FileKind.PACK))
        refusing.backend.refused = None  # type: ignore[attr-defined]
        run(refusing, index)
        assert read_snapshot(Reader(refusing, index), left) == tree
        assert_index_is_in_step(refusing, index)


def test_emergency_frees_space_before_it_takes_any(
    repository: Repository, index: Index, two: dict[str, Snapshot], rng: random.Random
) -> None:
    third: Tree = {"third": bytes_of(rng, 10)}
    snapshot = store_snapshot(repository, index, third)
    for one in two.values():
        forget(repository, one)
    report = run(repository, index, PruneOptions(unsafe_recover_no_free_space=True))
    assert report.copied_blobs == 0
    assert report.packs_removed
    assert read_snapshot(Reader(repository, index), snapshot) == third
    assert_index_is_in_step(repository, index)
