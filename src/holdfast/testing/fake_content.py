"""Content in memory as a fake target gives it back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import msgspec

from holdfast.errors import HashMismatch
from holdfast.model.component import Component
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry

_BLOCK_BYTES = 1 << 16


class Kept(msgspec.Struct):
    """One entry as a fake target keeps it. `sha256` is what it was when it was stored."""

    entry: Entry
    data: bytes = b""
    sha256: bytes = b""
    spoiled: bool = False


class FakeContent:
    """A component whose bytes are proved when each file ends."""

    def __init__(self, component: Component, kept: Sequence[Kept], step: Callable[[str], None]) -> None:
        self._component = component
        self._kept = kept
        self._step = step

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """All entries, or those below the paths and what leads there."""
        self._step("content-entries")
        for kept in self._kept:
            path = kept.entry.path
            below = any(path == wanted or path.startswith(wanted + b"/") for wanted in paths)
            leads = kept.entry.open is None and any(wanted.startswith(path) for wanted in paths)
            if paths and not below and not leads:
                continue
            is_file = kept.entry.node.type is NodeType.FILE
            yield msgspec.structs.replace(kept.entry, open=(lambda kept=kept: _KeptReader(kept)) if is_file else None)


class _KeptReader:
    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._left = memoryview(kept.data)

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(_BLOCK_BYTES, len(self._left) if size < 0 else size)
        block, self._left = bytes(self._left[:wanted]), self._left[wanted:]
        if not block:
            actual = hashlib.sha256(self._kept.data)
            if actual.digest() != self._kept.sha256:
                raise HashMismatch(object=self._kept.entry.path.decode(), actual=actual.hexdigest())
        return block

    def close(self) -> None:
        self._left = memoryview(b"")
