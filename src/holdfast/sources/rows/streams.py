"""Bytes that are made while they are read, and lines of what is read."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.errors import DamageError
from holdfast.protocols import ContentReader

_BLOCK_BYTES = 256 << 10
_LONGEST_LINE_BYTES = 2 << 30


class IteratorReader:
    """A `ContentReader` over blocks that an iterator makes when they are asked for."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if size < 0:
            whole = bytes(self._rest) + b"".join(self._blocks)
            self._rest = memoryview(b"")
            return whole
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = memoryview(block)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def drain(self) -> None:
        """Lets the iterator run to its end."""
        self._rest = memoryview(b"")
        for _block in self._blocks:
            pass

    def close(self) -> None:
        """Drops what was not read."""
        self._rest = memoryview(b"")


def gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of at least 256 KiB."""
    block = bytearray()
    for part in parts:
        if not block and len(part) >= _BLOCK_BYTES:
            yield part
            continue
        block += part
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block = bytearray()
    if block:
        yield bytes(block)


def lines(reader: ContentReader, subject: str) -> Iterator[bytes]:
    """Lines without their ends; memory for the longest line.

    Raises:
        DamageError: a line has no end.
    """
    begun: list[bytes] = []
    length = 0
    while block := reader.read(_BLOCK_BYTES):
        first, *others = block.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > _LONGEST_LINE_BYTES:
            raise DamageError(object=subject, reason="a line does not end")
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun, length = [others[-1]], len(others[-1])
    if length:
        yield b"".join(begun)
