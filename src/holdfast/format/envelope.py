"""The payload of sealed documents: index, snapshots and locks.

    version 1   JSON
    version 2   byte 0x02 and zstd frames of the JSON, or the JSON itself

Source: format sheet, section 5. Config and keys have no envelope.
"""

from __future__ import annotations

from holdfast.errors import FormatError
from holdfast.format import zstd
from holdfast.format.document import Buffer

_COMPRESSED = 2
_LEVEL = 1
"""Identifiers in hexadecimal are most of an index; looking harder for matches makes it larger and slower."""

_JSON_STARTS = b"{["
_PLAIN_MAX = 1 << 30
_FREE_BYTES = 16 << 20
_RATIO_MAX = 200


def wrap(json: bytes, version: int) -> bytes:
    """The payload to seal for a document.

    Args:
        version: the repository's.
    """
    if version == 1:
        return json
    return bytes((_COMPRESSED,)) + zstd.compress(json, _LEVEL)


def unwrap(payload: Buffer, version: int, what: object = "document") -> bytes:
    """The document in an opened payload.

    Args:
        version: the repository's.
        what: the file, for the error.

    Raises:
        FormatError: an unknown envelope, malformed compression, or a document larger than any.
    """
    first = payload[0] if payload else 0
    if first in _JSON_STARTS:
        return bytes(payload)
    if first != _COMPRESSED or version < 2:
        raise FormatError(object=what, reason="its envelope is unknown")
    limit = min(_PLAIN_MAX, _FREE_BYTES + _RATIO_MAX * len(payload))
    with memoryview(payload) as view:
        return bytes(zstd.decompress(view[1:], limit, what))
