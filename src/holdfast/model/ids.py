"""Identifiers: SHA-256 digests as 32 raw bytes; hexadecimal exists only at the edges."""

from __future__ import annotations

import re
from typing import NewType

ID_BYTES = 32

BlobId = NewType("BlobId", bytes)
PackId = NewType("PackId", bytes)
IndexId = NewType("IndexId", bytes)
SnapshotId = NewType("SnapshotId", bytes)
KeyId = NewType("KeyId", bytes)
LockId = NewType("LockId", bytes)

_HEX_NAME = re.compile(r"[0-9a-f]{64}\Z")


def is_hex_id(name: str) -> bool:
    """Whether `name` is 64 lower-case hexadecimal digits, as every stored file but `config` is named."""
    return _HEX_NAME.match(name) is not None


def short(identifier: bytes) -> str:
    """The first eight hexadecimal digits, for people."""
    return identifier[:4].hex()
