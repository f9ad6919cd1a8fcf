"""gzip and zstd: read by the tools of the same names, bounded, and never half."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import zlib

import pytest

from holdfast.archive.gzip_sink import GzipSink
from holdfast.archive.origin import Origin
from holdfast.archive.readers import CheckedReader, GunzipReader, LimitedReader
from holdfast.archive.zstd_sink import ZstdReader, ZstdSink
from holdfast.errors import BackupDamaged, ChecksumMismatch

HERE = Origin("some.gz", "here")


class Collected:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.finished = False

    def write(self, block: bytes, /) -> object:
        self.data += block
        return None

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.data.clear()


def content(size: int, seed: int = 1) -> bytes:
    """Half noise, half repetition."""
    rng = random.Random(seed)
    return b"".join(rng.randbytes(500) + b"repeat" * 83 for _ in range(size // 998 + 1))[:size]


def gzipped(data: bytes, *, threads: int = 2, level: int = 0, step: int = 100_000) -> bytes:
    out = Collected()
    sink = GzipSink(out, level, threads)
    for start in range(0, len(data), step):
        sink.write(data[start : start + step])
    sink.finish()
    assert out.finished
    return bytes(out.data)


@pytest.mark.parametrize("size", [0, 1, 524_287, 524_288, 524_289, 3_000_000])
@pytest.mark.parametrize("threads", [1, 4])
def test_gunzip_and_python_read_it(size: int, threads: int) -> None:
    data = content(size)
    done = gzipped(data, threads=threads)
    assert gzip.decompress(done) == data
    assert subprocess.run(["gunzip", "-c"], input=done, capture_output=True, check=True).stdout == data
    assert GunzipReader(io.BytesIO(done), HERE).read(-1) == data


def test_the_same_content_gives_the_same_bytes_without_name_and_time() -> None:
    data = content(2_000_000)
    assert gzipped(data, threads=1) == gzipped(data, threads=4, step=7_777)
    assert gzipped(data)[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"


def test_it_is_about_as_small_as_in_one_piece() -> None:
    data = content(5_000_000)
    assert len(gzipped(data)) < 1.01 * len(zlib.compress(data, 6))


@pytest.mark.parametrize("level", [1, 6, 9])
def test_levels(level: int) -> None:
    assert gzip.decompress(gzipped(content(100_000), level=level)) == content(100_000)


def test_giving_up_lets_threads_go() -> None:
    out = Collected()
    sink = GzipSink(out, 9, 4)
    sink.write(content(5_000_000))
    sink.abort()
    assert not out.data


def test_several_members_and_padding_are_read_as_one() -> None:
    done = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two") + bytes(600_000)
    assert GunzipReader(io.BytesIO(done), HERE).read(-1) == b"one two"


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 500, -9, -8, -1])
def test_gzip_that_is_cut_is_damaged(cut: int) -> None:
    with pytest.raises(BackupDamaged):
        GunzipReader(io.BytesIO(gzipped(content(100_000))[:cut]), HERE).read(-1)


def test_gzip_that_is_garbled_is_damaged(rng: random.Random) -> None:
    done = gzipped(content(100_000))
    for _ in range(100):
        garbled = bytearray(done)
        at = rng.randrange(10, len(done))
        garbled[at] ^= 1 << rng.randrange(8)
        with pytest.raises(BackupDamaged):
            GunzipReader(io.BytesIO(garbled), HERE).read(-1)


@pytest.mark.parametrize("garbage", [b"garbage", b"\0\0garbage"])
def test_what_follows_the_end_is_not_ignored(garbage: bytes) -> None:
    with pytest.raises(BackupDamaged):
        GunzipReader(io.BytesIO(gzipped(b"x") + garbage), HERE).read(-1)


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_zstd_reads_it(size: int) -> None:
    data, out = content(size), Collected()
    sink = ZstdSink(out)
    sink.write(data[:1000])
    sink.write(data[1000:])
    sink.finish()
    assert subprocess.run(["zstd", "-dc"], input=bytes(out.data), capture_output=True, check=True).stdout == data
    assert ZstdReader(io.BytesIO(out.data), HERE).read(-1) == data
    reader = ZstdReader(io.BytesIO(out.data), HERE)
    assert b"".join(iter(lambda: reader.read(1000), b"")) == data


def test_zstd_that_is_cut_or_garbled_is_damaged(rng: random.Random) -> None:
    out = Collected()
    sink = ZstdSink(out)
    sink.write(content(300_000))
    sink.finish()
    for cut in (0, 3, 1000, len(out.data) - 1):
        with pytest.raises(BackupDamaged):
            ZstdReader(io.BytesIO(out.data[:cut]), HERE).read(-1)
    for _ in range(50):
        garbled = bytearray(out.data)
        garbled[rng.randrange(4, len(garbled))] ^= 1 << rng.randrange(8)
        try:
            found = ZstdReader(io.BytesIO(garbled), HERE).read(-1)
        except BackupDamaged:
            continue
        assert found == content(300_000)  # a bit that means nothing


def test_a_bomb_goes_no_further_than_what_was_packed() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    reader = LimitedReader(GunzipReader(io.BytesIO(bomb), HERE), HERE, 1_000_000)
    read: list[int] = []
    with pytest.raises(BackupDamaged):
        read.extend(iter(lambda: len(reader.read(65_536)), 0))
    assert sum(read) <= 1_000_000


def test_a_checksum_is_compared_at_the_end_at_the_latest() -> None:
    reader = CheckedReader(io.BytesIO(b"other content"), HERE, "0" * 64)
    assert reader.read(5) == b"other"
    with pytest.raises(ChecksumMismatch):
        list(iter(lambda: reader.read(5), b""))
