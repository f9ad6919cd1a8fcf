"""Mending the index, packs and snapshots, and finding lost directories."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from forge_kit import (
    Forge,
    check_all,
    codes,
    dir_node,
    file_node,
    overwrite,
    sample,
    stored,
)
from holdfast.backends.memory import MemoryBackend
from holdfast.errors import BackendError, HoldfastError, RestoreError
from holdfast.format.index import decode_index
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId, PackId, SnapshotId
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.report import CheckReport
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.reader import Reader
from holdfast.repository.recover import RecoverReport, recover
from holdfast.repository.repair.index import RepairIndexReport, repair_index
from holdfast.repository.repair.packs import RepairPacksReport, repair_packs
from holdfast.repository.repair.snapshots import RepairSnapshotsReport, repair_snapshots
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots
from holdfast.repository.trees import walk
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule
from repository_kit import new_repository


@pytest.fixture
def forge() -> Forge:
    return Forge(new_repository(MemoryBackend("mend"), clock=FakeClock()))


def mend_index(repository: Repository, **options: bool) -> RepairIndexReport:
    with acquire(repository, exclusive=True) as lock:
        return repair_index(repository, lock, **options)


def mend_packs(repository: Repository, packs: list[PackId], folder: Path | None = None) -> RepairPacksReport:
    with acquire(repository, exclusive=True) as lock:
        return repair_packs(repository, lock, packs, folder)


def mend_snapshots(repository: Repository, **options: bool) -> RepairSnapshotsReport:
    with acquire(repository, exclusive=True) as lock:
        return repair_snapshots(repository, lock, **options)


def listed(forge: Forge) -> list[Pack]:
    """The packs of all index files, data first."""
    packs: list[Pack] = []
    for name in forge.repository.names(FileKind.INDEX):
        packs += decode_index(forge.repository.load_unpacked(FileKind.INDEX, name))
    return sorted(packs, key=lambda pack: pack.blobs[0].type)


def contents(forge: Forge, number: int = -1) -> dict[bytes, bytes | None]:
    """What the newest snapshot holds: path to content; None for what is no file."""
    with Index(forge.repository, private=True) as index:
        index.sync()
        reader = Reader(forge.repository, index)
        found: dict[bytes, bytes | None] = {}
        for path, node in walk(reader, load_snapshots(forge.repository)[number].tree):
            pieces = [bytes(reader.load_blob(BlobType.DATA, blob_id)) for blob_id in node.content or ()]
            found[path] = b"".join(pieces) if node.type is NodeType.FILE else None
    return found


def damage(forge: Forge, pack: PackId, position: int) -> None:
    """Flips a bit of a pack."""
    handle = Handle(FileKind.PACK, pack.hex())
    content = bytearray(forge.repository.backend.load(handle))
    content[position] ^= 1
    overwrite(forge.repository, handle, bytes(content))


# --- index ---------------------------------------------------------------------------------------


def test_a_whole_index_is_left_alone(forge: Forge) -> None:
    sample(forge)
    before = stored(forge.repository, FileKind.INDEX)
    for read_all in (False, True):
        report = mend_index(forge.repository, read_all=read_all)
        assert (report.indexes_written, report.indexes_removed) == (0, 0)
    assert stored(forge.repository, FileKind.INDEX) == before


def test_a_lost_index_is_made_from_the_packs(forge: Forge) -> None:
    sample(forge)
    before = contents(forge)
    [name] = forge.repository.names(FileKind.INDEX)
    forge.repository.remove(FileKind.INDEX, name)
    report = mend_index(forge.repository)
    assert (len(report.added), report.packs, report.packs_read) == (2, 2, 2)
    assert check_all(forge.repository).whole
    assert contents(forge) == before


def test_a_damaged_index_is_replaced(forge: Forge) -> None:
    sample(forge)
    [(handle, content)] = stored(forge.repository, FileKind.INDEX).items()
    overwrite(forge.repository, handle, content[:-3])
    report = mend_index(forge.repository)
    assert report.damaged == (bytes.fromhex(handle.name),)
    assert check_all(forge.repository).whole
    assert handle not in stored(forge.repository, FileKind.INDEX)


def test_entries_of_vanished_packs_are_dropped_and_others_kept(forge: Forge) -> None:
    sample(forge)
    data, tree = listed(forge)
    forge.repository.remove(FileKind.PACK, data.id)
    report = mend_index(forge.repository)
    assert report.dropped == (data.id,)
    assert [pack.id for pack in listed(forge)] == [tree.id]
    assert codes(check_all(forge.repository)) == {"blob-missing"}


@pytest.mark.parametrize("change", [{"offset": 1}, {"length": 40}, {"raw_length": 77}, {"id": BlobId(b"\2" * 32)}])
def test_wrong_entries_are_corrected_from_the_header(forge: Forge, change: dict[str, object]) -> None:
    sample(forge)
    data, tree = listed(forge)
    first, *rest = data.blobs
    forged = Pack(data.id, (msgspec.structs.replace(first, **change), *rest))
    [name] = forge.repository.names(FileKind.INDEX)
    forge.repository.remove(FileKind.INDEX, name)
    forge.index([forged, tree])
    assert not check_all(forge.repository).whole
    report = mend_index(forge.repository, read_all=True)
    assert report.corrected == (data.id,)
    assert check_all(forge.repository).whole


def test_contradicting_entries_are_settled_by_the_header(forge: Forge) -> None:
    sample(forge)
    data, _ = listed(forge)
    forge.index([Pack(data.id, data.blobs[:1])])
    report = mend_index(forge.repository)
    assert report.corrected == (data.id,)
    assert check_all(forge.repository).whole


def test_what_is_known_of_a_pack_without_a_header_is_kept(forge: Forge) -> None:
    sample(forge)
    data, _ = listed(forge)
    handle = Handle(FileKind.PACK, data.id.hex())
    content = forge.repository.backend.load(handle)
    overwrite(forge.repository, handle, content[: len(content) // 2])
    report = mend_index(forge.repository)
    assert report.unreadable == (data.id,)
    assert data in listed(forge)


def test_a_storage_that_fails_loses_nothing(forge: Forge) -> None:
    sample(forge)
    [(handle, content)] = stored(forge.repository, FileKind.INDEX).items()
    overwrite(forge.repository, handle, content[:-3])
    rule = Rule(Operation.SAVE, Fault.FAIL, kind=FileKind.INDEX)
    original = forge.repository
    shaky = Repository(
        FaultyBackend(original.backend, [rule]),
        original.config,
        original.master,
        key_id=original.key_id,
        clock=original.clock,
    )
    with pytest.raises(BackendError):
        mend_index(shaky)
    assert list(stored(forge.repository, FileKind.INDEX)) == [handle]


# --- packs ---------------------------------------------------------------------------------------


def test_sound_blobs_of_a_damaged_pack_are_saved(forge: Forge, tmp_path: Path) -> None:
    sample(forge)
    before = contents(forge)
    data, _ = listed(forge)
    damage(forge, data.id, data.blobs[0].offset + 20)
    report = check_all(forge.repository)
    assert report.damaged_packs == (data.id,)
    mended = mend_packs(forge.repository, list(report.damaged_packs), tmp_path)
    assert (mended.saved, len(mended.lost), mended.packs_removed) == (len(data.blobs) - 1, 1, 1)
    assert mended.lost[0].id == data.blobs[0].id
    assert not mended.lost[0].elsewhere
    assert [copy.name for copy in mended.copies] == [f"pack-{data.id.hex()}"]
    assert (tmp_path / f"pack-{data.id.hex()}").stat().st_mode & 0o777 == 0o600
    assert codes(check_all(forge.repository)) == {"blob-missing"}
    lost = {path for path, content in before.items() if content is not None} - set(readable(forge, before))
    assert len(lost) == 1


def readable(forge: Forge, before: dict[bytes, bytes | None]) -> list[bytes]:
    """Files of the newest snapshot that read as before."""
    found: list[bytes] = []
    with Index(forge.repository, private=True) as index:
        index.sync()
        reader = Reader(forge.repository, index)
        for path, node in walk(reader, load_snapshots(forge.repository)[-1].tree):
            try:
                pieces = [bytes(reader.load_blob(BlobType.DATA, blob_id)) for blob_id in node.content or ()]
            except HoldfastError:
                continue
            if before[path] == b"".join(pieces):
                found.append(path)
    return found


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_pack_that_was_cut_short_gives_what_is_left_of_it(forge: Forge, keep: float) -> None:
    sample(forge)
    data, _ = listed(forge)
    handle = Handle(FileKind.PACK, data.id.hex())
    content = forge.repository.backend.load(handle)
    left = int(len(content) * keep)
    overwrite(forge.repository, handle, content[:left])
    sound = [blob for blob in data.blobs if blob.offset + blob.length <= left]
    mended = mend_packs(forge.repository, [data.id])
    assert mended.saved == len(sound)
    after = check_all(forge.repository)
    assert codes(after) <= {"blob-missing"}
    assert not after.damaged_packs


def test_a_damaged_header_loses_nothing(forge: Forge) -> None:
    sample(forge)
    before = contents(forge)
    data, _ = listed(forge)
    damage(forge, data.id, -10)
    mended = mend_packs(forge.repository, [data.id])
    assert (mended.saved, mended.lost) == (len(data.blobs), ())
    assert check_all(forge.repository).whole
    assert contents(forge) == before


def test_a_damaged_pack_of_trees_is_mended_too(forge: Forge) -> None:
    sample(forge)
    _, tree = listed(forge)
    damage(forge, tree.id, tree.blobs[0].offset + 20)
    mended = mend_packs(forge.repository, [tree.id])
    assert (mended.saved, len(mended.lost)) == (len(tree.blobs) - 1, 1)
    assert codes(check_all(forge.repository)) == {"blob-missing"}


def test_a_pack_that_is_gone_is_taken_out_of_the_index(forge: Forge, tmp_path: Path) -> None:
    sample(forge)
    data, tree = listed(forge)
    forge.repository.remove(FileKind.PACK, data.id)
    mended = mend_packs(forge.repository, [data.id], tmp_path)
    assert (mended.saved, len(mended.lost), mended.copies) == (0, len(data.blobs), ())
    assert [pack.id for pack in listed(forge)] == [tree.id]


def test_a_pack_that_nothing_is_known_of_is_left_alone(forge: Forge) -> None:
    sample(forge)
    unknown = PackId(b"\xab" * 32)
    forge.repository.backend.save(Handle(FileKind.PACK, unknown.hex()), [b"who knows" * 100])
    mended = mend_packs(forge.repository, [unknown])
    assert (mended.unknown, mended.packs_removed) == ((unknown,), 0)
    assert Handle(FileKind.PACK, unknown.hex()) in stored(forge.repository, FileKind.PACK)


def test_a_copy_that_cannot_be_kept_stops_everything(forge: Forge, tmp_path: Path) -> None:
    sample(forge)
    data, _ = listed(forge)
    (tmp_path / f"pack-{data.id.hex()}").write_bytes(b"from an earlier attempt")
    with pytest.raises(RestoreError):
        mend_packs(forge.repository, [data.id], tmp_path)
    assert check_all(forge.repository).whole


# --- snapshots -----------------------------------------------------------------------------------


def test_whole_snapshots_are_left_alone(forge: Forge) -> None:
    sample(forge)
    before = stored(forge.repository, FileKind.SNAPSHOT)
    report = mend_snapshots(forge.repository, forget=True)
    assert (report.whole, report.repaired, report.removed) == (1, (), ())
    assert stored(forge.repository, FileKind.SNAPSHOT) == before


def after_losing(forge: Forge, pack: PackId) -> CheckReport:
    """Removes a pack for good, with what the index says of it."""
    forge.repository.remove(FileKind.PACK, pack)
    mend_index(forge.repository)
    return check_all(forge.repository)


def test_lost_content_is_cut_out_and_the_rest_stays(forge: Forge) -> None:
    kept = b"stays " * 20
    lost = forge.data(b"goes")
    [gone] = forge.pack()
    inner = forge.tree([file_node(b"both", [forge.data(kept), lost], 124), file_node(b"lost", [lost], 4)])
    original = forge.finish(forge.tree([dir_node(b"dir", inner), forge.file(b"whole", b"!")]), tags=("nightly",))
    assert codes(after_losing(forge, gone.id)) == {"blob-missing"}

    dry = mend_snapshots(forge.repository, dry_run=True, forget=True)
    assert [(change.path, change.code) for change in dry.repaired[0].changes] == [
        (b"/dir/both", "content-lost"),
        (b"/dir/lost", "content-lost"),
    ]
    assert dry.repaired[0].new is None
    assert len(stored(forge.repository, FileKind.SNAPSHOT)) == 1

    report = mend_snapshots(forge.repository, forget=True)
    assert report.removed == (original.id,)
    [new] = load_snapshots(forge.repository)
    assert (new.id, new.tags, new.original) == (report.repaired[0].new, ("nightly", "repaired"), original.id)
    assert check_all(forge.repository).whole
    assert contents(forge) == {b"/dir": None, b"/dir/both": kept, b"/dir/lost": b"", b"/whole": b"!"}


def test_originals_stay_unless_they_shall_be_forgotten(forge: Forge) -> None:
    original = forge.finish(forge.tree([file_node(b"f", [BlobId(b"\1" * 32)], 4)]))
    report = mend_snapshots(forge.repository)
    assert report.removed == ()
    assert {s.id for s in load_snapshots(forge.repository)} == {original.id, report.repaired[0].new}


def test_lost_directories_become_empty_and_impossible_entries_go(forge: Forge) -> None:
    text = (
        b'{"nodes":[{"name":"b","type":"file","content":[]},{"name":"a","type":"file","content":[],"size":9},'
        b'{"name":"..","type":"file","content":[]},{"name":"a","type":"fifo"},{"name":"no","type":"dir"}]}\n'
    )
    root = forge.tree([dir_node(b"lost", b"\1" * 32), dir_node(b"odd", forge.raw_tree(text))])
    forge.finish(root)
    report = mend_snapshots(forge.repository, forget=True)
    found = {(change.path, change.code) for change in report.repaired[0].changes}
    assert found == {
        (b"/lost", "directory-lost"),
        (b"/odd", "entry-lost"),
        (b"/odd", "order-corrected"),
        (b"/odd/a", "size-corrected"),
        (b"/odd/no", "directory-lost"),
    }
    assert check_all(forge.repository).whole
    assert contents(forge) == {
        b"/lost": None,
        b"/odd": None,
        b"/odd/a": b"",
        b"/odd/b": b"",
        b"/odd/no": None,
    }


def test_a_snapshot_without_a_root_goes_when_it_shall(forge: Forge) -> None:
    original = forge.finish(b"\1" * 32)
    report = mend_snapshots(forge.repository, forget=True)
    assert (report.repaired[0].new, report.removed) == (None, (original.id,))
    assert check_all(forge.repository).whole


def test_an_unreadable_snapshot_file_goes_when_it_shall(forge: Forge) -> None:
    sample(forge)
    forge.repository.backend.save(Handle(FileKind.SNAPSHOT, "ab" * 32), [b"no snapshot"])
    assert mend_snapshots(forge.repository).unreadable == (SnapshotId(b"\xab" * 32),)
    mend_snapshots(forge.repository, forget=True)
    assert check_all(forge.repository).whole


def test_snapshots_that_share_damage_are_all_repaired(forge: Forge) -> None:
    shared = forge.tree([file_node(b"f", [BlobId(b"\1" * 32)], 4)])
    first = forge.finish(forge.tree([dir_node(b"x", shared)]))
    forge.snapshot(forge.tree([dir_node(b"y", shared), dir_node(b"z", shared)]), second=1)
    forge.pack()
    forge.index()
    forge.snapshot(first.tree, second=2)
    report = mend_snapshots(forge.repository, forget=True)
    assert [item.changes_total for item in sorted(report.repaired, key=lambda i: i.changes_total)] == [1, 1, 2]
    assert check_all(forge.repository).whole
    assert len(load_snapshots(forge.repository)) == 3


def test_deep_trees_are_repaired_without_recursion(forge: Forge) -> None:
    tree = forge.tree([file_node(b"f", [BlobId(b"\1" * 32)], 4)])
    for _ in range(2000):
        tree = forge.tree([dir_node(b"d", tree)])
    forge.finish(tree)
    report = mend_snapshots(forge.repository, forget=True)
    assert report.repaired[0].changes_total == 1
    assert check_all(forge.repository).whole


# --- recover -------------------------------------------------------------------------------------


def recovered(repository: Repository) -> RecoverReport:
    with acquire(repository, exclusive=True) as lock:
        return recover(repository, lock)


def test_directories_without_a_snapshot_are_found(forge: Forge) -> None:
    snapshot = sample(forge)
    lost = forge.tree([dir_node(b"in", forge.tree([forge.file(b"f", b"found again")]))])
    forge.pack()
    forge.index()
    report = recovered(forge.repository)
    assert report.roots == (lost,)
    newest = load_snapshots(forge.repository)[-1]
    assert newest.id != snapshot.id
    assert (newest.paths, newest.tags) == (("/recover",), ("recovered",))
    name = b"/" + lost.hex()[:8].encode()
    assert contents(forge) == {name: None, name + b"/in": None, name + b"/in/f": b"found again"}
    assert check_all(forge.repository).whole
    assert recovered(forge.repository).snapshot is None


def test_a_lost_snapshot_file_is_made_up_for(forge: Forge) -> None:
    snapshot = sample(forge)
    before = contents(forge)
    assert snapshot.id is not None
    forge.repository.remove(FileKind.SNAPSHOT, snapshot.id)
    assert recovered(forge.repository).roots == (snapshot.tree,)
    name = b"/" + snapshot.tree.hex()[:8].encode()
    assert contents(forge) == {name: None} | {name + path: content for path, content in before.items()}


def test_unreadable_trees_do_not_stop_it(forge: Forge) -> None:
    forge.raw_tree(b"no tree")
    lost = forge.tree([Node(name=b"f", type=NodeType.FIFO)])
    forge.pack()
    forge.index()
    report = recovered(forge.repository)
    assert (report.roots, report.unreadable, report.trees) == ((lost,), 1, 1)
