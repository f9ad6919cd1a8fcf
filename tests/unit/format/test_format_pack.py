from __future__ import annotations

import os
import struct

import pytest

from holdfast.errors import FormatError
from holdfast.format import pack
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId


def blob(offset: int, length: int, raw_length: int = 0, kind: BlobType = BlobType.DATA) -> PackedBlob:
    return PackedBlob(kind, BlobId(os.urandom(32)), offset, length, raw_length)


def test_worked_example_of_the_format_sheet() -> None:
    blobs = [blob(0, 51), blob(51, 742, 700)]
    header = pack.encode_header(blobs)
    assert len(header) == pack.header_bytes(blobs) == 37 + 41
    assert pack.encode_header_length(len(header) + 32) == bytes.fromhex("6e000000")
    assert pack.pack_bytes(blobs) == 907
    assert pack.decode_header(header) == blobs


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_size_formulas(size: int) -> None:
    assert pack.pack_bytes([blob(0, size + 32)]) == size + 105
    assert pack.pack_bytes([blob(0, size + 32, 5)]) == size + 109
    assert pack.SMALLEST_PACK_BYTES == 73
    assert pack.EAGER_TAIL_BYTES == 651
    assert (pack.entry_bytes(compressed=False), pack.entry_bytes(compressed=True)) == (37, 41)


def test_every_type_has_its_byte() -> None:
    kinds = [(BlobType.DATA, 0), (BlobType.TREE, 0), (BlobType.DATA, 9), (BlobType.TREE, 9)]
    for expected, (kind, raw_length) in enumerate(kinds):
        assert pack.encode_header([blob(0, 40, raw_length, kind)])[0] == expected


@pytest.mark.parametrize(
    "blobs",
    [
        [],
        [blob(1, 40)],
        [blob(0, 40), blob(41, 40)],
        [blob(0, 31)],
        [blob(0, 40, 1 << 32)],
        [blob(0, 1 << 32)],
        [blob(0, (1 << 32) - 50), blob((1 << 32) - 50, 50)],
    ],
)
def test_impossible_packs_are_not_written(blobs: list[PackedBlob]) -> None:
    with pytest.raises(FormatError):
        pack.encode_header(blobs)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x00",
        struct.pack("<BI32s", 0, 40, bytes(32))[:-1],
        struct.pack("<BI32s", 4, 40, bytes(32)),
        struct.pack("<BII32s", 6, 40, 5, bytes(32)),
        struct.pack("<BI32s", 0, 31, bytes(32)),
        struct.pack("<BII32s", 2, 40, 0, bytes(32)),
        struct.pack("<BI32s", 0, 0xFFFFFFFF, bytes(32)) * 2,
        struct.pack("<BI32s", 0, 40, bytes(32)) + b"\x02",
        bytes(pack.MAX_HEADER + 1),
    ],
)
def test_impossible_headers_are_refused(header: bytes) -> None:
    with pytest.raises(FormatError):
        pack.decode_header(header)


@pytest.mark.parametrize("length", [0, 32, 68, (16 << 20) + 33, 0xFFFFFFFF])
def test_impossible_header_lengths_are_refused(length: int) -> None:
    with pytest.raises(FormatError):
        pack.header_length(struct.pack("<I", length))


def test_header_length_is_the_end_of_the_tail() -> None:
    assert pack.header_length(b"junk" + struct.pack("<I", 110)) == 110
    assert pack.header_length(struct.pack("<I", 110), 114) == 110
    for tail, size in ((struct.pack("<I", 110), 113), (b"abc", None)):
        with pytest.raises(FormatError):
            pack.header_length(tail, size)
