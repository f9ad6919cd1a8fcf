"""tar: what we write is restored whole by GNU tar, what others write is read, and nothing hostile gets through."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from holdfast.archive.origin import Origin
from holdfast.archive.tar_reader import TarReader
from holdfast.archive.tar_writer import TarWriter
from holdfast.errors import BackupDamaged, DamageError, UnsafePath
from holdfast.format.mode import to_permissions
from holdfast.model.component import Problem
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry
from holdfast.testing.target_compare import facts
from holdfast.testing.target_content import Item, directory, file, node, small_tree, special, symlink, zoo

HERE = Origin("some.tar", "here")


def packed(items: list[Item], problems: list[Problem] | None = None) -> bytes:
    """A tar of these entries."""
    out = io.BytesIO()
    noted: list[Problem] = [] if problems is None else problems
    tar = TarWriter(out.write, noted.append)
    for item in items:
        tar.begin(Entry(path=item.path, node=item.node))
        if item.node.type is NodeType.FILE:
            tar.write(item.content)
            tar.end()
    tar.finish()
    return out.getvalue()


def entries(data: bytes, *, trusted: bool = True) -> list[tuple[Entry, bytes]]:
    """Everything in a tar, with content."""
    found = []
    for entry in TarReader(lambda: io.BytesIO(data), HERE, trusted=trusted).entries():
        found.append((entry, entry.open().read() if entry.open else b""))
    return found


def unpack(data: bytes, folder: Path) -> None:
    folder.mkdir()
    done = subprocess.run(
        ["tar", "-xf", "-", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-p", "--warning=no-timestamp"],
        input=data,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_gnu_tar_restores_every_kind_of_entry_without_a_word(tmp_path: Path) -> None:
    made = zoo()
    unpack(packed(list(made.items)), tmp_path / "out")
    for item in made.items[1:]:
        path = os.path.join(os.fsencode(tmp_path / "out"), item.path)
        status = os.lstat(path)
        assert status.st_mtime_ns == item.node.mtime_ns, item.path
        assert (status.st_uid, status.st_gid) == (item.node.uid, item.node.gid), item.path
        if item.node.type is not NodeType.SYMLINK:
            assert status.st_mode & 0o7777 == to_permissions(item.node.mode), item.path
        if item.node.type is NodeType.FILE:
            assert Path(os.fsdecode(path)).read_bytes() == item.content
        if item.node.type is NodeType.SYMLINK:
            assert os.readlink(path) == item.node.linktarget
        for name, value in item.node.xattrs:
            assert os.getxattr(path, name) == value
        if item.node.device:
            assert status.st_rdev == item.node.device
    first, second = (os.stat(tmp_path / "out/zoo" / name) for name in ("first link", "second link"))
    assert first.st_ino == second.st_ino
    assert first.st_nlink == 2


def test_unpacking_leaves_the_directory_in_which_one_unpacks_alone(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    unpack(packed([directory(b""), directory(b"storage"), file(b"storage/a", b"1")]), folder)
    before = folder.stat()
    subprocess.run(["tar", "-xf", "-"], input=packed([directory(b""), file(b"b", b"2")]), cwd=folder, check=True)
    assert folder.stat().st_mode == before.st_mode
    assert folder.stat().st_uid == before.st_uid != directory(b"").node.uid


def test_python_reads_it_too() -> None:
    data = packed(list(small_tree().items))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames()[0] == "storage"
        assert tar.extractfile("storage/a.txt").read() == b"first"  # type: ignore[union-attr]


def test_what_is_written_is_read() -> None:
    made = zoo()
    found = entries(packed(list(made.items)))
    assert [entry.path for entry, _ in found] == [item.path for item in made.items]
    for (entry, content), item in zip(found, made.items, strict=True):
        assert facts(entry.node) == facts(item.node), item.path
        assert content == item.content


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 10_240, 100_001])
def test_sizes_around_blocks(size: int) -> None:
    content = random.Random(size).randbytes(size)
    data = packed([file(b"f", content), file(b"g", b"next")])
    assert len(data) % 10_240 == 0
    assert [one for _, one in entries(data)] == [b"", content, b"next"]


def test_a_file_that_shrank_is_padded_and_one_that_grew_is_cut() -> None:
    out, problems = io.BytesIO(), []
    tar = TarWriter(out.write, problems.append)
    for name, size, content in ((b"shrank", 1000, b"x" * 10), (b"grew", 10, b"y" * 1000), (b"fine", 2, b"ok")):
        tar.begin(Entry(path=name, node=file(name, bytes(size)).node))
        tar.write(content[:5])
        tar.write(content[5:])
        tar.end()
    tar.finish()
    found = {entry.path: content for entry, content in entries(out.getvalue())}
    assert found[b"shrank"] == b"x" * 10 + bytes(990)
    assert found[b"grew"] == b"y" * 10
    assert found[b"fine"] == b"ok"
    assert [problem.subject for problem in problems] == ["shrank", "grew"]
    assert {problem.code for problem in problems} == {"changed-while-read"}


def test_a_size_that_nobody_knew(tmp_path: Path) -> None:
    out = io.BytesIO()
    tar = TarWriter(out.write, lambda _: None)
    tar.begin(Entry(path=b"stream", node=node(b"stream"), size_known=False))
    for _ in range(50):
        tar.write(b"z" * 100_000)
    tar.end()
    tar.finish()
    assert entries(out.getvalue())[1][1] == b"z" * 5_000_000


def test_a_socket_is_left_out_and_told() -> None:
    problems: list[Problem] = []
    found = entries(packed([file(b"a", b"1"), special(b"s", NodeType.SOCKET), file(b"t", b"2")], problems))
    assert [entry.path for entry, _ in found] == [b"", b"a", b"t"]
    assert [(problem.code, problem.subject) for problem in problems] == [("not-archived", "s")]


def test_a_size_beyond_8_gib_is_announced_in_full() -> None:
    from holdfast.archive.tar_header import member

    head = member(b"large", node(b"large"), size_bytes=9 * 1024**3)
    info = tarfile.TarInfo.frombuf(head[:512], "utf-8", "strict")
    assert info.type == tarfile.XHDTYPE
    assert b"size=9663676416\n" in head


@pytest.mark.parametrize("how", ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
def test_archives_of_gnu_tar_in_every_format(tmp_path: Path, how: str) -> None:
    source = tmp_path / "data"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / ("n" * 60 if how in {"v7", "ustar"} else "n" * 150)).write_bytes(b"long name")
    (source / "a").write_bytes(b"content" * 10_000)
    os.link(source / "a", source / "z link")
    os.symlink("a", source / "s")
    with open(source / "sparse", "wb") as sparse:
        sparse.truncate(3_000_000)
        sparse.seek(1_000_000)
        sparse.write(b"island")
    flags = [] if how in {"v7", "ustar"} else ["--sparse"]
    data = subprocess.run(
        ["tar", f"--format={how}", *flags, "-cf", "-", "."], cwd=source, capture_output=True, check=True
    )
    found = {entry.path: (entry, content) for entry, content in entries(data.stdout, trusted=False)}
    assert set(found) == {b"", b"a", b"z link", b"s", b"sparse", b"sub"} | {
        path for path in found if path.startswith(b"sub/n")
    }
    assert found[b"a"][1] == found[b"z link"][1] == b"content" * 10_000
    assert found[b"s"][0].node.linktarget == b"a"
    assert found[b"sparse"][1] == (source / "sparse").read_bytes()


def plain_files() -> bytes:
    """An archive without extended headers, whose members end where others begin."""
    return packed([file(name, name * 700).but(mtime_ns=1_700_000_000_000_000_000) for name in (b"a", b"b", b"c")])


def test_an_archive_that_is_cut_at_any_block_is_damaged() -> None:
    data = plain_files()
    for end in range(0, len(data.rstrip(b"\0")), 512):
        with pytest.raises(BackupDamaged):
            entries(data[:end])


def test_a_garbled_header_is_damage_and_not_the_end() -> None:
    data = plain_files()
    for name in (b"a", b"b", b"c"):
        garbled = bytearray(data)
        garbled[data.index(name + bytes(99)) + 3] ^= 1
        with pytest.raises(BackupDamaged):
            entries(bytes(garbled))


def test_flipped_bits_never_crash_the_reader(rng: random.Random) -> None:
    data = packed([*small_tree().items[:3], *zoo().items[1:]])
    for _ in range(300):
        garbled = bytearray(data)
        garbled[rng.randrange(len(garbled))] ^= 1 << rng.randrange(8)
        try:
            entries(bytes(garbled))
        except (DamageError, UnsafePath):
            continue


@pytest.mark.parametrize(
    "build",
    [
        lambda tar: tar.addfile(tarfile.TarInfo("/etc/passwd")),
        lambda tar: tar.addfile(tarfile.TarInfo("../outside")),
        lambda tar: tar.addfile(tarfile.TarInfo("a/../../outside")),
        lambda tar: _link(tar, tarfile.LNKTYPE, "x", "/etc/passwd"),
        lambda tar: _link(tar, tarfile.LNKTYPE, "x", "../up"),
        lambda tar: (_link(tar, tarfile.SYMTYPE, "d", "/etc"), tar.addfile(tarfile.TarInfo("d/passwd"))),
        lambda tar: _link(tar, tarfile.CHRTYPE, "null", ""),
        lambda tar: _link(tar, tarfile.BLKTYPE, "disk", ""),
    ],
)
def test_hostile_members_are_refused(build: object) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        build(tar)  # type: ignore[operator]
    with pytest.raises(UnsafePath):
        entries(out.getvalue(), trusted=False)


def _link(tar: tarfile.TarFile, kind: bytes, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    tar.addfile(info)


def test_an_extended_header_cannot_ask_for_all_memory() -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 7 * 1024**3
    stream = _Endless(info.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(BackupDamaged):
        list(TarReader(lambda: stream, HERE).entries())
    assert stream.given < 10_000_000


class _Endless:
    """A head, then zeros without end, as a bomb unpacks to them."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self._head or bytes(size)
        self._head = b""
        self.given += len(block)
        if self.given > 500_000_000:
            raise MemoryError
        return block

    def close(self) -> None:
        pass


def test_a_link_to_nothing_is_damage() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _link(tar, tarfile.LNKTYPE, "x", "nowhere")
    with pytest.raises(BackupDamaged):
        entries(out.getvalue())


def test_a_symlink_on_top_of_a_directory_of_the_same_name_does_not_open_a_way_out() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("d")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
        _link(tar, tarfile.SYMTYPE, "d", "/etc")
        tar.addfile(tarfile.TarInfo("d/x"))
    with pytest.raises(UnsafePath):
        entries(out.getvalue())


def test_long_symlink_targets_and_empty_trees() -> None:
    data = packed([directory(b""), symlink(b"l", b"t" * 300)])
    assert entries(data)[1][0].node.linktarget == b"t" * 300
    (root,) = entries(packed([directory(b"")]))
    assert facts(root[0].node) == facts(directory(b"").node)
    assert [entry.path for entry, _ in entries(packed([]))] == [b""]
