"""A blob: the unit of deduplication, named by the SHA-256 of its plaintext."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from holdfast.model.ids import BlobId, PackId


class BlobType(IntEnum):
    """What a blob holds. The same bytes may exist once as each type."""

    DATA = 0
    TREE = 1

    @property
    def label(self) -> str:
        """The name used in index files."""
        return "tree" if self else "data"


class PackedBlob(msgspec.Struct, frozen=True, gc=False):
    """One blob inside a pack.

    Attributes:
        type: data or tree.
        id: SHA-256 of the plaintext.
        offset: first byte of the sealed blob in the pack.
        length: sealed (stored) bytes, including 32 bytes of overhead.
        raw_length: plaintext bytes if the blob is compressed, 0 if it is stored as it is.
    """

    type: BlobType
    id: BlobId
    offset: int
    length: int
    raw_length: int

    @property
    def plain_length(self) -> int:
        """Plaintext bytes, whichever way the blob is stored."""
        return self.raw_length or self.length - 32


class BlobLocation(msgspec.Struct, frozen=True, gc=False):
    """Where one copy of a blob lies."""

    pack: PackId
    offset: int
    length: int
    raw_length: int

    @property
    def plain_length(self) -> int:
        """Plaintext bytes, whichever way the blob is stored."""
        return self.raw_length or self.length - 32
