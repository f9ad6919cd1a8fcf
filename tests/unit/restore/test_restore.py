"""Restoring forged snapshots: kinds of file, what is there already, and what is damaged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from holdfast.backends.local import LocalBackend
from holdfast.backends.memory import MemoryBackend
from holdfast.errors import DamageError, Interrupted, PathNotFound, UsageError
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.event import Progress, Warned
from holdfast.model.ids import BlobId, IndexId, PackId
from holdfast.model.node import NodeType
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from holdfast.repository.restore.report import Overwrite, RestoreOptions
from holdfast.repository.restore.run import restore_snapshot
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.workers import WorkerPool
from repository_kit import new_repository
from restore_kit import TIME_NS, Forge


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_of_no_one_and_many_blobs(forge: Forge, target: Path) -> None:
    pieces = [os.urandom(3000) for _ in range(9)]
    nodes = [forge.file(b"empty"), forge.file(b"many", *pieces, permissions=0o600), forge.file(b"one", b"x" * 500)]
    report = forge.restore(nodes, target)
    assert content(target) == {"empty": b"", "many": b"".join(pieces), "one": b"x" * 500}
    assert [stat.S_IMODE((target / name).stat().st_mode) for name in ("empty", "many", "one")] == [0o644, 0o600, 0o644]
    assert {(target / name).stat().st_mtime_ns for name in ("empty", "many", "one")} == {TIME_NS}
    assert (report.files, report.restored_bytes, report.problem_count, report.exit_code) == (3, 27_500, 0, 0)


def test_a_blob_goes_to_every_place_that_needs_it(forge: Forge, target: Path) -> None:
    a, b = b"a" * 700, b"b" * 300
    forge.restore([forge.file(b"1", a), forge.file(b"2", b, a, b), forge.file(b"3", a, a), forge.file(b"4", a)], target)
    assert content(target) == {"1": a, "2": b + a + b, "3": a + a, "4": a}


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("local", [False, True])
def test_workers_and_storages_make_no_difference(tmp_path: Path, target: Path, processes: int, local: bool) -> None:
    pool = WorkerPool(processes)
    backend = LocalBackend(str(tmp_path / "repository")) if local else MemoryBackend("remote")
    forge = Forge(new_repository(backend), pack_bytes=20_000)
    nodes = [forge.file(b"%04d" % number, *(os.urandom(900) for _ in range(number % 4))) for number in range(300)]
    report = forge.restore([forge.folder(b"d", *nodes)], target, pool=pool, verify=True)
    assert (report.files, report.verified, report.problem_count) == (300, 300, 0)
    assert (target / "d/0003").stat().st_size == 2700
    pool.close()
    forge.close()


def test_directories_get_their_metadata_last(forge: Forge, target: Path) -> None:
    inner = forge.folder(b"inner", forge.file(b"f", b"x"), permissions=0o500, mtime_ns=TIME_NS + 1)
    forge.restore([forge.folder(b"outer", inner, permissions=0o1777, mtime_ns=TIME_NS + 2)], target)
    assert stat.S_IMODE((target / "outer").stat().st_mode) == 0o1777
    assert stat.S_IMODE((target / "outer/inner").stat().st_mode) == 0o500
    assert (target / "outer").stat().st_mtime_ns == TIME_NS + 2
    assert (target / "outer/inner").stat().st_mtime_ns == TIME_NS + 1


def test_hard_links_of_files_links_and_fifos(forge: Forge, target: Path) -> None:
    pieces = (b"1" * 500, b"2" * 500)
    group = {"inode": 7, "device_id": 3}
    forge.restore(
        [
            forge.file(b"a", *pieces, links=3, **group),
            forge.folder(b"d", forge.file(b"b", *pieces, links=1, **group)),
            forge.node(b"f1", NodeType.FIFO, inode=8, device_id=3, links=2),
            forge.node(b"f2", NodeType.FIFO, inode=8, device_id=3, links=2),
            forge.link(b"l1", b"x", inode=9, device_id=3, links=2),
            forge.link(b"l2", b"x", inode=9, device_id=3, links=2),
            forge.file(b"other", b"3", inode=7, device_id=4),
        ],
        target,
    )
    for one, two in (("a", "d/b"), ("f1", "f2"), ("l1", "l2")):
        assert (target / one).lstat().st_ino == (target / two).lstat().st_ino
    assert (target / "a").stat().st_nlink == 2
    assert (target / "d/b").read_bytes() == b"".join(pieces)


def test_known_and_found_zeros_become_holes(forge: Forge, target: Path) -> None:
    zero = bytes(512 << 10)
    nodes = [
        forge.file(b"all", zero, zero, zero),
        forge.file(b"mixed", b"x" * 4096, zero, bytes(1 << 20), b"y" * 4096),
        forge.file(b"odd", b"x" * 4096, bytes(1 << 20), b"y" * 4096),
        forge.file(b"single", bytes(1 << 20)),
    ]
    report = forge.restore(nodes, target, verify=True)
    assert (report.problem_count, report.verified) == (0, 4)
    assert [(target / n).stat().st_blocks * 512 < 65536 for n in ("all", "mixed", "odd", "single")] == [True] * 4
    assert (target / "mixed").read_bytes() == b"x" * 4096 + bytes(3 << 19) + b"y" * 4096


def test_sparse_finds_zeros_within_blobs(forge: Forge, target: Path) -> None:
    piece = b"x" * 10 + bytes(2 << 20) + b"y"
    nodes = [forge.file(b"one", piece), forge.file(b"two", piece, piece)]
    report = forge.restore(nodes, target, sparse=True, verify=True)
    assert (report.verified, report.problem_count) == (2, 0)
    assert all((target / name).stat().st_blocks * 512 < 1 << 20 for name in ("one", "two"))


def test_deep_directories(forge: Forge, target: Path) -> None:
    node = forge.file(b"bottom", b"deep")
    for _ in range(2000):
        node = forge.folder(b"d", node)
    report = forge.restore([node], target)
    assert (report.dirs, report.files, report.problem_count) == (2000, 1, 0)
    fd = os.open(target, os.O_PATH)
    for _ in range(2000):
        deeper = os.open(b"d", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = deeper
    assert os.stat(b"bottom", dir_fd=fd).st_size == 4
    os.close(fd)
    # The folders of pytest cannot be removed by paths this long.
    assert forge.restore([], target, delete=True).deleted == 2001


def test_a_tree_nested_without_end_is_an_error(forge: Forge, target: Path) -> None:
    tree = forge.tree()
    for _ in range(4_150):
        tree = forge.tree(forge.node(b"d", NodeType.DIR, subtree=tree))
    report = forge.restore(tree, target)
    assert (report.problem_count, report.exit_code) == (1, 4)
    assert "nested deeper" in report.problems[0].detail
    forge.restore([], target, delete=True)


# --- selection ---------------------------------------------------------------------------------------


def test_patterns_and_subfolders(forge: Forge, target: Path) -> None:
    inner = forge.folder(b"b", forge.file(b"x.txt", b"1"), forge.file(b"y.log", b"2"))
    nodes = [forge.folder(b"a", inner, forge.file(b"z.txt", b"3")), forge.folder(b"c", forge.file(b"w", b"4"))]
    forge.restore(nodes, target / "1", includes=(b"/a/b/*.txt",))
    assert content(target / "1") == {"a/b/x.txt": b"1"}
    assert (target / "1/a").stat().st_mtime_ns == TIME_NS
    forge.restore(nodes, target / "2", excludes=(b"*.LOG",), insensitive_excludes=(b"B",))
    assert content(target / "2") == {"a/z.txt": b"3", "c/w": b"4"}
    forge.restore(nodes, target / "3", subfolder=b"/a/b/")
    assert content(target / "3") == {"x.txt": b"1", "y.log": b"2"}
    for wrong in (b"/a/none", b"/a/z.txt"):
        with pytest.raises(PathNotFound):
            forge.restore(nodes, target / "4", subfolder=wrong)


# --- what is there already ---------------------------------------------------------------------------


def old_tree(target: Path) -> None:
    target.mkdir()
    (target / "changed").write_bytes(b"old content")
    (target / "longer").write_bytes(b"n" * 5000)
    (target / "same").write_bytes(b"same")
    (target / "folder").write_bytes(b"a file in the place of a directory")
    (target / "file").mkdir()
    (target / "link").symlink_to("elsewhere")


def new_nodes(forge: Forge) -> list[object]:
    return [
        forge.file(b"changed", b"new", b"content"),
        forge.file(b"file", b"was an empty directory"),
        forge.folder(b"folder", forge.file(b"f", b"x")),
        forge.link(b"link", b"changed"),
        forge.file(b"longer", b"n" * 100),
        forge.file(b"same", b"same"),
    ]


def test_always_makes_everything_right(forge: Forge, target: Path) -> None:
    old_tree(target)
    inode = (target / "same").stat().st_ino
    report = forge.restore(new_nodes(forge), target, verify=True)  # type: ignore[arg-type]
    assert (report.problem_count, report.unchanged, report.verified) == (0, 1, 5)
    assert content(target)["longer"] == b"n" * 100
    assert content(target)["changed"] == b"newcontent"
    assert content(target)["folder/f"] == b"x"
    assert (target / "link").readlink() == Path("changed")
    assert (target / "same").stat().st_ino == inode
    assert (target / "same").stat().st_mtime_ns == TIME_NS


def test_content_that_is_there_is_not_read_from_the_storage(forge: Forge, target: Path) -> None:
    pieces = [bytes([number]) * 5000 for number in range(6)]
    nodes = [forge.file(b"f", *pieces)]
    tree = forge.tree(*nodes)
    forge.restore(tree, target)
    kept = forge.index.lookup(BlobType.DATA, nodes[0].content[2])  # type: ignore[index]
    data = {forge.index.lookup(BlobType.DATA, blob).pack for blob in nodes[0].content}  # type: ignore[union-attr]
    for pack in data - {kept.pack}:  # type: ignore[union-attr]
        forge.repository.backend.remove(Handle(FileKind.PACK, pack.hex()))
    assert forge.restore(tree, target).unchanged == 1
    with (target / "f").open("r+b") as file:
        file.seek(12_000)
        file.write(b"damage")
    report = forge.restore(tree, target, verify=True)
    assert (report.unchanged, report.verified, report.problem_count) == (0, 1, 0)
    assert (target / "f").read_bytes() == b"".join(pieces)


def test_never_and_if_newer_keep_files(forge: Forge, target: Path) -> None:
    target.mkdir()
    (target / "new").write_bytes(b"kept")
    (target / "old").write_bytes(b"replaced")
    os.utime(target / "old", ns=(TIME_NS - 1, TIME_NS - 1))
    nodes = [forge.file(b"missing", b"m"), forge.file(b"new", b"n"), forge.file(b"old", b"o")]
    report = forge.restore(nodes, target, overwrite=Overwrite.IF_NEWER)
    assert content(target) == {"missing": b"m", "new": b"kept", "old": b"o"}
    assert report.skipped == 1
    (target / "old").write_bytes(b"again")
    report = forge.restore(nodes, target, overwrite=Overwrite.NEVER)
    assert (content(target)["old"], report.skipped) == (b"again", 3)


def test_if_changed_trusts_size_and_time(forge: Forge, target: Path) -> None:
    nodes = [forge.file(b"a", b"1234"), forge.file(b"b", b"1234")]
    forge.restore(nodes, target)
    for name in ("a", "b"):
        (target / name).write_bytes(b"5678")
    os.utime(target / "a", ns=(TIME_NS, TIME_NS))
    report = forge.restore(nodes, target, overwrite=Overwrite.IF_CHANGED)
    assert content(target) == {"a": b"5678", "b": b"1234"}
    assert report.unchanged == 1


def test_a_full_directory_in_the_way_is_reported_unless_deleting(forge: Forge, target: Path) -> None:
    (target / "f").mkdir(parents=True)
    (target / "f" / "inside").write_bytes(b"x")
    nodes = [forge.file(b"f", b"file"), forge.file(b"g", b"other")]
    report = forge.restore(nodes, target)
    assert (report.problem_count, report.exit_code) == (1, 1)
    assert content(target) == {"f/inside": b"x", "g": b"other"}
    assert forge.restore(nodes, target, delete=True).problem_count == 0
    assert content(target) == {"f": b"file", "g": b"other"}


def test_delete_removes_what_the_snapshot_does_not_have(forge: Forge, target: Path) -> None:
    (target / "d" / "extra").mkdir(parents=True)
    (target / "d" / "extra" / "f").write_bytes(b"x")
    (target / "d" / "keep.log").write_bytes(b"x")
    (target / "more").write_bytes(b"x")
    nodes = [forge.folder(b"d", forge.file(b"f", b"1"))]
    assert forge.restore(nodes, target, delete=True, excludes=(b"*.log",)).deleted == 3
    assert content(target) == {"d/f": b"1", "d/keep.log": b"x"}
    with pytest.raises(UsageError):
        forge.restore(nodes, Path("/"), delete=True)


def test_delete_removes_nothing_where_a_tree_cannot_be_read(forge: Forge, target: Path) -> None:
    (target / "d").mkdir(parents=True)
    (target / "d" / "precious").write_bytes(b"x")
    report = forge.restore([forge.node(b"d", NodeType.DIR, subtree=BlobId(b"?" * 32))], target, delete=True)
    assert content(target) == {"d/precious": b"x"}
    assert report.exit_code == 4


def test_a_dry_run_changes_nothing(forge: Forge, target: Path) -> None:
    report = forge.restore(new_nodes(forge), target, dry_run=True)  # type: ignore[arg-type]
    assert not target.exists()
    assert (report.files, report.dirs, report.others) == (5, 1, 1)
    old_tree(target)
    before = content(target)
    report = forge.restore(new_nodes(forge), target, dry_run=True, delete=True)  # type: ignore[arg-type]
    assert content(target) == before
    assert (report.unchanged, report.problem_count) == (1, 0)


# --- damage ------------------------------------------------------------------------------------------


def test_a_missing_blob_costs_one_file_only(forge: Forge, target: Path) -> None:
    bad = forge.node(b"bad", content=(BlobId(b"?" * 32),), size=5)
    report = forge.restore([bad, forge.file(b"good", b"x")], target)
    assert content(target) == {"good": b"x"}
    assert [(problem.path, problem.code) for problem in report.problems] == [(b"bad", "blob-not-found")]
    assert report.exit_code == 4
    assert [event.subject for event in forge.events if isinstance(event, Warned)] == ["bad"]


def test_a_size_that_does_not_fit_is_damage(forge: Forge, target: Path) -> None:
    nodes = [forge.file(b"a", b"1234", size=0), forge.file(b"b", b"1234", b"5678", size=9)]
    report = forge.restore(nodes, target)
    assert {problem.path for problem in report.problems} == {b"a", b"b"}
    assert report.exit_code == 4
    assert content(target) == {"a": b"1234", "b": b"12345678"}


def damage_pack(forge: Forge, blob_id: BlobId) -> None:
    place = forge.index.lookup(BlobType.DATA, blob_id)
    assert place is not None
    backend = forge.repository.backend
    handle = Handle(FileKind.PACK, place.pack.hex())
    broken = bytearray(backend.load(handle))
    broken[place.offset + 20] ^= 1
    backend.remove(handle)
    backend.save(handle, [bytes(broken)])


@pytest.mark.parametrize("local", [False, True])
def test_damaged_content_is_reported_and_looks_unfinished(tmp_path: Path, target: Path, local: bool) -> None:
    backend = LocalBackend(str(tmp_path / "repository")) if local else MemoryBackend("remote")
    forge = Forge(new_repository(backend), pack_bytes=500)
    pieces = [os.urandom(400) for _ in range(4)]
    nodes = [forge.file(b"large", *pieces), forge.file(b"other", b"o" * 100), forge.file(b"small", pieces[1])]
    tree = forge.tree(*nodes)
    forge.snapshot(tree)
    damage_pack(forge, nodes[2].content[0])  # type: ignore[index]
    report = forge.restore(tree, target)
    assert {problem.path for problem in report.problems} == {b"large", b"small"}
    assert report.exit_code == 4
    assert (target / "other").read_bytes() == b"o" * 100
    assert not (target / "small").exists()
    assert (target / "large").stat().st_mtime_ns != TIME_NS
    forge.close()


@pytest.mark.parametrize("vanished", [False, True])
def test_another_copy_is_used(tmp_path: Path, target: Path, vanished: bool) -> None:
    forge = Forge(new_repository(LocalBackend(str(tmp_path / "repository"))), pack_bytes=100)
    piece = os.urandom(400)
    nodes = [forge.file(b"f", piece)]
    forge.snapshot(forge.tree())
    second = Forge(forge.repository, pack_bytes=100)
    second.blob(BlobType.DATA, piece, again=True)
    second.snapshot(second.tree())
    second.close()
    forge.index.sync()
    tree = forge.tree(*nodes)
    forge.snapshot(tree)
    place = forge.index.lookup(BlobType.DATA, nodes[0].content[0])  # type: ignore[index]
    assert place is not None
    assert len(forge.index.lookup_all(BlobType.DATA, nodes[0].content[0])) == 2  # type: ignore[index]
    if vanished:
        forge.repository.backend.remove(Handle(FileKind.PACK, place.pack.hex()))
    else:
        damage_pack(forge, nodes[0].content[0])  # type: ignore[index]
    report = forge.restore(tree, target)
    assert report.problem_count == 0
    assert (target / "f").read_bytes() == piece
    forge.close()


def test_a_blob_of_impossible_size_is_not_even_read(forge: Forge, target: Path) -> None:
    huge = PackedBlob(BlobType.DATA, BlobId(b"h" * 32), 0, 2**20, 2**32 - 1)
    forge.index.add(IndexId(b"i" * 32), [Pack(PackId(b"p" * 32), (huge,))])
    report = forge.restore([forge.node(b"f", content=(huge.id,), size=2**32 - 1)], target)
    assert [problem.code for problem in report.problems] == ["format"]
    assert os.listdir(target) == []


def test_a_snapshot_whose_root_is_gone_is_damage(forge: Forge, target: Path) -> None:
    with pytest.raises(DamageError):
        forge.restore(BlobId(b"?" * 32), target)


# --- the rest ----------------------------------------------------------------------------------------


def test_cancelling_stops(forge: Forge, target: Path) -> None:
    token = CancelToken()
    token.cancel()
    snapshot = forge.snapshot(forge.tree(forge.file(b"f", b"x")))
    with pytest.raises(Interrupted):
        restore_snapshot(forge.repository, forge.index, snapshot, target, RestoreOptions(), cancel=token)


def test_progress_ends_at_the_total(forge: Forge, target: Path) -> None:
    forge.restore([forge.file(b"a", b"x" * 100), forge.folder(b"d")], target)
    last = [event for event in forge.events if isinstance(event, Progress)][-1]
    assert (last.phase, last.items_done, last.bytes_done) == ("restore", 2, 100)


def test_sockets_are_left_out(forge: Forge, target: Path) -> None:
    report = forge.restore([forge.node(b"s", NodeType.SOCKET)], target)
    assert (report.skipped, report.problem_count, os.listdir(target)) == (1, 0, [])


def test_set_ids_can_be_left_out(forge: Forge, target: Path) -> None:
    nodes = [forge.file(b"f", b"x", permissions=0o6755)]
    assert forge.restore(nodes, target / "without", set_ids=False).ignored == 1
    assert stat.S_IMODE((target / "without/f").stat().st_mode) == 0o755
    if os.geteuid() == 0:
        forge.restore(nodes, target / "with")
        assert stat.S_IMODE((target / "with/f").stat().st_mode) == 0o6755


def test_a_setgid_target_does_not_change_groups(forge: Forge, target: Path) -> None:
    target.mkdir()
    if os.geteuid() == 0:
        os.chown(target, 0, 12345)
    target.chmod(0o2755)
    nodes = [forge.file(b"%d" % number, b"x") for number in range(3)]
    forge.restore([*nodes, forge.folder(b"d", forge.file(b"f", b"x"))], target)
    assert {path.stat().st_gid for path in target.rglob("*")} == {os.getegid()}
