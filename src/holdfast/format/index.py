"""Index files: which pack holds which blob where.

Source: format sheet, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from holdfast.errors import FormatError, UnsupportedFormat
from holdfast.format.document import UINT32_LIMIT, Buffer, decode, parse_id
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId
from holdfast.model.pack import Pack

_BLOBS_AT_ONCE = 1000

_UInt32 = Annotated[int, Meta(ge=0, lt=UINT32_LIMIT)]


class _BlobEntry(msgspec.Struct, gc=False):
    id: str
    type: Literal["data", "tree"]
    offset: _UInt32
    length: Annotated[int, Meta(ge=OVERHEAD, lt=UINT32_LIMIT)]
    uncompressed_length: _UInt32 = 0


class _PackEntry(msgspec.Struct, gc=False):
    id: str
    blobs: list[_BlobEntry]


class _IndexDocument(msgspec.Struct, gc=False):
    packs: list[_PackEntry] | None = None


_INDEX = msgspec.json.Decoder(_IndexDocument)
_TYPES = {"data": BlobType.DATA, "tree": BlobType.TREE}


def encode_index(packs: Iterable[Pack]) -> bytes:
    """The JSON of an index file, with the newline Go's encoder ends it with."""
    text = bytearray(b'{"packs":[')
    for number, pack in enumerate(packs):
        text += f'{"," if number else ""}{{"id":"{pack.id.hex()}","blobs":['.encode("ascii")
        # A pack may hold as many blobs as a whole index file: the text is never there twice.
        for first in range(0, len(pack.blobs), _BLOBS_AT_ONCE):
            blobs = ",".join(map(_encode_blob, pack.blobs[first : first + _BLOBS_AT_ONCE]))
            text += f"{',' if first else ''}{blobs}".encode("ascii")
        text += b"]}"
    text += b"]}\n"
    return bytes(text)


def _encode_blob(blob: PackedBlob) -> str:
    kind = "tree" if blob.type else "data"
    text = f'{{"id":"{blob.id.hex()}","type":"{kind}","offset":{blob.offset},"length":{blob.length}'
    return f'{text},"uncompressed_length":{blob.raw_length}}}' if blob.raw_length else text + "}"


def decode_index(json: Buffer, what: object = "index") -> list[Pack]:
    """Reads an index file. Obsolete and foreign fields (`supersedes`, `packs_to_delete`) are ignored.

    Raises:
        FormatError: not an index, or one that lists an impossible blob.
        UnsupportedFormat: the array that restic wrote before version 0.2.
    """
    if bytes(json[:1]) == b"[":
        raise UnsupportedFormat(object=what, feature="the index format of restic before 0.2.0")
    return [
        Pack(PackId(parse_id(pack.id, what)), tuple([_decode_blob(blob, what) for blob in pack.blobs]))
        for pack in decode(_INDEX, json, what).packs or ()
    ]


def _decode_blob(blob: _BlobEntry, what: object) -> PackedBlob:
    if blob.offset + blob.length >= UINT32_LIMIT:
        raise FormatError(object=what, reason="it lists a blob beyond the end of any pack")
    return PackedBlob(
        _TYPES[blob.type], BlobId(parse_id(blob.id, what)), blob.offset, blob.length, blob.uncompressed_length
    )
