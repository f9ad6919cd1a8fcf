"""What a check finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from forge_kit import (
    Forge,
    check_all,
    check_plain,
    codes,
    dir_node,
    file_node,
    overwrite,
    sample,
    stored,
)
from holdfast.backends.local import LocalBackend
from holdfast.backends.memory import MemoryBackend
from holdfast.backends.wrappers.cache import CacheBackend
from holdfast.errors import BackendError, Interrupted
from holdfast.format.index import decode_index
from holdfast.model.blob import BlobType
from holdfast.model.event import Event, Progress
from holdfast.model.ids import BlobId, PackId
from holdfast.model.node import Node, NodeType
from holdfast.model.pack import Pack
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle
from holdfast.repository.blobs import Compression
from holdfast.repository.check import indexes, pack_check, pack_run
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.check.subset import Subset
from holdfast.repository.keys import add_key
from holdfast.repository.locks import acquire
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule
from holdfast.testing.stand_in import standing_in
from repository_kit import CHEAP, new_repository


@pytest.fixture
def forge() -> Forge:
    return Forge()


def listed(forge: Forge) -> list[Pack]:
    """The packs of the only index file, data first."""
    [name] = forge.repository.names(FileKind.INDEX)
    packs = decode_index(forge.repository.load_unpacked(FileKind.INDEX, name))
    return sorted(packs, key=lambda pack: pack.blobs[0].type)


def test_a_whole_repository_is_whole(forge: Forge) -> None:
    sample(forge)
    report = check_all(forge.repository)
    assert report.whole
    assert (report.errors, report.hints, report.notes, report.suggestions) == ((), (), (), ())
    assert (report.snapshots, report.trees, report.packs, report.packs_read, report.blobs_read) == (1, 2, 2, 2, 6)
    assert report.bytes_read == sum(map(len, stored(forge.repository, FileKind.PACK).values()))


def test_an_empty_repository_is_whole(repository: Repository) -> None:
    assert check_all(repository).whole


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_are_checked(version: int) -> None:
    forge = Forge(new_repository(version=version))
    content = forge.blob(BlobType.DATA, b"plain " * 100, Compression.OFF)
    tree = forge.blob(BlobType.TREE, b'{"nodes":[]}\n', Compression.OFF)
    forge.blob(BlobType.TREE, b'{"nodes":[]}\n ', Compression.OFF)
    assert content != tree
    forge.finish(tree)
    assert check_all(forge.repository).whole


def test_a_plain_check_reads_no_pack_of_data(forge: Forge) -> None:
    sample(forge)
    report = check_plain(forge.repository)
    assert report.whole
    assert (report.packs_read, report.bytes_read) == (0, 0)


# --- documents -----------------------------------------------------------------------------------


def test_a_key_whose_host_name_was_edited_is_found(forge: Forge) -> None:
    sample(forge)
    other = add_key(forge.repository, b"other", hostname="honest", parameters=CHEAP, allow_weak=True)
    handle = Handle(FileKind.KEY, other.hex())
    overwrite(forge.repository, handle, forge.repository.backend.load(handle).replace(b"honest", b"forged"))
    report = check_plain(forge.repository)
    assert codes(report) == {"key-damaged"}
    assert report.suggestions == ("remove-key",)


def test_the_loss_of_the_key_in_use_is_found(forge: Forge) -> None:
    sample(forge)
    forge.repository.remove(FileKind.KEY, forge.repository.key_id)
    assert codes(check_plain(forge.repository)) == {"key-missing"}


def test_another_config_is_found(forge: Forge) -> None:
    sample(forge)
    stranger = Forge(new_repository(MemoryBackend("stranger")))
    overwrite(forge.repository, CONFIG_HANDLE, stranger.repository.backend.load(CONFIG_HANDLE))
    assert codes(check_plain(forge.repository)) == {"config-damaged"}


def test_a_missing_config_is_found(forge: Forge) -> None:
    sample(forge)
    forge.repository.backend.remove(CONFIG_HANDLE)
    assert codes(check_plain(forge.repository)) == {"config-damaged"}


def test_files_that_are_no_locks_are_mentioned(forge: Forge) -> None:
    sample(forge)
    forge.repository.backend.save(Handle(FileKind.LOCK, "ab" * 32), [b"no lock"])
    report = check_plain(forge.repository)
    assert report.whole
    assert [note.code for note in report.notes] == ["lock-unreadable"]


def test_a_damaged_snapshot_is_found_and_the_others_are_checked(forge: Forge) -> None:
    snapshot = sample(forge)
    forge.snapshot(snapshot.tree, second=1)
    handle = next(iter(stored(forge.repository, FileKind.SNAPSHOT)))
    overwrite(forge.repository, handle, forge.repository.backend.load(handle)[:-1])
    report = check_plain(forge.repository)
    assert codes(report) == {"snapshot-damaged"}
    assert (report.snapshots, report.trees) == (1, 2)


# --- index and packs -----------------------------------------------------------------------------


def test_a_damaged_index_is_found(forge: Forge) -> None:
    sample(forge)
    [(handle, content)] = stored(forge.repository, FileKind.INDEX).items()
    overwrite(forge.repository, handle, content[:-1])
    report = check_all(forge.repository)
    assert {"index-damaged", "blob-missing"} == codes(report)
    assert not report.notes, "packs are not unreferenced because an index file cannot be read"
    assert report.suggestions == ("repair-index", "repair-snapshots")


def test_a_lost_index_file_can_be_made_up_for(forge: Forge) -> None:
    sample(forge)
    [handle] = stored(forge.repository, FileKind.INDEX)
    forge.repository.backend.remove(handle)
    report = check_all(forge.repository)
    assert codes(report) == {"blob-missing"}
    assert report.suggestions == ("repair-index", "repair-snapshots")


def test_a_damaged_pack_is_named_even_if_its_index_file_is_damaged(forge: Forge) -> None:
    sample(forge)
    data, _ = listed(forge)
    for handle in (Handle(FileKind.PACK, data.id.hex()), *stored(forge.repository, FileKind.INDEX)):
        content = bytearray(forge.repository.backend.load(handle))
        content[20] ^= 1
        overwrite(forge.repository, handle, bytes(content))
    assert check_all(forge.repository).damaged_packs == (data.id,)


def test_a_missing_pack_hurts_files_that_are_named(forge: Forge) -> None:
    snapshot = sample(forge)
    pack = Handle(FileKind.PACK, listed(forge)[0].id.hex())
    forge.repository.backend.remove(pack)
    report = check_plain(forge.repository)
    [finding] = report.errors
    assert finding.code == "pack-missing"
    assert pack.name in finding.object
    assert {hurt.path for hurt in finding.hurts} == {b"/a.txt", b"/both.txt", b"/dir/inner.txt"}
    assert report.hurt_snapshots == (snapshot.id,)
    assert report.damaged_packs == (bytes.fromhex(pack.name),)


def test_a_pack_of_the_wrong_size_is_read_and_what_it_hurts_is_named(forge: Forge) -> None:
    first = forge.data(b"first " * 50)
    last = forge.data(b"last " * 50)
    tree = forge.tree([file_node(b"first", [first], 300), file_node(b"last", [last], 250)])
    forge.finish(tree)
    handle = Handle(FileKind.PACK, listed(forge)[0].id.hex())
    content = forge.repository.backend.load(handle)
    overwrite(forge.repository, handle, content[: len(content) // 4])
    report = check_plain(forge.repository)
    [finding] = report.errors
    assert finding.code == "pack-size"
    assert {hurt.path for hurt in finding.hurts} <= {b"/first", b"/last"}
    assert b"/last" in {hurt.path for hurt in finding.hurts}
    assert report.suggestions == ("repair-packs", "repair-snapshots")


def test_a_copy_elsewhere_keeps_files_whole(forge: Forge) -> None:
    content = b"stored twice " * 30
    tree = forge.tree([forge.file(b"file", content)])
    forge.pack()
    forge.data(content)
    [second] = forge.pack()
    forge.index()
    forge.snapshot(tree)
    forge.repository.remove(FileKind.PACK, second.id)
    [finding] = check_all(forge.repository).errors
    assert (finding.code, finding.hurts) == ("pack-missing", ())


def test_both_copies_gone_hurt(forge: Forge) -> None:
    content = b"stored twice " * 30
    blob = forge.data(content)
    [first] = forge.pack()
    forge.data(content)
    tree = forge.tree([file_node(b"file", [blob], len(content))])
    second, _ = forge.pack()
    forge.index()
    forge.snapshot(tree)
    for pack in (first, second):
        forge.repository.remove(FileKind.PACK, pack.id)
    report = check_all(forge.repository)
    assert [len(finding.hurts) for finding in report.errors] == [1, 1]


def test_unreferenced_packs_are_notes_even_if_damaged(forge: Forge) -> None:
    sample(forge)
    forge.repository.backend.save(Handle(FileKind.PACK, "cd" * 32), [b"half an upload"])
    report = check_all(forge.repository)
    assert report.whole
    assert [note.code for note in report.notes] == ["pack-unreferenced"]
    assert report.suggestions == ("prune",)


def test_mixed_packs_and_duplicate_entries_are_hints(forge: Forge) -> None:
    tree = forge.tree([forge.file(b"file", b"mixed")])
    packs = forge.pack(mixed=True)
    forge.index(packs)
    forge.index([*packs, *packs])
    forge.snapshot(tree)
    report = check_all(forge.repository)
    assert report.whole
    assert {hint.code for hint in report.hints} == {"pack-mixed", "pack-listed-twice"}


def test_a_blob_list_split_over_index_files_is_damage(forge: Forge) -> None:
    snapshot = sample(forge)
    data, tree = listed(forge)
    forge.repository.remove(FileKind.INDEX, bytes.fromhex(next(iter(stored(forge.repository, FileKind.INDEX))).name))
    forge.index([Pack(data.id, data.blobs[:1]), tree])
    forge.index([Pack(data.id, data.blobs)])
    assert snapshot.id is not None
    assert "index-split" in codes(check_all(forge.repository))


def relist(forge: Forge, packs: list[Pack]) -> None:
    """Replaces the only index file."""
    [name] = forge.repository.names(FileKind.INDEX)
    forge.repository.remove(FileKind.INDEX, name)
    forge.index(packs)


@pytest.mark.parametrize("change", [{"offset": 1}, {"length": 40}, {"length": 1 << 31}])
def test_overlapping_or_gappy_entries_are_damage(forge: Forge, change: dict[str, int]) -> None:
    sample(forge)
    data, tree = listed(forge)
    first, *rest = data.blobs
    relist(forge, [Pack(data.id, (msgspec.structs.replace(first, **change), *rest)), tree])
    report = check_plain(forge.repository)
    assert "index-impossible" in codes(report)
    assert data.id in report.damaged_packs


def test_blobs_listed_in_another_order_are_fine(forge: Forge) -> None:
    sample(forge)
    data, tree = listed(forge)
    relist(forge, [Pack(data.id, data.blobs[::-1]), tree])
    assert check_all(forge.repository).whole


@pytest.mark.parametrize(
    ("raw_length", "code"), [(1, "file-size"), (100_000, "file-size")], ids=["too-small", "too-large"]
)
def test_a_wrong_raw_length_in_the_index_is_damage(forge: Forge, raw_length: int, code: str) -> None:
    sample(forge)
    data, tree = listed(forge)
    blobs = list(data.blobs)
    position = next(number for number, blob in enumerate(blobs) if blob.raw_length)
    blobs[position] = msgspec.structs.replace(blobs[position], raw_length=raw_length)
    relist(forge, [Pack(data.id, tuple(blobs)), tree])
    report = check_all(forge.repository)
    assert code in codes(report)
    assert data.id in report.damaged_packs


def test_an_index_that_leaves_out_a_blob_disagrees_with_the_pack(forge: Forge) -> None:
    unused = forge.data(b"unused, but in the header")
    tree = forge.tree([])
    data, trees = forge.pack()
    assert data.blobs[0].id == unused
    forged = msgspec.structs.replace(data.blobs[0], id=BlobId(b"\7" * 32))
    forge.index([Pack(data.id, (forged,)), trees])
    forge.snapshot(tree)
    assert check_plain(forge.repository).whole
    report = check_all(forge.repository)
    assert report.damaged_packs == (data.id,)


def test_an_index_that_gives_a_blob_the_wrong_type_disagrees(forge: Forge) -> None:
    forge.data(b"data, whatever the index says")
    tree = forge.tree([])
    data, trees = forge.pack()
    forged = msgspec.structs.replace(data.blobs[0], type=BlobType.TREE)
    forge.index([Pack(data.id, (forged,)), trees])
    forge.snapshot(tree)
    report = check_all(forge.repository)
    assert codes(report) == {"index-disagrees"}
    assert report.suggestions == ("repair-index",)


def test_a_renamed_pack_is_found(forge: Forge) -> None:
    sample(forge)
    data, tree = listed(forge)
    content = forge.repository.backend.load(Handle(FileKind.PACK, data.id.hex()))
    forge.repository.remove(FileKind.PACK, data.id)
    wrong = PackId(b"\5" * 32)
    forge.repository.backend.save(Handle(FileKind.PACK, wrong.hex()), [content])
    relist(forge, [Pack(wrong, data.blobs), tree])
    assert check_plain(forge.repository).whole
    [finding] = check_all(forge.repository).errors
    assert (finding.code, finding.hurts) == ("pack-damaged", ())


def test_every_broken_pack_is_listed() -> None:
    forge = Forge()
    nodes = []
    for number in range(30):
        nodes.append(forge.file(b"%02d" % number, b"content %d" % number))
        forge.pack()
    tree = forge.tree(nodes)
    forge.finish(tree)
    packs = stored(forge.repository, FileKind.PACK)
    broken = sorted(packs, key=lambda handle: handle.name)[::2]
    for handle in broken:
        content = bytearray(packs[handle])
        content[20] ^= 1
        overwrite(forge.repository, handle, bytes(content))
    report = check_all(forge.repository)
    assert set(report.damaged_packs) == {bytes.fromhex(handle.name) for handle in broken}
    assert len(report.errors) >= len(broken)


# --- trees ---------------------------------------------------------------------------------------


def test_a_missing_tree_is_found_with_the_directory_it_hurts(forge: Forge) -> None:
    tree = forge.tree([dir_node(b"lost", b"\1" * 32), dir_node(b"there", forge.tree([]))])
    forge.finish(tree)
    [finding] = check_plain(forge.repository).errors
    assert finding.code == "blob-missing"
    assert [hurt.path for hurt in finding.hurts] == [b"/lost"]


def test_a_missing_root_is_found(forge: Forge) -> None:
    snapshot = forge.finish(b"\1" * 32)
    report = check_plain(forge.repository)
    assert [hurt.path for hurt in report.errors[0].hurts] == [b"/"]
    assert report.hurt_snapshots == (snapshot.id,)


def test_content_that_is_indexed_only_as_a_tree_is_missing(forge: Forge) -> None:
    tree_as_content = forge.tree([])
    root = forge.tree([file_node(b"confused", [tree_as_content], 13)])
    forge.finish(root)
    assert codes(check_plain(forge.repository)) == {"blob-missing"}


@pytest.mark.parametrize("size", [0, 4, 6, 1 << 40])
def test_a_size_that_is_not_that_of_the_content_is_damage(forge: Forge, size: int) -> None:
    tree = forge.tree([file_node(b"file", [forge.data(b"12345")], size)])
    forge.finish(tree)
    [finding] = check_plain(forge.repository).errors
    assert finding.code == "file-size"
    assert "b'file'" in finding.detail


NODE = '{"name":"%s","type":"file","mtime":"%s","content":[]}'
TIME = "2026-01-02T03:04:05.6Z"
BAD_TREES = [
    '{"nodes":null}',
    '{"nodes":[{"name":"d","type":"dir","content":null}]}',
    '{"nodes":[{"name":"f","type":"hologram"}]}',
    '{"nodes":[{"name":"f","type":"file","size":-1}]}',
    '{"nodes":[{"name":"f","type":"file","uid":4294967296}]}',
    '{"nodes":[{"name":"f","type":"file","content":["zz"]}]}',
    '{"nodes":[{"name":"f","type":"file","content":["' + "0 " * 32 + '"]}]}',
    '{"nodes":[{"name":"l","type":"symlink","linktarget":"a\\u0000b"}]}',
    '{"nodes":[' + NODE % ("b", TIME) + "," + NODE % ("a", TIME) + "]}",
    '{"nodes":[' + NODE % ("a", TIME) + "," + NODE % ("a", TIME) + "]}",
    *('{"nodes":[' + NODE % (name, TIME) + "]}" for name in ("", ".", "..", "a/b", "a\\u0000b", 'a\\"b', "\\\\q")),
    *('{"nodes":[' + NODE % ("a", time) + "]}" for time in ("2026-02-30T00:00:00Z", "noon", "2026-13-01T00:00:00Z")),
    "no json",
    '{"nodes":[}',
]


@pytest.mark.parametrize("text", BAD_TREES)
def test_a_tree_that_cannot_be_is_damage(forge: Forge, text: str) -> None:
    tree = forge.raw_tree(text.encode())
    forge.finish(tree)
    [finding] = check_plain(forge.repository).errors
    assert finding.code == "tree-damaged"
    assert [hurt.path for hurt in finding.hurts] == [b"/"]


def test_unusual_trees_are_fine(forge: Forge) -> None:
    nodes = [
        Node(name=b'a "quoted" \\ name', type=NodeType.FILE, content=()),
        Node(name=b"back\nslash", type=NodeType.FIFO),
        Node(name=b"caf\xc3\xa9", type=NodeType.SOCKET, mtime_ns=-1, atime_ns=951_782_400 * 10**9),
        Node(name=b"link", type=NodeType.SYMLINK, linktarget=b"\xff"),
        Node(name=b"not \xff utf-8", type=NodeType.FILE, content=(), xattrs=((b"user.a", b"\0"),)),
        Node(name=b"old", type=NodeType.CHAR_DEVICE, device=259, generic_attributes=(("windows.x", b"[1]"),)),
    ]
    forge.finish(forge.tree(nodes))
    assert check_all(forge.repository).whole


# --- subsets, workers, events --------------------------------------------------------------------


def test_a_slice_reads_only_its_packs() -> None:
    forge = Forge()
    for number in range(20):
        forge.data(b"content %d" % number)
        forge.pack()
    forge.finish(forge.tree([]))
    read = 0
    for number in range(1, 4):
        options = CheckOptions(subset=Subset(number=number, slices=3))
        read += check(forge.repository, None, options).packs_read
    assert read == check_plain(forge.repository).packs == 21


def test_worker_processes_find_the_same(tmp_path: Path) -> None:
    forge = Forge(new_repository(LocalBackend(str(tmp_path / "repository"))))
    trees = [forge.tree([forge.file(b"f", b"content %d" % number)]) for number in range(50)]
    broken = forge.tree([file_node(b"f", [BlobId(b"\3" * 32)], 5)])
    invalid = forge.raw_tree(b'{"nodes":[{}]}')
    nodes = [dir_node(b"%03d" % number, tree) for number, tree in enumerate([*trees, broken, invalid])]
    forge.finish(forge.tree(nodes))
    data = max(stored(forge.repository, FileKind.PACK).items(), key=lambda item: len(item[1]))[0]
    with WorkerPool(2) as pool:
        beside = check(forge.repository, None, CheckOptions(read_data=True), pool=pool)
    alone = check_all(forge.repository)
    assert msgspec.structs.replace(beside, duration_s=0) == msgspec.structs.replace(alone, duration_s=0)
    assert codes(alone) == {"blob-missing", "tree-damaged"}
    flipped = bytearray(forge.repository.backend.load(data))
    flipped[5] ^= 8
    overwrite(forge.repository, data, bytes(flipped))
    with WorkerPool(2) as pool:
        assert check(forge.repository, None, CheckOptions(read_data=True), pool=pool).damaged_packs


def damaged_and_sound(forge: Forge) -> PackId:
    """Several packs, the one that is returned with a flipped bit."""
    nodes: list[Node] = []
    packs: list[Pack] = []
    for number in range(6):
        nodes.append(forge.file(b"%d" % number, b"content %d " % number * 50))
        packs += forge.pack()
    forge.finish(forge.tree(nodes))
    handle = Handle(FileKind.PACK, packs[3].id.hex())
    content = bytearray(forge.repository.backend.load(handle))
    content[25] ^= 2
    overwrite(forge.repository, handle, bytes(content))
    return packs[3].id


@pytest.mark.parametrize("limits", [{"_SMALL_INDEX_BYTES": 0}, {"_LENGTHS_MAX": 0}], ids=["from the start", "midway"])
def test_a_large_index_is_kept_on_disk_and_finds_the_same(forge: Forge, limits: dict[str, int]) -> None:
    damaged_and_sound(forge)
    wrong = forge.tree([file_node(b"f", [forge.data(b"12345")], 6), file_node(b"lost", [BlobId(b"\3" * 32)], 6)])
    forge.finish(wrong, second=1)
    usual = check_all(forge.repository)
    with standing_in(indexes, **limits):
        large = check_all(forge.repository)
    assert codes(large) == {"pack-damaged", "file-size", "blob-missing"}
    assert msgspec.structs.replace(large, duration_s=0) == msgspec.structs.replace(usual, duration_s=0)


def test_packs_from_afar_are_verified_in_processes_too(forge: Forge) -> None:
    damaged = damaged_and_sound(forge)
    with WorkerPool(2) as pool:
        report = check(forge.repository, None, CheckOptions(read_data=True), pool=pool)
    assert report.damaged_packs == (damaged,)
    assert report.blobs_read == 7


def test_packs_too_large_for_memory_go_through_a_file(forge: Forge) -> None:
    damaged = damaged_and_sound(forge)
    with standing_in(pack_run, WHOLE_MAX=100), standing_in(pack_check, WHOLE_MAX=100, _WINDOW=60):
        report = check_all(forge.repository)
    assert report.damaged_packs == (damaged,)
    assert report.blobs_read == 7


@pytest.mark.parametrize("processes", [0, 2])
def test_several_processes_can_share_a_pack(tmp_path: Path, processes: int) -> None:
    forge = Forge(new_repository(LocalBackend(str(tmp_path / "repository"))))
    for number in range(40):
        forge.data(b"content %d" % number, Compression.AUTO)
    forge.finish(forge.tree([]))
    data = listed(forge)[0]
    with standing_in(pack_run, _SPLIT_FROM_BYTES=1), WorkerPool(processes) as pool:
        assert check(forge.repository, None, CheckOptions(read_data=True), pool=pool).blobs_read == 41
        handle = Handle(FileKind.PACK, data.id.hex())
        content = bytearray(forge.repository.backend.load(handle))
        content[data.blobs[-1].offset + 20] ^= 2
        overwrite(forge.repository, handle, bytes(content))
        report = check(forge.repository, None, CheckOptions(read_data=True), pool=pool)
    assert report.damaged_packs == (data.id,)


def test_a_sound_copy_in_a_cache_hides_nothing(tmp_path: Path) -> None:
    storage = MemoryBackend("storage")
    forge = Forge(new_repository(CacheBackend(storage, str(tmp_path), lambda _name: True)))
    sample(forge)
    assert check_all(forge.repository).whole
    for kind in (FileKind.SNAPSHOT, FileKind.INDEX, FileKind.PACK):
        [*handles] = [Handle(kind, entry.name) for entry in storage.list(kind)]
        for handle in handles:
            forge.repository.backend.load(handle)
            content = bytearray(storage.load(handle))
            content[30] ^= 4
            storage.remove(handle)
            storage.save(handle, [bytes(content)])
    found = codes(check_all(forge.repository))
    assert {"snapshot-damaged", "index-damaged"} <= found


def test_a_second_reading_that_is_right_is_a_hint_only() -> None:
    memory = MemoryBackend("m")
    forge = Forge(new_repository(memory))
    sample(forge)
    rule = Rule(Operation.LOAD, Fault.FLIP, kind=FileKind.PACK, times=1, amount=100)
    faulty = FaultyBackend(memory, [rule])
    original = forge.repository
    shaky = Repository(faulty, original.config, original.master, key_id=original.key_id)
    report = check(shaky, None, CheckOptions(read_data=True))
    assert report.whole
    assert [hint.code for hint in report.hints] == ["read-twice"]


def input_output_error(url: str, name: str) -> BackendError:
    return BackendError(url=url, object=name, reason="Input/output error")


def test_a_pack_that_cannot_be_read_is_named_and_the_rest_is_checked() -> None:
    memory = MemoryBackend("m")
    forge = Forge(new_repository(memory))
    sample(forge)
    data, _tree = listed(forge)
    rule = Rule(Operation.LOAD, Fault.FAIL, kind=FileKind.PACK, name=data.id.hex(), error=input_output_error)
    original = forge.repository
    shaky = Repository(FaultyBackend(memory, [rule]), original.config, original.master, key_id=original.key_id)
    report = check(shaky, None, CheckOptions(read_data=True))
    assert report.damaged_packs == (data.id,)
    assert len(report.errors[0].hurts) == 3


def test_progress_is_told_and_a_lock_is_respected(forge: Forge) -> None:
    sample(forge)
    events: list[Event] = []
    with acquire(forge.repository, exclusive=True) as lock:
        assert check(forge.repository, lock, CheckOptions(read_data=True), events.append).whole
    phases = {event.phase for event in events if isinstance(event, Progress)}
    assert {"packs", "trees"} <= phases


def test_a_cancelled_check_stops(forge: Forge) -> None:
    sample(forge)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Interrupted):
        check(forge.repository, None, CheckOptions(read_data=True), cancel=cancel)
