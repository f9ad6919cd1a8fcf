"""Content on its way from a source to targets, or back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from holdfast.model.component import Component
from holdfast.model.node import Node


class ContentReader(Protocol):
    """The bytes of one file."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end. What is not whole raises at the end instead of ending."""
        ...

    def close(self) -> None:
        """Gives back what it holds; a reader that was not read to its end is dropped without complaint."""
        ...


@runtime_checkable
class OwnFile(Protocol):
    """A `ContentReader` over a whole file of the run's own, which nobody changes any more and nobody needs afterwards.

    Attributes:
        file: where it is.
    """

    file: Path


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a component, on its way from a source to targets or back.

    Attributes:
        path: relative to the component, raw bytes with `/`; empty only for the root directory of a tree.
        node: type and metadata. For a regular file `node.size` is its size, if `size_known`.
        open: reads a regular file; called at most once, before the next entry is asked for. None for all others.

    INVARIANT: a directory comes before its entries, entries of a directory follow each other in the byte order of
    their names, each subdirectory with everything below it. A tree begins with its root directory.
    """

    path: bytes
    node: Node
    size_known: bool = True
    open: Callable[[], ContentReader] | None = None


class StoredContent(Protocol):
    """A component as a target gives it back."""

    @property
    def component(self) -> Component:
        """What is there."""
        ...

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The content in the order in which it was stored, each byte proved by a checksum before or at its end.

        Args:
            paths: only these and what is below them, with the directories that lead there; empty for everything.

        Raises:
            DamageError: what is stored is not what was stored.
        """
        ...
