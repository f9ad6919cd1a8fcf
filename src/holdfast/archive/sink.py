"""The end of every pipeline: bytes into a folder, hashed on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from holdfast.backends.folders.abilities import TakesOver
from holdfast.model.buffer import Buffer
from holdfast.protocols.folder import FolderWriter

_BATCH_BYTES = 1024 * 1024


class Sink(Protocol):
    """Takes bytes and passes what it makes of them on to the next."""

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes."""
        ...

    def finish(self) -> None:
        """Everything was given: passes the rest on, and finishes the next."""
        ...

    def abort(self) -> None:
        """Gives up and lets go of threads and processes; the next is aborted too."""
        ...


class FileSink:
    """Hashes and counts what is stored, and writes it in batches.

    Args:
        writer: the file on its way into the folder.
    """

    def __init__(self, writer: FolderWriter) -> None:
        self.writer = writer
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()
        self._told_sha256 = ""
        self._pending = bytearray()

    @property
    def sha256(self) -> str:
        """Of everything given so far, 64 hexadecimal digits."""
        return self._told_sha256 or self._sha256.hexdigest()

    def take_over(self, file: Path) -> bool:
        """Makes a whole file what is stored, if the folder can; whoever reads it then tells its hash."""
        size_bytes = self.writer.take_over(file) if isinstance(self.writer, TakesOver) else None
        if size_bytes is None:
            return False
        self.size_bytes = size_bytes
        return True

    def settle(self) -> None:
        """Makes durable what was taken over."""
        if isinstance(self.writer, TakesOver):
            self.writer.settle()

    def tell(self, sha256: str) -> None:
        """The hash of the file that was taken over."""
        self._told_sha256 = sha256

    def write(self, block: Buffer, /) -> object:
        """Takes more bytes; small blocks are put together."""
        length = memoryview(block).nbytes
        self._sha256.update(block)
        self.size_bytes += length
        if not self._pending and length >= _BATCH_BYTES:
            self.writer.write(block)
            return None
        self._pending += block
        if len(self._pending) >= _BATCH_BYTES:
            self._flush()
        return None

    def finish(self) -> None:
        """Passes the rest on. The file is not visible before the writer's `commit`."""
        self._flush()

    def abort(self) -> None:
        """Leaves no file."""
        self._pending = bytearray()
        self.writer.abort()

    def _flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            self.writer.write(pending)
