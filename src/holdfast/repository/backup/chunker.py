"""Cutting streams into chunks; which way depends on what the stream is.

Files and dumps are cut by content (FastCDC), so that an insertion does not shift everything behind it. Database
files are cut at fixed, page-aligned places: their pages change where they stand, and small chunks keep the rest.
Whole zero blocks become blobs of 512 KiB whatever the stream is.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple, Protocol

from holdfast.model.repository_config import RepositoryConfig

ZERO_BLOCK_BYTES = 512 * 1024
ZERO_BLOCK = bytes(ZERO_BLOCK_BYTES)
ZERO_BLOCK_ID = sha256(ZERO_BLOCK).digest()
"""COMPAT(restic): restore --sparse knows exactly this blob as a hole."""

MIN_BYTES, AVERAGE_BYTES, MAX_BYTES = 512 * 1024, 1024 * 1024, 8 * 1024 * 1024
DATABASE_CHUNK_BYTES = 32 * 1024
_BUFFER_BYTES = MAX_BYTES + 4 * ZERO_BLOCK_BYTES
"""More than the longest chunk, so that the buffer always holds a whole one; its last piece is cut again with more."""

_SQLITE_MAGIC = b"SQLite format 3\x00"
_POSTGRESQL_RELATION = re.compile(rb"/(?:base/\d+|global|pg_tblspc/\d+/[^/]+/\d+)/\d+(?:_fsm|_vm|_init)?(?:\.\d+)?\Z")
_INNODB_FILE = re.compile(rb"(?:\.ibd|/ibdata\d+|/undo_?\d+)\Z")


class ZeroRun(NamedTuple):
    """So many whole zero blocks in a row."""

    blocks: int


class BlockReader(Protocol):
    """A stream read block by block; blocks are aligned to 512 KiB from its start."""

    def read_block(self, buffer: memoryview) -> int:
        """Fills the buffer and returns how many bytes came; fewer than it takes only at the end."""
        ...

    def skip_hole(self) -> int:
        """Whole blocks at the present position that are known to be zero without reading; skips them."""
        ...


Cut = Callable[[memoryview], Iterator[memoryview]]


def seed_of(config: RepositoryConfig) -> int:
    """The chunker's seed: a secret of the repository, equal for everybody who can open it.

    It is derived from the sealed configuration, so that chunk sizes do not give a known file away.
    """
    material = b"holdfast fastcdc seed\x00" + config.id + config.chunker_polynomial.to_bytes(8, "little")
    # One bit less than the digest offers: the chunker takes a signed number.
    return int.from_bytes(sha256(material).digest()[:8], "little") >> 1


def content_defined(seed: int) -> Cut:
    """A cutter by content. Not to be shared between threads."""
    with warnings.catch_warnings():
        # Its pure Python fall-back would be a hundred times slower; better no start than that.
        warnings.simplefilter("error")
        from pyfastcdc import FastCDC

    chunker = FastCDC(AVERAGE_BYTES, min_size=MIN_BYTES, max_size=MAX_BYTES, seed=seed)

    def cut(view: memoryview) -> Iterator[memoryview]:
        for chunk in chunker.cut_buf(view):
            yield chunk.data

    return cut


def fixed(size: int) -> Cut:
    """A cutter at every multiple of `size`, which divides the block size."""

    def cut(view: memoryview) -> Iterator[memoryview]:
        for start in range(0, len(view), size):
            yield view[start : start + size]

    return cut


def database_chunk_bytes(head: bytes, path: bytes) -> int:
    """The chunk size for a database file, or 0 for any other.

    Args:
        head: at least the first 32 bytes of the file.
        path: its path, for databases whose files have no magic number.
    """
    if head.startswith(_SQLITE_MAGIC) and len(head) >= 32:
        page = int.from_bytes(head[16:18], "big")
        page = 65536 if page == 1 else page
        if 512 <= page <= 65536 and page & (page - 1) == 0:
            return max(page, DATABASE_CHUNK_BYTES)
        return DATABASE_CHUNK_BYTES
    if _INNODB_FILE.search(path) or _POSTGRESQL_RELATION.search(path):
        return DATABASE_CHUNK_BYTES
    return 0


def chunks(reader: BlockReader, choose: Callable[[bytes], Cut]) -> Iterator[bytes | ZeroRun]:
    """Cuts a whole stream, holding at most 10 MiB of it.

    Args:
        reader: where the stream comes from.
        choose: picks the cutter once the first bytes are known.

    Yields:
        Chunks of at most 8 MiB, and runs of zero blocks, in order; together they are the stream.
    """
    buffer = bytearray(_BUFFER_BYTES)
    view = memoryview(buffer)
    fill = 0
    cut: Cut | None = None
    while True:
        hole = reader.skip_hole()
        got = 0 if hole else reader.read_block(view[fill : fill + ZERO_BLOCK_BYTES])
        if got == ZERO_BLOCK_BYTES and buffer.startswith(ZERO_BLOCK, fill):
            hole = 1
        if cut is None:
            cut = choose(b"" if hole else bytes(view[:64]))
        if hole:
            yield from map(bytes, cut(view[:fill]))
            fill = 0
            yield ZeroRun(hole)
            continue
        fill += got
        if got < ZERO_BLOCK_BYTES:
            yield from map(bytes, cut(view[:fill]))
            return
        if fill + ZERO_BLOCK_BYTES > _BUFFER_BYTES:
            kept = 0
            for chunk in _all_but_last(cut(view[:fill])):
                kept += len(chunk)
                yield bytes(chunk)
            # The two may overlap, which this kind of assignment copes with.
            view[: fill - kept] = view[kept:fill]
            fill -= kept


def _all_but_last(pieces: Iterator[memoryview]) -> Iterator[memoryview]:
    """The last piece ends where the buffer ends and not where the content says, so it waits for more."""
    held = next(pieces)
    for piece in pieces:
        yield held
        held = piece
