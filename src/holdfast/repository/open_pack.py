"""A pack on its way to being full, in little more memory than its bytes take."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.buffer import Buffer
from holdfast.repository.index_records import ENTRY_BYTES, blob_record, iter_record

_JOINED_BYTES = 8 << 10
"""Smaller blobs share a buffer: as objects of their own, what they are wrapped in would outweigh them."""

_BUFFER_BYTES = 128 << 10


class OpenPack:
    """Sealed blobs that wait for their pack to fill. Large buffers are never joined.

    Attributes:
        buffers: the blobs' bytes, back to back.
        size: how many bytes these are.
    """

    __slots__ = ("_record", "_shared", "buffers", "size")

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.size = 0
        self._record = bytearray()
        self._shared: bytearray | None = None

    def __len__(self) -> int:
        """How many blobs there are."""
        return len(self._record) // ENTRY_BYTES

    @property
    def record(self) -> bytes:
        """What lies where, as `holdfast.repository.index_records` writes it down."""
        return bytes(self._record)

    def blobs(self) -> Iterator[PackedBlob]:
        """What lies where, in physical order."""
        return iter_record(self.record)

    def add(self, kind: BlobType, blob_id: bytes, sealed: Buffer, raw_length: int) -> None:
        """Puts a blob behind the others."""
        self._record += blob_record(kind, blob_id, self.size, len(sealed), raw_length)
        self._append(sealed)

    def _append(self, sealed: Buffer) -> None:
        self.size += len(sealed)
        if len(sealed) >= _JOINED_BYTES:
            self._shared = None
            self.buffers.append(sealed)
            return
        if self._shared is None or len(self._shared) >= _BUFFER_BYTES:
            self._shared = bytearray()
            self.buffers.append(self._shared)
        self._shared += sealed

    def let_go(self) -> None:
        """Forgets the blobs' bytes, which are stored by now, and keeps what lies where."""
        self.buffers, self._shared = [], None

    def absorb(self, other: OpenPack) -> None:
        """Puts all blobs of another pack behind those of this one."""
        for blob in other.blobs():
            self._record += blob_record(blob.type, blob.id, self.size + blob.offset, blob.length, blob.raw_length)
        self._shared = None
        self.buffers += other.buffers
        self.size += other.size
