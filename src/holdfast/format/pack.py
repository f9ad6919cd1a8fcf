"""Pack files: sealed blobs back to back, a sealed header, and the header's length.

    pack = blob | … | blob | sealed header | length of sealed header (4 bytes, little-endian)

Source: format sheet, section 7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from holdfast.errors import FormatError
from holdfast.format.document import UINT32_LIMIT, Buffer
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId

HEADER_LENGTH_BYTES = 4
ENTRY_RAW_BYTES = 37
ENTRY_COMPRESSED_BYTES = 41
MAX_HEADER = 16 << 20
"""Most bytes of a header's plaintext."""

SMALLEST_PACK_BYTES = ENTRY_RAW_BYTES + OVERHEAD + HEADER_LENGTH_BYTES
PACK_BYTES_LIMIT = UINT32_LIMIT

EAGER_TAIL_BYTES = 15 * ENTRY_COMPRESSED_BYTES + OVERHEAD + HEADER_LENGTH_BYTES
"""What to fetch first when reading a header from afar: most headers are within."""

_LENGTH = struct.Struct("<I")
_RAW = struct.Struct("<BI32s")
_COMPRESSED = struct.Struct("<BII32s")
_IS_COMPRESSED = 2


def entry_bytes(*, compressed: bool) -> int:
    """Bytes one blob takes in a header."""
    return ENTRY_COMPRESSED_BYTES if compressed else ENTRY_RAW_BYTES


def header_bytes(blobs: Iterable[PackedBlob]) -> int:
    """Bytes of the header's plaintext for these blobs."""
    return sum(ENTRY_COMPRESSED_BYTES if blob.raw_length else ENTRY_RAW_BYTES for blob in blobs)


def pack_bytes(blobs: Iterable[PackedBlob]) -> int:
    """Bytes of a whole pack holding these blobs."""
    blobs = tuple(blobs)
    return sum(blob.length for blob in blobs) + header_bytes(blobs) + OVERHEAD + HEADER_LENGTH_BYTES


def encode_header(blobs: Iterable[PackedBlob]) -> bytes:
    """The plaintext of a header.

    Args:
        blobs: in physical order and without gaps.

    Raises:
        FormatError: none, too many, gaps, or a length that does not fit.
    """
    entries: list[bytes] = []
    offset = 0
    for blob in blobs:
        if blob.offset != offset or blob.length < OVERHEAD:
            raise FormatError(object="pack header", reason="its blobs do not follow each other")
        offset += blob.length
        if offset >= PACK_BYTES_LIMIT or blob.raw_length >= UINT32_LIMIT:
            raise FormatError(object="pack header", reason="the pack or a blob would be 4 GiB or more")
        if blob.raw_length:
            entries.append(_COMPRESSED.pack(blob.type | _IS_COMPRESSED, blob.length, blob.raw_length, blob.id))
        else:
            entries.append(_RAW.pack(blob.type, blob.length, blob.id))
    header = b"".join(entries)
    if not header or len(header) > MAX_HEADER:
        raise FormatError(object="pack header", reason="it has no blobs or too many")
    return header


def encode_header_length(sealed_header_bytes: int) -> bytes:
    """The last four bytes of a pack."""
    return _LENGTH.pack(sealed_header_bytes)


def header_length(tail: Buffer, pack_bytes: int | None = None, what: object = "pack") -> int:
    """Bytes of the sealed header, as the last four bytes of a pack say.

    Args:
        tail: the end of the pack, at least four bytes.
        pack_bytes: size of the pack, if known.

    Raises:
        FormatError: no header can have that length.
    """
    if len(tail) < HEADER_LENGTH_BYTES:
        raise FormatError(object=what, reason="it is too short for a pack")
    (length,) = _LENGTH.unpack(bytes(tail[-HEADER_LENGTH_BYTES:]))
    fits = pack_bytes is None or length + HEADER_LENGTH_BYTES <= pack_bytes
    if not fits or not ENTRY_RAW_BYTES + OVERHEAD <= length <= MAX_HEADER + OVERHEAD:
        raise FormatError(object=what, reason="the length of its header is impossible")
    return int(length)


def decode_header(plain: Buffer, what: object = "pack") -> list[PackedBlob]:
    """The blobs a header lists, with their offsets.

    Raises:
        FormatError: not a header.
    """
    if len(plain) > MAX_HEADER:
        raise FormatError(object=what, reason="its header is too long")
    blobs: list[PackedBlob] = []
    position = offset = 0
    try:
        while position < len(plain):
            kind = plain[position]
            raw_length = 0
            if kind & _IS_COMPRESSED:
                _, length, raw_length, identifier = _COMPRESSED.unpack_from(plain, position)
                position += ENTRY_COMPRESSED_BYTES
            else:
                _, length, identifier = _RAW.unpack_from(plain, position)
                position += ENTRY_RAW_BYTES
            if kind > 3 or length < OVERHEAD or (kind & _IS_COMPRESSED and not raw_length):
                raise FormatError(object=what, reason="its header lists an impossible blob")
            blobs.append(PackedBlob(BlobType(kind & 1), BlobId(identifier), offset, length, raw_length))
            offset += length
    except struct.error as error:
        raise FormatError(object=what, reason="its header is cut short") from error
    if not blobs or offset >= PACK_BYTES_LIMIT:
        raise FormatError(object=what, reason="its header lists no blobs, or more than a pack holds")
    return blobs
