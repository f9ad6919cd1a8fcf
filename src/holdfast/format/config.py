"""The `config` document. Its JSON is sealed as it is, never compressed, in both versions of the format.

Source: format sheet, section 4.
"""

from __future__ import annotations

import re

import msgspec

from holdfast.errors import FormatError, Phrase, UnsupportedFormat
from holdfast.format.document import Buffer, parse_id
from holdfast.format.document import decode as decode_document
from holdfast.format.polynomial import DEGREE, is_irreducible
from holdfast.model.repository_config import RepositoryConfig

VERSIONS = (1, 2)

_CONFIG_BYTES_MAX = 1 << 20
_HEX = re.compile(r"[0-9a-f]{1,16}\Z")


class _ConfigDocument(msgspec.Struct):
    version: int
    id: str
    chunker_polynomial: str


_CONFIG = msgspec.json.Decoder(_ConfigDocument)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(config: RepositoryConfig) -> bytes:
    """The plaintext of the config."""
    return (
        f'{{"version":{config.version},"id":"{config.id.hex()}","chunker_polynomial":"{config.chunker_polynomial:x}"}}'
    ).encode("ascii")


def with_version(document: bytes, version: int, what: object = "config") -> bytes:
    """The same config with another version; fields that other programs put there stay.

    Raises:
        FormatError: not a config.
    """
    decode(document, what)
    fields = decode_document(_FIELDS, document, what)
    fields["version"] = msgspec.Raw(str(version).encode())
    return msgspec.json.encode(fields)


def decode(document: Buffer, what: object = "config") -> RepositoryConfig:
    """Reads the config.

    Raises:
        UnsupportedFormat: a version other than 1 and 2.
        FormatError: not a config, or a polynomial that cannot chunk.
    """
    if len(document) > _CONFIG_BYTES_MAX:
        raise FormatError(object=what, reason="it is larger than any config")
    raw = decode_document(_CONFIG, document, what)
    if raw.version not in VERSIONS:
        raise UnsupportedFormat(object=what, feature=Phrase("repository version {version}", {"version": raw.version}))
    if not _HEX.match(raw.chunker_polynomial):
        raise FormatError(object=what, reason="its chunker polynomial is not hexadecimal")
    polynomial = int(raw.chunker_polynomial, 16)
    if polynomial.bit_length() != DEGREE + 1 or not is_irreducible(polynomial):
        raise FormatError(object=what, reason="its chunker polynomial is not irreducible of degree 53")
    return RepositoryConfig(version=raw.version, id=parse_id(raw.id, what), chunker_polynomial=polynomial)
