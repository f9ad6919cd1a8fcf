"""Copying snapshots between repositories."""

from __future__ import annotations

import random

import msgspec
import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import BackendError, Interrupted, LockLost, OutOfSpace
from holdfast.model.blob import BlobType
from holdfast.model.event import Event, Progress
from holdfast.model.ids import SnapshotId
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind, Handle, Payload
from holdfast.repository.blobs import Compression
from holdfast.repository.copy import CopyOptions, CopyReport, copy
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.reader import Reader
from holdfast.repository.snapshots import load_snapshots
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository
from snapshot_kit import BLOB_BYTES, Tree, read_snapshot, store_snapshot


class Pair:
    """A repository to copy from and one to copy to."""

    def __init__(self, source_version: int = 2, target_version: int = 2, target: MemoryBackend | None = None) -> None:
        self.source = new_repository(version=source_version, clock=FakeClock())
        self.target = new_repository(target or MemoryBackend("other"), version=target_version, clock=FakeClock())
        self.source_index = Index(self.source)
        self.target_index = Index(self.target)

    def store(self, tree: Tree, **more: object) -> Snapshot:
        return store_snapshot(self.source, self.source_index, tree, **more)  # type: ignore[arg-type]

    def copy(self, *snapshots: Snapshot, options: CopyOptions | None = None, **more: object) -> CopyReport:
        chosen = snapshots or load_snapshots(self.source)
        with acquire(self.source, False), acquire(self.target, False) as lock:
            return copy(
                self.source,
                self.source_index,
                self.target,
                self.target_index,
                lock,
                chosen,
                options or CopyOptions(),
                **more,  # type: ignore[arg-type]
            )

    def read(self, snapshot_id: SnapshotId) -> Tree:
        """A snapshot of the target as somebody sees it who knows only what is stored."""
        with Index(self.target, persistent=False) as fresh:
            fresh.sync()
            (snapshot,) = [one for one in load_snapshots(self.target) if one.id == snapshot_id]
            return read_snapshot(Reader(self.target, fresh), snapshot)


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def tree(rng: random.Random) -> Tree:
    return some_tree(rng)


def some_tree(rng: random.Random) -> Tree:
    return {
        "file": rng.randbytes(BLOB_BYTES * rng.randrange(5, 20)),
        "empty": b"",
        "dir": {"text": b"text" * 50, "deeper": {"x": rng.randbytes(70)}},
    }


@pytest.mark.parametrize("source", [1, 2])
@pytest.mark.parametrize("target", [1, 2])
def test_snapshot_is_whole_in_the_target(tree: Tree, source: int, target: int) -> None:
    pair = Pair(source, target)
    snapshot = pair.store(tree, tags=("a", "b"), excludes=("*.tmp",), username="me", uid=7)
    (copied,) = pair.copy().snapshots
    assert copied.new
    assert pair.read(copied.target) == tree
    (one,) = load_snapshots(pair.target)
    assert one == msgspec.structs.replace(snapshot, id=copied.target, original=snapshot.id, parent=None)


def test_version_1_holds_nothing_compressed(tree: Tree) -> None:
    pair = Pair(2, 1)
    pair.store(tree)
    pair.copy()
    assert not any(blob.raw_length for pack in pair.target_index.packs() for blob in pack.blobs)


def test_version_2_compresses_what_version_1_could_not(tree: Tree) -> None:
    pair = Pair(1, 2)
    pair.store(tree)
    pair.copy()
    trees = [blob for pack in pair.target_index.packs() for blob in pack.blobs if blob.type is BlobType.TREE]
    assert trees
    assert all(blob.raw_length for blob in trees)


def test_compressed_blobs_keep_their_frames_unless_asked(pair: Pair) -> None:
    pair.store({"text": b"".join(b"line %d\n" % number for number in range(3000))}, compression=Compression.FASTEST)
    lengths = {b.id: b.length for p in pair.source_index.packs() for b in p.blobs}
    pair.copy()
    assert {b.id: b.length for p in pair.target_index.packs() for b in p.blobs} == lengths
    other = Pair()
    other.source, other.source_index = pair.source, pair.source_index
    other.copy(options=CopyOptions(recompress=True, compression=Compression.MAX))
    assert {b.id: b.length for p in other.target_index.packs() for b in p.blobs} != lengths


def test_keys_differ(pair: Pair, tree: Tree) -> None:
    pair.store(tree)
    pair.copy()
    assert pair.source.master != pair.target.master
    for pack in pair.target_index.packs():
        assert pair.target.backend.load(Handle(FileKind.PACK, pack.id.hex()))


def test_second_copy_does_nothing(pair: Pair, tree: Tree) -> None:
    pair.store(tree)
    first = pair.copy()
    before = {kind: set(pair.target.names(kind)) for kind in (FileKind.PACK, FileKind.INDEX, FileKind.SNAPSHOT)}
    second = pair.copy()
    assert [one.new for one in second.snapshots] == [False]
    assert [one.target for one in second.snapshots] == [one.target for one in first.snapshots]
    assert second.copied_blobs == 0
    assert {kind: set(pair.target.names(kind)) for kind in before} == before


def test_copy_of_a_copy_is_recognised(pair: Pair, tree: Tree) -> None:
    first = pair.store(tree)
    pair.copy()
    back = Pair()
    back.source, back.source_index = pair.target, pair.target_index
    back.target, back.target_index = pair.source, pair.source_index
    report = back.copy()
    assert [(one.target, one.new) for one in report.snapshots] == [(first.id, False)]


