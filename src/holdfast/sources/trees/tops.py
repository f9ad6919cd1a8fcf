"""Where configured paths are, and what they are called within a tree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

RESERVED = b".holdfast"
EXISTING = b".holdfast-existing"


class Top(NamedTuple):
    """One configured path.

    Attributes:
        prefix: its path in the tree; empty if its entries are the tree's own.
        path: where it is, links on the way resolved. A path that somebody configured is followed where it leads; what
            is found below is not.
        given: how it was written.
    """

    prefix: bytes
    path: Path
    given: str


def tops_of(paths: Iterable[str], base_dir: Path) -> list[Top]:
    """Configured paths in the order of the tree, those that lie within others left out.

    A relative path keeps its form, an absolute one loses its leading slash.
    """
    found: dict[bytes, Top] = {}
    for given in paths:
        plain = os.path.normpath(given)
        if plain == ".." or plain.startswith("../"):
            plain = os.path.abspath(base_dir / plain)
        prefix = b"" if plain == "." else os.fsencode(plain.lstrip("/"))
        found.setdefault(prefix, Top(prefix, Path(os.path.realpath(base_dir / given)), given))
    return sorted(
        (
            top
            for top in found.values()
            if not any(is_below(top.prefix, other) for other in found if other != top.prefix)
        ),
        key=lambda top: order_of(top.prefix),
    )


def is_below(path: bytes, other: bytes) -> bool:
    """Whether a path of a tree lies within another one, or is the same."""
    return not other or path == other or path.startswith(other + b"/")


def order_of(path: bytes) -> bytes:
    """What paths are compared by: the order of a walk, in which a directory's entries follow it at once."""
    return path.replace(b"/", b"\0")


def is_reserved(name: bytes) -> bool:
    """Whether a name is one of ours: our state, and what an interrupted restore left."""
    return name == RESERVED or name.startswith(RESERVED + b"-")


def real_paths(paths: Iterable[Path]) -> frozenset[bytes]:
    """Places that are never backed up or replaced, with links resolved."""
    return frozenset(os.fsencode(os.path.realpath(path)) for path in paths)


def parents_of(tops: Sequence[Top]) -> dict[bytes, Path]:
    """Directories that lead to the tops, by their path in the tree, each with the directory that it stands for."""
    found: dict[bytes, Path] = {}
    for top in tops:
        parts, here = top.prefix.split(b"/"), Path(os.path.abspath(top.path))
        for depth in range(len(parts) - 1, 0, -1):
            here = here.parent
            found.setdefault(b"/".join(parts[:depth]), here)
    return found
