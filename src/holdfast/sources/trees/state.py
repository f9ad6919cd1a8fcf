"""What a tree was like, for the next incremental backup: one line for each thing, in the order of the walk.

A line is equal to that of another day if the thing is the same in content and metadata: size, times, inode, owner and
permissions decide, and a change that keeps all of them is one that nobody can see without reading everything.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from holdfast.errors import NoBase, Phrase
from holdfast.model.node import Node
from holdfast.sources.trees.tops import order_of

_TICK_NS = 20_000_000
_FIRST = {"holdfast": "tree-state", "version": 1}
_encode = msgspec.json.encode

Line = tuple[str, str, int, int, int, int, int, int, int, str]
"""Path and link target (both percent-encoded), type, size, mtime_ns, ctime_ns, inode, mode, uid, gid."""


def line_of(path: bytes, node: Node) -> Line:
    """What is noted of a thing."""
    target = quote_from_bytes(node.linktarget)
    numbers = (node.size, node.mtime_ns, node.ctime_ns, node.inode, node.mode, node.uid, node.gid)
    return (quote_from_bytes(path), node.type.value, *numbers, target)


def is_settled(node: Node) -> bool:
    """Whether a change after now would show in the times: within one tick of the kernel's clock it need not."""
    return node.ctime_ns < time.time_ns() - _TICK_NS


class StateWriter:
    """Writes the lines of a tree."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.open(path, "wb", compresslevel=1)  # noqa: SIM115 - closed by `__exit__`
        self._count = 0
        self._file.write(_encode(_FIRST) + b"\n")

    def add(self, line: Line) -> None:
        """The next one."""
        self._file.write(_encode(line) + b"\n")
        self._count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.write(_encode({"count": self._count}) + b"\n")
        self._file.close()


def read_state(path: Path, name: str) -> Iterator[tuple[bytes, Line]]:
    """Lines with the path, in order.

    Raises:
        NoBase: it is not whole, or of another kind.
    """
    former, count = b"", 0
    try:
        with gzip.open(path, "rb") as file:
            if msgspec.json.decode(file.readline()) != _FIRST:
                raise NoBase(target=name, reason="the state kept with it is of another version")
            for text in file:
                if text.startswith(b"{"):
                    # Reading on to the end proves the checksum of the file.
                    if msgspec.json.decode(text) != {"count": count} or file.read():
                        break
                    return
                line = msgspec.json.decode(text, type=Line)
                known = unquote_to_bytes(line[0])
                if count and order_of(known) <= order_of(former):
                    break
                former, count = known, count + 1
                yield known, line
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise NoBase(
            target=name, reason=Phrase("the state kept with it cannot be read: {reason}", {"reason": str(error)})
        ) from error
    raise NoBase(target=name, reason="the state kept with it is not whole")
