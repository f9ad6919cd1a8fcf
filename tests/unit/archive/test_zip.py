"""zip: what we write is opened by unzip and by Python, and read as a stream."""

from __future__ import annotations

import io
import random
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from holdfast.archive.origin import Origin
from holdfast.archive.zip_foreign import ForeignZip
from holdfast.archive.zip_reader import ZipReader
from holdfast.archive.zip_writer import ZipWriter
from holdfast.errors import BackupDamaged, DamageError, UnsafePath
from holdfast.model.node import NodeType
from holdfast.testing.target_content import Item, directory, file, symlink

HERE = Origin("some.zip", "here")
ITEMS = [
    directory(b"config"),
    file(b"config/.env", b"SECRET=1\n", permissions=0o600),
    file("config/ü پشتیبان.json".encode(), b"{}" * 100_000),
    file(b"empty", b""),
    file(b"run.sh", b"#!/bin/sh\n", permissions=0o755),
    symlink(b"link", b"config/.env"),
]


def packed(items: list[Item], *, level: int = 6, large: bool = False) -> bytes:
    """A zip of these entries."""
    out = io.BytesIO()
    archive = ZipWriter(out.write, level)
    for item in items:
        name = item.path.decode() + ("/" if item.node.type is NodeType.DIR else "")
        archive.begin(name, item.node, large=large)
        content = item.content or item.node.linktarget
        archive.write(content[:7])
        archive.write(content[7:])
        archive.end()
    archive.finish(b"a comment")
    return out.getvalue()


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents, read as a stream."""
    return [(one.name, one.content.read()) for one in ZipReader(io.BytesIO(data), HERE).members()]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("level", [0, 6])
def test_unzip_and_python_open_it(tmp_path: Path, large: bool, level: int) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(packed(ITEMS, large=large, level=level))
    tested = subprocess.run(["unzip", "-tqq", path], capture_output=True, check=False)
    assert (tested.returncode, tested.stdout, tested.stderr) == (0, b"", b"")
    subprocess.run(
        ["unzip", "-q", path, "-d", tmp_path / "out"], check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin"}
    )
    for item in ITEMS:
        there = tmp_path / "out" / item.path.decode()
        if item.node.type is NodeType.FILE:
            assert there.read_bytes() == item.content
            assert stat.S_IMODE(there.stat().st_mode) == item.node.mode & 0o777
            assert int(there.stat().st_mtime) == item.node.mtime_ns // 10**9
    assert (tmp_path / "out/link").readlink() == Path("config/.env")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment == b"a comment"
        assert archive.read("config/.env") == b"SECRET=1\n"


@pytest.mark.parametrize("large", [False, True])
def test_it_is_read_as_a_stream(large: bool) -> None:
    found = dict(members(packed(ITEMS, large=large)))
    assert found["config/ü پشتیبان.json"] == b"{}" * 100_000
    assert list(found) == ["config/", "config/.env", "config/ü پشتیبان.json", "empty", "run.sh", "link"]


def test_members_that_are_not_read_are_passed_over() -> None:
    data = packed(ITEMS)
    assert [one.name for one in ZipReader(io.BytesIO(data), HERE).members()][-1] == "link"


def test_more_members_than_the_old_format_counts(tmp_path: Path) -> None:
    out = io.BytesIO()
    archive = ZipWriter(out.write, 1)
    one = file(b"x", b"").node
    for number in range(65_600):
        archive.begin(f"{number}", one, large=False)
        archive.end()
    archive.finish()
    with zipfile.ZipFile(out) as found:
        assert len(found.namelist()) == 65_600
    assert sum(1 for _ in ZipReader(io.BytesIO(out.getvalue()), HERE).members()) == 65_600


def test_a_zip_that_is_cut_anywhere_is_damaged(rng: random.Random) -> None:
    data = packed(ITEMS)
    for cut in {0, 1, 4, 30, len(data) - 40, *(rng.randrange(len(data) - 40) for _ in range(60))}:
        with pytest.raises(BackupDamaged):
            members(data[:cut])


def test_flipped_bits_in_content_are_noticed_and_none_crashes(rng: random.Random) -> None:
    data = packed(ITEMS)
    for _ in range(300):
        garbled = bytearray(data)
        garbled[rng.randrange(len(garbled))] ^= 1 << rng.randrange(8)
        try:
            found = members(bytes(garbled))
        except DamageError:
            continue
        assert [content for _, content in found] == [content for _, content in members(data)]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_zips_of_other_programs(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a/b.txt", b"content" * 1000)
        archive.writestr("a/c/", b"")
        archive.writestr("top", b"1")
    found = []
    for entry in ForeignZip(lambda: io.BytesIO(out.getvalue()), HERE).entries():
        found.append((entry.path, entry.open().read() if entry.open else None))
    assert found == [(b"", None), (b"a", None), (b"a/b.txt", b"content" * 1000), (b"a/c", None), (b"top", b"1")]


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up"])
def test_hostile_names_are_refused(name: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(UnsafePath):
        list(ForeignZip(lambda: io.BytesIO(out.getvalue()), HERE).entries())
