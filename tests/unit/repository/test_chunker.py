"""Cutting streams into chunks."""

from __future__ import annotations

import io
import os
import random
from hashlib import sha256

import pytest

from holdfast.model.repository_config import RepositoryConfig
from holdfast.repository.backup import chunker
from holdfast.repository.backup.streams import FileBlocks, StreamBlocks

BLOCK = chunker.ZERO_BLOCK_BYTES


def _cut(data: bytes, size: int = 0, seed: int = 7) -> list[bytes]:
    cut = chunker.fixed(size) if size else chunker.content_defined(seed)
    out: list[bytes] = []
    for piece in chunker.chunks(StreamBlocks(io.BytesIO(data)), lambda _head: cut):
        if isinstance(piece, chunker.ZeroRun):
            out += [chunker.ZERO_BLOCK] * piece.blocks
        else:
            out.append(piece)
    return out


@pytest.mark.parametrize("length", [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17, 40 * BLOCK + 3])
def test_chunks_together_are_the_stream(length: int) -> None:
    data = random.Random(length).randbytes(length)
    pieces = _cut(data)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= chunker.MAX_BYTES for piece in pieces)


def test_a_long_random_stream_is_cut_by_content_with_the_promised_sizes() -> None:
    data = random.Random(1).randbytes(48 << 20)
    pieces = _cut(data)
    assert b"".join(pieces) == data
    assert all(len(piece) >= chunker.MIN_BYTES for piece in pieces[:-1])
    assert 20 < len(pieces) < 60


def test_an_insertion_moves_only_the_chunks_around_it() -> None:
    data = random.Random(2).randbytes(32 << 20)
    before = {sha256(piece).digest() for piece in _cut(data)}
    changed = _cut(data[:9_000_000] + b"inserted" + data[9_000_000:])
    new = [piece for piece in changed if sha256(piece).digest() not in before]
    assert len(new) <= 3


def test_cutting_does_not_depend_on_how_the_stream_arrives() -> None:
    class Drip(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.data, self.at, self.random = data, 0, random.Random(3)

        def read(self, size: int = -1) -> bytes:
            take = self.data[self.at : self.at + min(size, self.random.randint(1, 70_000))]
            self.at += len(take)
            return take

    data = random.Random(4).randbytes(20 << 20)
    cut = chunker.content_defined(7)
    drip = list(chunker.chunks(StreamBlocks(Drip(data)), lambda _head: cut))
    assert drip == _cut(data)


def test_zero_runs_become_the_blob_that_restic_knows_as_a_hole() -> None:
    data = b"head" * BLOCK + bytes(3 * BLOCK) + b"tail"
    pieces = _cut(data)
    assert pieces.count(chunker.ZERO_BLOCK) == 3
    assert b"".join(pieces) == data
    assert chunker.ZERO_BLOCK_ID.hex() == "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541"


def test_holes_of_a_sparse_file_are_not_read(tmp_path: object) -> None:
    path = f"{tmp_path}/sparse"
    with open(path, "wb") as file:
        file.write(b"begin")
        file.seek(1 << 40)
        file.write(b"end")
    descriptor = os.open(path, os.O_RDONLY)
    status = os.fstat(descriptor)
    runs, size = 0, 0
    for piece in chunker.chunks(FileBlocks(descriptor, status.st_size, sparse=True), lambda _h: chunker.fixed(32768)):
        if isinstance(piece, chunker.ZeroRun):
            runs += 1
            size += piece.blocks * BLOCK
        else:
            size += len(piece)
    os.close(descriptor)
    assert size == status.st_size
    assert runs <= 3


def test_seeds_differ_between_repositories_and_fit_the_chunker() -> None:
    seeds = set()
    for number in range(200):
        config = RepositoryConfig(version=2, id=sha256(bytes([number])).digest(), chunker_polynomial=0x3DA3358B4DC173)
        seed = chunker.seed_of(config)
        assert 0 <= seed < 1 << 63
        chunker.content_defined(seed)
        seeds.add(seed)
    assert len(seeds) == 200


@pytest.mark.parametrize(
    ("head", "path", "size"),
    [
        (b"SQLite format 3\x00\x10\x00" + bytes(20), b"/app.db", 32768),
        (b"SQLite format 3\x00\x00\x01" + bytes(20), b"/app.db", 65536),
        (b"SQLite format 3\x00\x00\x07" + bytes(20), b"/app.db", 32768),
        (bytes(32), b"/var/lib/mysql/shop/orders.ibd", 32768),
        (bytes(32), b"/var/lib/mysql/ibdata1", 32768),
        (bytes(32), b"/var/lib/postgresql/15/main/base/16384/2619_fsm", 32768),
        (bytes(32), b"/home/base/photo.jpg", 0),
        (b"", b"/empty", 0),
    ],
)
def test_database_files_are_recognised(head: bytes, path: bytes, size: int) -> None:
    assert chunker.database_chunk_bytes(head, path) == size
