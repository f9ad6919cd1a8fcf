"""One pack's blob list as a compact record: 45 bytes a blob, as it is kept in the index database."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId

_ENTRY = struct.Struct("<B32sIII")
ENTRY_BYTES = _ENTRY.size
_ROW = struct.Struct(">33sQIII")
_KINDS = (BlobType.DATA, BlobType.TREE)


_Entry = tuple[int, bytes, int, int, int]


def _entries(record: bytes) -> Iterator[_Entry]:
    entries: Iterator[_Entry] = _ENTRY.iter_unpack(record)
    return entries


def blob_record(kind: int, blob_id: bytes, offset: int, length: int, raw_length: int) -> bytes:
    """What a record says of one blob."""
    return _ENTRY.pack(kind, blob_id, offset, length, raw_length)


def pack_record(blobs: Iterable[PackedBlob]) -> bytes:
    """Type, id, offset, stored length and raw length of each blob, little-endian, back to back."""
    pack = _ENTRY.pack
    return b"".join([pack(b.type, b.id, b.offset, b.length, b.raw_length) for b in blobs])


def iter_record(record: bytes) -> Iterator[PackedBlob]:
    """The blobs of a record one by one: as objects they take five times what the record does."""
    for kind, blob_id, offset, length, raw_length in _entries(record):
        yield PackedBlob(_KINDS[kind], BlobId(blob_id), offset, length, raw_length)


def unpack_record(record: bytes) -> tuple[PackedBlob, ...]:
    """The inverse of `pack_record`."""
    return tuple(iter_record(record))


def table_row(blob: PackedBlob, pack_n: int) -> bytes:
    """A row of the table of blobs, in bytes that sort as the table does."""
    return _ROW.pack(blob.id + bytes((blob.type,)), pack_n, blob.offset, blob.length, blob.raw_length)


def row_values(row: bytes) -> tuple[bytes, int, int, int, int]:
    """The inverse of `table_row`: key, pack, offset, length, raw length."""
    values: tuple[bytes, int, int, int, int] = _ROW.unpack(row)
    return values
