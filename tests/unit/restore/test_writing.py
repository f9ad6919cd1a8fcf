"""Writing blobs, and leaving zeros out."""

from __future__ import annotations

import os
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.repository.restore.writing import is_zero, write_at


def test_zeros_are_told_from_the_rest() -> None:
    for size in (1, 2, 4095, 65536, 65537, 1 << 20, (1 << 20) + 7):
        assert is_zero(bytes(size))
        for position in (0, size // 2, size - 1):
            data = bytearray(size)
            data[position] = 1
            assert not is_zero(bytes(data))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), min_size=1, max_size=6),
    st.integers(0, 200_000),
    st.booleans(),
)
def test_sparse_writing_changes_blocks_and_never_bytes(runs: list[tuple[bool, int]], offset: int, sparse: bool) -> None:
    data = b"".join((bytes(length) if zero else random.Random(length).randbytes(length)) for zero, length in runs)
    fd = os.memfd_create("test")
    try:
        write_at(fd, data, offset, sparse)
        assert os.fstat(fd).st_size == offset + len(data)
        assert os.pread(fd, len(data) + 1, offset) == data
    finally:
        os.close(fd)


def test_sparse_writing_saves_space(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    write_at(fd, b"x" * 10 + bytes(4 << 20) + b"y", 0, True)
    assert os.fstat(fd).st_blocks * 512 < 1 << 20
    os.close(fd)
