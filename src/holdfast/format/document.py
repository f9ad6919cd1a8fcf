"""Typed JSON documents read from a repository, where any byte may be hostile or broken."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from holdfast.errors import FormatError
from holdfast.model.ids import ID_BYTES

T = TypeVar("T")

Buffer = bytes | bytearray | memoryview
"""Anything that holds bytes and is accepted where bytes are read."""

UINT32_LIMIT = 1 << 32
UINT64_LIMIT = 1 << 64


def decode(decoder: msgspec.json.Decoder[T], text: Buffer, what: object) -> T:
    """Decodes one JSON document into a typed structure.

    Unknown fields are skipped; of a field given twice the last counts, as in Go.

    Raises:
        FormatError: no JSON, another shape, text that is not UTF-8, or nested beyond reason.
    """
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(object=what, reason=str(error)) from error


def parse_id(text: str, what: object) -> bytes:
    """The 32 bytes of an id written as 64 hexadecimal digits."""
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        identifier = b""
    if len(identifier) != ID_BYTES or len(text) != 2 * ID_BYTES:
        raise FormatError(object=what, reason="an id is not 64 hexadecimal digits")
    return identifier
