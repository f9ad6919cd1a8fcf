"""Which part of a tree goes where when it is restored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import Phrase, RestoreRefused, UnsafePath
from holdfast.sources.trees.tops import Top, is_below

_MOUNTS = "/proc/self/mountinfo"


class Place(NamedTuple):
    """One part of the tree and the path that it takes.

    Attributes:
        prefix: in the tree.
        path: where it goes.
        keep_folder: replace what is in the folder and leave the folder itself.
        exclusive: nothing may be there yet.
    """

    prefix: bytes
    path: Path
    keep_folder: bool = False
    exclusive: bool = False

    @property
    def key(self) -> str:
        """Tells its own leftovers from those of other places."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]

    @property
    def parent(self) -> Path:
        """The directory in which it is staged: on the same file system, so that it can be renamed."""
        return self.path if self.keep_folder else self.path.parent

    @property
    def staging(self) -> Path:
        """What is written before anything is replaced; worth nothing after a crash."""
        return self.parent / f".holdfast-new-{self.key}"

    @property
    def swapping(self) -> Path:
        """The same from the moment on at which it may hold something that was replaced."""
        return self.parent / f".holdfast-swap-{self.key}"


def places_in_place(
    tops: Sequence[Top], paths: Sequence[bytes], protected: frozenset[bytes], source: str, *, in_place: bool
) -> list[Place]:
    """Where the tops, or chosen paths within them, go back to.

    Args:
        protected: real paths that must stay where they are.
        in_place: whether tops are held open by others.

    Raises:
        RestoreRefused: a chosen path is in no top.
        UnsafePath: a link lies on the way to a chosen path.
    """
    chosen = _outermost(paths)
    for path in chosen:
        if not any(is_below(path, top.prefix) or is_below(top.prefix, path) for top in tops):
            raise RestoreRefused(
                destination=source, reason=Phrase("{path} is not one of its paths", {"path": os.fsdecode(path)})
            )
    found: list[Place] = []
    for top in tops:
        if not chosen or any(is_below(top.prefix, path) for path in chosen):
            keep = in_place or not top.prefix or _must_stay(top.path, protected)
            found.append(Place(top.prefix, top.path, keep_folder=keep))
            continue
        for path in chosen:
            if is_below(path, top.prefix):
                below = path[len(top.prefix) :].lstrip(b"/")
                place = _inner(top, below)
                found.append(Place(path, place, keep_folder=_must_stay(place, protected)))
    return found


def places_elsewhere(tops: Sequence[Top], paths: Sequence[bytes], folder: Path) -> list[Place]:
    """Where the same goes below another folder."""
    prefixes = [top.prefix for top in tops]
    chosen = _outermost(paths)
    wanted = [prefix for prefix in prefixes if not chosen or any(is_below(prefix, path) for path in chosen)]
    wanted += [path for path in chosen if any(is_below(path, prefix) and path != prefix for prefix in prefixes)]
    return [
        Place(prefix, folder / os.fsdecode(prefix), keep_folder=not prefix, exclusive=True)
        for prefix in dict.fromkeys(wanted)
    ]


def protected_paths(skip: Iterable[bytes]) -> frozenset[bytes]:
    """What a restore never moves: our own folders, and whatever is mounted somewhere."""
    return frozenset(skip) | frozenset(_mount_points())


def _mount_points() -> list[bytes]:
    try:
        with open(_MOUNTS, "rb") as file:
            return [_unescaped(line.split()[4]) for line in file]
    except (OSError, IndexError):
        return []


def _unescaped(text: bytes) -> bytes:
    for code, letter in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        text = text.replace(code, letter)
    return text


def _must_stay(path: Path, protected: frozenset[bytes]) -> bool:
    real = os.fsencode(path)
    return any(is_below(kept, real) for kept in protected)


def _outermost(paths: Sequence[bytes]) -> list[bytes]:
    plain = [os.path.normpath(path.strip(b"/") or b".") for path in paths]
    plain = [b"" if path == b"." else path for path in plain]
    return sorted({path for path in plain if not any(is_below(path, other) and path != other for other in plain)})


def _inner(top: Top, below: bytes) -> Path:
    parts = below.split(b"/")
    if any(part in (b"", b".", b"..") for part in parts):
        raise UnsafePath(path=os.fsdecode(below), reason="it is not a plain path")
    path = top.path / os.fsdecode(below)
    # SAFETY: a link below the top may lead anywhere; what it leads to is not part of this source.
    if os.path.realpath(path.parent) != os.path.abspath(path.parent):
        raise UnsafePath(path=str(path), reason="a link lies on the way to it")
    return path
