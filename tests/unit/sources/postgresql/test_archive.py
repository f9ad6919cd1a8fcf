"""The custom format of pg_dump, read on its way."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.sources.line_ends import count_line_ends
from holdfast.sources.postgresql_archive import ArchiveJudge
from holdfast.sources.postgresql_names import TableName, Thing

ROWS = [b"1\tone\n", b"2\ttwo\n", b"\n", b"x" * 3000 + b"\n"]


def number(value: int | None) -> bytes:
    return struct.pack("<BI", (value is not None and value < 0) or value is None, abs(-1 if value is None else value))


def text(value: bytes | None) -> bytes:
    return number(None) if value is None else number(len(value)) + value


def entry(minor: int, at: int, kind: bytes, tag: bytes, *, copy: bytes | None = None, data: bool = False) -> bytes:
    parts = [number(at), number(data), text(b"1259"), text(b"16384"), text(tag), text(kind), number(2)]
    parts += [text(b"CREATE"), text(b"DROP"), text(copy), text(b"public"), text(b"")]
    parts += [text(b"heap")] if minor >= 14 else []
    parts += [number(114)] if minor >= 16 else []
    parts += [text(b"me"), text(b"false"), text(b"7"), text(None), b"\1" + bytes(8)]
    return b"".join(parts)


def archive(minor: int = 14, *, compression: int = 0, end: bytes = b"\\.\n\n\n", pieces: int = 0) -> bytes:
    """An archive as pg_dump writes it, by an independent hand."""
    head = b"PGDMP" + bytes([1, minor, 0, 4, 8, 1])
    head += bytes([compression]) if minor >= 15 else number(-1 if compression else 0)
    head += b"".join(number(value) for value in (1, 2, 3, 4, 5, 126, 0)) + text(b"db") + text(b"15.1") + text(b"15.2")
    entries = [
        entry(minor, 1, b"TABLE", b"t"),
        entry(minor, 2, b"TABLE DATA", b"t", copy=b"COPY public.t (a) FROM stdin;\n", data=True),
        entry(minor, 3, b"TABLE DATA", b"e", copy=b"COPY public.e FROM stdin;\n", data=True),
        entry(minor, 4, b"BLOBS", b"BLOBS", data=True),
        entry(minor, 5, b"INDEX", b"i"),
    ]
    content = b"".join(ROWS) + end
    parts = [content[at : at + pieces] for at in range(0, len(content), pieces)] if pieces else [*ROWS, end]
    blocks = b"\1" + number(2) + b"".join(number(len(part)) + part for part in parts) + number(0)
    blocks += b"\1" + number(3) + number(5) + b"\\.\n\n\n" + number(0)
    large = number(16400) + number(3) + b"abc" + number(0) + number(16401) + number(0) + number(0)
    return head + number(len(entries)) + b"".join(entries) + blocks + b"\3" + number(4) + large


def judged(content: bytes, block: int = 1 << 20) -> ArchiveJudge:
    judge = ArchiveJudge()
    for at in range(0, len(content), block):
        judge.feed(content[at : at + block])
    judge.finish()
    return judge


@pytest.mark.parametrize("minor", range(12, 17))
@pytest.mark.parametrize("pieces", [0, 1, 7, 4096])
@pytest.mark.parametrize("block", [1, 13, 1 << 20])
def test_every_version_in_any_pieces(minor: int, pieces: int, block: int) -> None:
    judge = judged(archive(minor, pieces=pieces), block)
    assert judge.rows == {TableName("public", "t"): 4, TableName("public", "e"): 0}
    assert judge.large_objects == 2
    assert judge.version == f"1.{minor}.0"
    assert Thing("INDEX", "public", "i") in judge.things


@pytest.mark.parametrize("pieces", [0, 100])
def test_no_cut_is_whole(pieces: int) -> None:
    whole = archive(pieces=pieces)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r".+"):
            judged(whole[:length])


@given(st.integers(12, 16), st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_what_is_found_does_not_depend_on_blocks(minor: int, sizes: list[int]) -> None:
    whole, judge, at = archive(minor), ArchiveJudge(), 0
    for size in sizes * (1 + len(whole) // sum(sizes)):
        judge.feed(whole[at : at + size])
        at += size
    judge.finish()
    assert judge.rows[TableName("public", "t")] == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PGDUMP" + bytes(100), "not a dump in the custom format"),
        (archive().replace(b"PGDMP\1\x0e", b"PGDMP\1\x20", 1), r"version 1\.32\.0"),
        (archive().replace(b"PGDMP\1\x0e\0\4", b"PGDMP\1\x0e\0\x08", 1), "version"),
        (archive(14, compression=6), "compressed"),
        (archive(15, compression=1), "compressed"),
        (archive(end=b"\n"), "no end mark"),
        (archive(end=b"\\.\n\n"), "no end mark"),
        (archive() + b"\1", "ends before its end"),
        (archive() + b"\1" + number(2) + number(0), "does not announce, or twice"),
        (archive() + b"\1" + number(9) + number(0), "does not announce, or twice"),
        (archive().replace(b"COPY public.e", b"COPY public.t", 1), "twice"),
        (archive().replace(b"\3" + number(4) + number(16400), b"\5" + number(4) + number(16400), 1), "unknown kind 5"),
    ],
)
def test_what_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        judged(content)


def test_lengths_that_hold_line_ends_count_for_nothing(rng: random.Random) -> None:
    sizes = [10, 266, 2560, 2570, 2815, 65535, 65536, 68362, 1, 2, 5, 6, 400]
    rows = [bytes(rng.choice(sizes) - 1) + b"\n" for _ in range(200)]
    head, _, rest = archive().partition(b"\1" + number(2))
    data = b"".join(number(len(row)) + row for row in [*rows, b"\\.\n", b"\n\n"]) + number(0)
    whole = head + b"\1" + number(2) + data + rest[rest.index(b"\1" + number(3)) :]
    for block in (1000, 65541, 1 << 20):
        assert judged(whole, block).rows[TableName("public", "t")] == len(rows)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 40))), st.integers(0, 50))
def test_line_ends_are_counted_however_long_the_lines(lines: list[tuple[int, int]], begin: int) -> None:
    data = b"".join((b"x" * length + b"\n") * times for length, times in lines)
    assert count_line_ends(data, begin, len(data)) == data.count(b"\n", begin)
    assert count_line_ends(data, 0, len(data) // 2) == data.count(b"\n", 0, len(data) // 2)


def test_random_damage_is_never_a_crash_or_a_full_memory(rng: random.Random) -> None:
    whole = archive()
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            judged(bytes(damaged))
        except ValueError:
            continue


def test_a_large_piece_is_not_kept() -> None:
    judge = ArchiveJudge()
    head, _, rest = archive().partition(b"\1" + number(2))
    judge.feed(head + b"\1" + number(2) + number(50_000_000))
    for _ in range(50):
        judge.feed(bytes(1_000_000))
        assert len(judge._buffer) < 10
    judge.feed(rest)
    judge.finish()
