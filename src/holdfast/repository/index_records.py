"""One pack's blob list as a compact record: 45 bytes a blob, as it is kept in the index database."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId

_ENTRY = struct.Struct("<B32sIII")
ENTRY_BYTES = _ENTRY.size
_KINDS = (BlobType.DATA, BlobType.TREE)


_Entry = tuple[int, bytes, int, int, int]


def _entries(record: bytes) -> Iterator[_Entry]:
    entries: Iterator[_Entry] = _ENTRY.iter_unpack(record)
    return entries


def pack_record(blobs: Iterable[PackedBlob]) -> bytes:
    """Type, id, offset, stored length and raw length of each blob, little-endian, back to back."""
    pack = _ENTRY.pack
    return b"".join([pack(b.type, b.id, b.offset, b.length, b.raw_length) for b in blobs])


def unpack_record(record: bytes) -> tuple[PackedBlob, ...]:
    """The inverse of `pack_record`."""
    return tuple(
        [
            PackedBlob(_KINDS[kind], BlobId(blob_id), offset, length, raw_length)
            for kind, blob_id, offset, length, raw_length in _entries(record)
        ]
    )
