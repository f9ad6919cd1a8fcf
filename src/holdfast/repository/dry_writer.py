"""A writer for dry runs."""

from __future__ import annotations

from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.repository.writer import PackWriter


class DryWriter(PackWriter):
    """Counts what would be stored and stores nothing."""

    def add(self, kind: BlobType, blob_id: bytes, sealed: Buffer, raw_length: int) -> None:
        """Counts a blob."""
        del blob_id
        self.count(kind, len(sealed), raw_length)

    def flush(self) -> None:
        """Nothing was collected."""