@pytest.mark.parametrize(
    ("field", "value", "same"),
    [
        ("tags", ("other",), False),
        ("hostname", "other", False),
        ("parent", SnapshotId(b"p" * 32), True),
        ("program_version", "other", True),
        ("excludes", ("x",), False),
        ("paths", ("/data", "/more"), False),
        ("username", "other", False),
    ],
)
def test_what_counts_as_already_copied(pair: Pair, tree: Tree, field: str, value: object, same: bool) -> None:
    snapshot = pair.store(tree)
    pair.copy()
    altered = msgspec.structs.replace(snapshot, **{field: value})
    (copied,) = pair.copy(altered).snapshots
    assert copied.new is not same


def test_only_missing_blobs_are_copied(pair: Pair, tree: Tree, rng: random.Random) -> None:
    pair.store(tree, time_ns=1)
    pair.copy()
    second = pair.store(tree | {"new": rng.randbytes(BLOB_BYTES * 2)}, time_ns=2)
    report = pair.copy(second)
    assert report.copied_blobs == 3
    assert pair.read(report.snapshots[0].target) == tree | read_new(pair, second)


def read_new(pair: Pair, snapshot: Snapshot) -> Tree:
    return {"new": read_snapshot(Reader(pair.source, pair.source_index), snapshot)["new"]}


def test_snapshots_that_share_blobs_share_them_in_the_target(pair: Pair, rng: random.Random) -> None:
    trees = [some_tree(rng) for _ in range(3)]
    trees.append(trees[0] | {"file": trees[1]["file"], "again": trees[0]["file"]})
    for number, one in enumerate(trees):
        pair.store(one, time_ns=number)
    report = pair.copy()
    assert [pair.read(one.target) for one in report.snapshots] == trees
    names = [(blob.type, blob.id) for pack in pair.target_index.packs() for blob in pack.blobs]
    assert len(names) == len(set(names)) == report.copied_blobs


def test_damage_keeps_only_the_snapshots_that_need_it(pair: Pair, rng: random.Random) -> None:
    bad, good = rng.randbytes(BLOB_BYTES * 3), rng.randbytes(BLOB_BYTES * 3)
    first = pair.store({"bad": bad, "own": rng.randbytes(BLOB_BYTES)}, time_ns=1)
    second = pair.store({"good": good}, time_ns=2)
    third = pair.store({"dir": {"bad": bad}, "good": good}, time_ns=3)
    node = Reader(pair.source, pair.source_index).load_tree(first.tree)[0]
    assert node.content is not None
    place = pair.source_index.lookup(BlobType.DATA, node.content[1])
    assert place is not None
    handle = Handle(FileKind.PACK, place.pack.hex())
    content = bytearray(pair.source.backend.load(handle))
    content[place.offset + 20] ^= 1
    pair.source.backend.save(handle, [bytes(content)])
    report = pair.copy()
    assert [one.source for one in report.failed] == [first.id, third.id]
    assert {one.code for one in report.failed} == {"mac-mismatch"}
    assert [one.source for one in report.snapshots] == [second.id]
    assert pair.read(report.snapshots[0].target) == {"good": good}


def test_cancelled_copy_is_continued(pair: Pair, rng: random.Random) -> None:
    tree = some_tree(rng)
    pair.store(tree, time_ns=1)
    pair.store(some_tree(rng), time_ns=2)
    token = CancelToken()

    def cancel_in_the_middle(event: Event) -> None:
        if isinstance(event, Progress) and event.phase == "copy-snapshots" and event.items_done == 1:
            token.cancel()

    with pytest.raises(Interrupted):
        pair.copy(listener=cancel_in_the_middle, cancel=token)
    assert load_snapshots(pair.target) == []
    report = pair.copy()
    assert pair.read(report.snapshots[0].target) == tree
    assert len(load_snapshots(pair.target)) == 2


def test_lost_lock_leaves_no_snapshot(pair: Pair, tree: Tree) -> None:
    pair.store(tree)
    with acquire(pair.target, False) as lock:
        lock.release()
        with pytest.raises(LockLost):
            copy(
                pair.source,
                pair.source_index,
                pair.target,
                pair.target_index,
                lock,
                load_snapshots(pair.source),
                CopyOptions(),
            )
    assert load_snapshots(pair.target) == []


class Filling(MemoryBackend):
    """Takes so many files and is full then."""

    left = 1000

    def save(self, handle: Handle, data: Payload) -> None:
        if handle.kind is not FileKind.LOCK:
            if not self.left:
                raise OutOfSpace(url=self.url, object=handle)
            self.left -= 1
        super().save(handle, data)


@pytest.mark.parametrize("saves", range(6))
def test_full_target_holds_no_snapshot_that_is_not_whole(saves: int, rng: random.Random) -> None:
    backend = Filling("full")
    pair = Pair(target=backend)
    trees = [some_tree(rng) for _ in range(2)]
    for number, tree in enumerate(trees):
        pair.store(tree, time_ns=number)
    backend.left = saves
    try:
        pair.copy(options=CopyOptions(pack_bytes=600))
    except BackendError:
        known = {one.id: one for one in load_snapshots(pair.target)}
        assert all(pair.read(name) in trees for name in known if name is not None)
    backend.left = 1000
    report = pair.copy(options=CopyOptions(pack_bytes=600))
    assert [pair.read(one.target) for one in report.snapshots] == trees


def test_many_blobs_are_found_by_reading_the_index(pair: Pair, rng: random.Random) -> None:
    tree: Tree = {f"f{number}": rng.randbytes(BLOB_BYTES) for number in range(5200)}
    pair.store(tree, pack_bytes=100_000)
    report = pair.copy()
    assert report.copied_blobs == 5201
    assert pair.read(report.snapshots[0].target) == tree
