"""Files and archives written to a stream."""

from __future__ import annotations

import io
import random
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest

from forge_kit import Forge, dir_node, file_node, overwrite, sample, stored
from holdfast.errors import DamageError, FormatError, Interrupted, PathNotFound
from holdfast.model.node import Node, NodeType
from holdfast.protocols import FileKind
from holdfast.repository.dump import DumpReport, dump
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.resolve import resolve_directory
from holdfast.runtime.cancel import CancelToken

NS = 10**9


class Pipe(io.RawIOBase):
    """A stream that can only be written to, once, from the beginning."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = bytes(memoryview(data))  # type: ignore[arg-type]
        self.parts.append(content)
        return len(content)

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)


def dumped(forge: Forge, path: bytes = b"/", where: str = "latest", **options: object) -> tuple[bytes, DumpReport]:
    """What a dump writes."""
    with Index(forge.repository, private=True) as index:
        index.sync()
        reader = Reader(forge.repository, index)
        pipe = Pipe()
        stream: BinaryIO = pipe  # type: ignore[assignment]
        report = dump(reader, resolve_directory(reader, where), path, stream, **options)  # type: ignore[arg-type]
    return pipe.content, report


def zoo(forge: Forge) -> dict[bytes, bytes]:
    """A snapshot with every kind of entry. Returns the contents of its files."""
    rng = random.Random(7)
    pieces = [rng.randbytes(50_000) for _ in range(9)]
    nodes = [
        Node(name=b"block", type=NodeType.BLOCK_DEVICE, mode=1 << 26 | 0o660, device=(8 << 8) | 1),
        Node(name=b"char", type=NodeType.CHAR_DEVICE, mode=1 << 26 | 1 << 21 | 0o666, device=259),
        dir_node(b"dir", forge.tree([forge.file(b"inner", b"inner content", uid=1000, user="me", group="us")])),
        Node(name=b"fifo", type=NodeType.FIFO, mode=1 << 25 | 0o644),
        file_node(b"large", [forge.data(piece) for piece in pieces], 450_000, mtime_ns=-NS - NS // 4),
        Node(name=b"link", type=NodeType.SYMLINK, mode=1 << 27 | 0o777, linktarget=b"dir/inner\xff"),
        forge.file(b"n" * 255, b"long name", mtime_ns=123_456_789_012_345_678),
        Node(name=b"socket", type=NodeType.SOCKET, mode=1 << 24 | 0o755),
        forge.file(b"x\xff\n", b"odd name", xattrs=((b"user.bytes", b"\0\xff"), (b"user.text", b"words"))),
    ]
    forge.finish(forge.tree(nodes))
    return {
        b"dir/inner": b"inner content",
        b"large": b"".join(pieces),
        b"n" * 255: b"long name",
        b"x\xff\n": b"odd name",
    }


def test_a_file_is_written_as_it_was() -> None:
    forge = Forge()
    contents = zoo(forge)
    for path, content in contents.items():
        written, report = dumped(forge, b"/" + path)
        assert written == content
        assert (report.entries, report.content_bytes) == (1, len(content))


def test_a_file_below_a_named_folder() -> None:
    forge = Forge()
    zoo(forge)
    assert dumped(forge, b"inner", "latest:/dir")[0] == b"inner content"


def test_tar_keeps_everything() -> None:
    forge = Forge()
    contents = zoo(forge)
    written, report = dumped(forge)
    assert (report.entries, report.skipped) == (9, 1)
    with tarfile.open(fileobj=io.BytesIO(written), encoding="utf-8", errors="surrogateescape") as archive:
        members = {member.name.encode("utf-8", "surrogateescape"): member for member in archive}
        for path, content in contents.items():
            reading = archive.extractfile(members[path])
            assert reading is not None
            assert reading.read() == content
    assert members[b"link"].linkname.encode("utf-8", "surrogateescape") == b"dir/inner\xff"
    assert members[b"fifo"].isfifo()
    assert (members[b"block"].isblk(), members[b"block"].devmajor, members[b"block"].devminor) == (True, 8, 1)
    assert (members[b"char"].devmajor, members[b"char"].devminor) == (1, 3)
    inner = members[b"dir/inner"]
    assert (inner.uid, inner.uname, inner.gname, inner.mode) == (1000, "me", "us", 0o644)
    assert members[b"n" * 255].pax_headers["mtime"] == "123456789.012345678"
    assert float(members[b"large"].mtime) == -1.25
    xattrs = members[b"x\xff\n"].pax_headers
    assert xattrs["SCHILY.xattr.user.bytes"].encode("utf-8", "surrogateescape") == b"\0\xff"


def test_a_folder_is_archived_under_its_full_path() -> None:
    forge = Forge()
    zoo(forge)
    with tarfile.open(fileobj=io.BytesIO(dumped(forge, b"/dir")[0])) as archive:
        assert archive.getnames() == ["dir/inner"]
    with tarfile.open(fileobj=io.BytesIO(dumped(forge, b"", "latest:dir")[0])) as archive:
        assert archive.getnames() == ["dir/inner"]


def test_zip_keeps_files_folders_and_links() -> None:
    forge = Forge()
    contents = zoo(forge)
    written, report = dumped(forge, archive="zip")
    assert (report.entries, report.skipped) == (6, 4)
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.testzip() is None
        assert archive.read("large") == contents[b"large"]
        assert archive.read("x\\xff\n") == b"odd name"
        assert archive.read("link") == b"dir/inner\xff"
        assert stat.S_ISLNK(archive.getinfo("link").external_attr >> 16)
        assert archive.getinfo("dir/").is_dir()
        assert archive.getinfo("large").date_time == (1980, 1, 1, 0, 0, 0)


def test_an_empty_snapshot_is_an_empty_archive() -> None:
    forge = Forge()
    forge.finish(forge.tree([]))
    with tarfile.open(fileobj=io.BytesIO(dumped(forge)[0])) as archive:
        assert archive.getnames() == []
    assert zipfile.ZipFile(io.BytesIO(dumped(forge, archive="zip")[0])).namelist() == []


@pytest.mark.parametrize("path", [b"/nothing", b"/link", b"/fifo"])
def test_what_is_neither_file_nor_folder_is_refused(path: bytes) -> None:
    forge = Forge()
    zoo(forge)
    with pytest.raises(PathNotFound):
        dumped(forge, path)


@pytest.mark.parametrize("archive", ["tar", "zip"])
@pytest.mark.parametrize("size", [3, 7])
def test_a_file_of_another_size_than_its_content_is_an_error(archive: str, size: int) -> None:
    forge = Forge()
    forge.finish(forge.tree([file_node(b"f", [forge.data(b"12345")], size)]))
    with pytest.raises(FormatError):
        dumped(forge, b"/f")
    with pytest.raises(FormatError):
        dumped(forge, archive=archive)


def test_damage_is_an_error_and_never_other_bytes(tmp_path: Path) -> None:
    forge = Forge()
    sample(forge)
    whole, _ = dumped(forge)
    for handle, content in stored(forge.repository, FileKind.PACK).items():
        damaged = bytearray(content)
        damaged[len(damaged) // 3] ^= 1
        overwrite(forge.repository, handle, bytes(damaged))
        with pytest.raises(DamageError):
            dumped(forge)
        overwrite(forge.repository, handle, content)
    assert dumped(forge)[0] == whole


def test_a_cancelled_dump_stops() -> None:
    forge = Forge()
    zoo(forge)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Interrupted):
        dumped(forge, cancel=cancel)
