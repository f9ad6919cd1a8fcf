"""What of a tree is new or different since a base, found in one walk before anything is given out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from holdfast.model.node import Node, NodeType
from holdfast.sources.trees.existing import ExistingWriter
from holdfast.sources.trees.state import Line, line_of, read_state
from holdfast.sources.trees.tops import is_below, order_of
from holdfast.sources.trees.walk import Item

_LENGTH_BYTES = 4


class Found(NamedTuple):
    """One thing of the tree, as it was found.

    Attributes:
        node: None for one that could not be looked at, whose former state still counts.
        line: what the state keeps of it.
        changed: whether it is part of the changes.
    """

    path: bytes
    node: Node | None
    line: Line
    changed: bool


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[bytes, Node | None, Line, bool])


def compare(items: Iterator[Item], base: Path | None, name: str, spool: Path, existing: Path) -> None:
    """Walks a tree beside the state of a base; both are in the same order, so memory holds one line of each.

    Args:
        base: None makes everything a change.
        spool: takes what was found, for `found_things`.
        existing: takes the list of what exists.

    Raises:
        NoBase: the base's state cannot be used.
    """
    former = _Former(iter(()) if base is None else read_state(base, name))
    with open(spool, "wb") as file, ExistingWriter(existing) as listed:
        for item in items:
            if item.node is None:
                # What lies in a folder that cannot be read is not known to be gone.
                for path, line in former.below(item.path):
                    _put(file, Found(path, None, line, False))
                    listed.add(path, line[1])
                continue
            line = line_of(item.path, item.node)
            same = former.at(item.path) == line
            _put(file, Found(item.path, item.node, line, item.node.type is NodeType.DIR or not same))
            listed.add(item.path, line[1])
        former.end()


def found_things(spool: Path) -> Iterator[Found]:
    """What `compare` found, in order."""
    with open(spool, "rb") as file:
        while length := file.read(_LENGTH_BYTES):
            yield Found(*_decoder.decode(file.read(int.from_bytes(length, "big"))))


def _put(file: IO[bytes], found: Found) -> None:
    encoded = _encoder.encode(found)
    file.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)


class _Former:
    """The base's lines, followed as the walk goes on."""

    def __init__(self, lines: Iterator[tuple[bytes, Line]]) -> None:
        self._lines = lines
        self._next = next(lines, None)

    def at(self, path: bytes) -> Line | None:
        """The line of a path that comes after all that were asked for before."""
        while self._next is not None and order_of(self._next[0]) < order_of(path):
            self._next = next(self._lines, None)
        return self._next[1] if self._next is not None and self._next[0] == path else None

    def below(self, directory: bytes) -> Iterator[tuple[bytes, Line]]:
        """All lines below a directory that `at` was asked for last."""
        if self._next is not None and self._next[0] == directory:
            self._next = next(self._lines, None)
        while self._next is not None and is_below(self._next[0], directory):
            yield self._next
            self._next = next(self._lines, None)

    def end(self) -> None:
        """Reads the rest, which proves that the state was whole."""
        for _line in self._lines:
            pass
