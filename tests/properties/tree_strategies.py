"""Random trees of files: described by Hypothesis, then made on disk."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import strategies as st

from holdfast.testing.zoo import AWKWARD_NAMES

IS_ROOT = os.geteuid() == 0
HALF_MIB = 512 * 1024
MAX_FILE_BYTES = 3 << 20
SECOND_NS = 10**9
YEARS_S = (-2_208_988_800, -2_145_916_800, -1, 0, 2_147_483_648, 4_294_967_296, 9_223_372_036, 9_223_372_037)
"""Moments at which some representation of time ends: 1900, 1902, 1970, 2038, 2106, and 2262 in nanoseconds."""
LATEST_S = 15_032_385_535


class Piece(NamedTuple):
    """A stretch of a file: `hole`, `zeros`, or noise that is the same wherever the seed is."""

    kind: str
    length: int
    seed: int = 0


class About(NamedTuple):
    """Everything about an entry but what it is."""

    mode: int
    mtime_ns: int
    owner: tuple[int, int]
    attributes: tuple[tuple[bytes, bytes], ...]


class Entry(NamedTuple):
    """One name in a folder.

    Attributes:
        what: pieces of a file, the target of a link, the entries of a folder, a device number, or None for a FIFO.
    """

    name: bytes
    what: tuple[Piece, ...] | bytes | list[Entry] | int | None  # type: ignore[misc]
    about: About


class Tree(NamedTuple):
    """A folder's entries, and further names for some of them.

    Attributes:
        twins: which file gets a further name in which folder, as positions in the order of `make_tree`.
    """

    entries: list[Entry]
    twins: list[tuple[int, int]]


# --- describing --------------------------------------------------------------------------------------


def _as_name(raw: bytes) -> bytes:
    name = raw.replace(b"/", b"%").replace(b"\0", b"~")[:255]
    return name if name not in (b"", b".", b"..") else b"_" + name


NAMES = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(str.encode),
    st.binary(min_size=250, max_size=255),
    st.sampled_from(AWKWARD_NAMES),
).map(_as_name)

LENGTHS = st.one_of(
    st.sampled_from([1, 4095, 4096, 65_536, HALF_MIB - 1, HALF_MIB, HALF_MIB + 1, 2 * HALF_MIB]),
    st.integers(1, 2 * HALF_MIB),
)
PIECES = st.builds(Piece, st.sampled_from(["hole", "zeros", "noise", "noise"]), LENGTHS, st.integers(0, 3))
CONTENTS = st.one_of(
    st.just(()),
    st.builds(lambda length, seed: (Piece("noise", length, seed),), st.integers(1, 200), st.integers(0, 99)),
    st.lists(PIECES, max_size=6).map(tuple),
)
TIMES = st.builds(
    lambda second, fraction: second * SECOND_NS + fraction,
    st.one_of(st.sampled_from(YEARS_S), st.integers(-(2**31), LATEST_S)),
    st.one_of(st.just(0), st.integers(0, SECOND_NS - 1), st.sampled_from([1, 100_000_000, 999_999_999])),
)
# COMPAT(restic): the format keeps names of attributes as text; bytes that are no UTF-8 have no place in it.
ATTRIBUTE_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
ATTRIBUTES = st.lists(
    st.tuples(
        st.sampled_from([b"user.", b"user.", b"trusted."] if IS_ROOT else [b"user."]),
        ATTRIBUTE_NAMES.map(str.encode),
        st.binary(max_size=100),
    ),
    max_size=3,
    unique_by=lambda one: one[:2],
).map(lambda found: tuple((prefix + name, value) for prefix, name, value in found))
OWNERS = st.sampled_from([(0, 0), (12345, 54321), (2**32 - 2, 1), (1, 2**31)])


def abouts(floor: int) -> st.SearchStrategy[About]:
    """Metadata, with those permissions at least that somebody who is not root needs to read the entry."""
    modes = st.one_of(st.sampled_from([0o644, 0o755]), st.integers(0, 0o7777))
    return st.builds(About, modes.map(lambda mode: mode | (0 if IS_ROOT else floor)), TIMES, OWNERS, ATTRIBUTES)


TARGETS = st.binary(min_size=1, max_size=300).map(lambda raw: raw.replace(b"\0", b"~"))
DEVICES = st.builds(os.makedev, st.integers(0, 4095), st.integers(0, 2**20 - 1)) if IS_ROOT else st.nothing()
FILES = st.builds(Entry, NAMES, CONTENTS, abouts(0o600))
OTHERS = st.builds(Entry, NAMES, st.one_of(TARGETS, st.none(), DEVICES), abouts(0o600))
ABOUT_FOLDERS = abouts(0o700)


@st.composite
def leaves(draw: st.DrawFn) -> Entry:
    """Anything but a folder. (A function, because Hypothesis writes strategies out at length.)"""
    return draw(st.one_of(FILES, FILES, OTHERS))


@st.composite
def folders(draw: st.DrawFn, children: st.SearchStrategy[Entry]) -> Entry:
    """A folder of anything."""
    entries = draw(st.lists(children, max_size=5, unique_by=lambda entry: entry.name))
    return Entry(draw(NAMES), entries, draw(ABOUT_FOLDERS))


ENTRIES = st.recursive(leaves(), folders, max_leaves=10)
TREES = st.builds(
    Tree,
    st.lists(ENTRIES, max_size=6, unique_by=lambda entry: entry.name),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3),
)


# --- making ------------------------------------------------------------------------------------------


def make_tree(root: bytes, tree: Tree) -> None:
    """Makes a tree in an existing empty folder."""
    folders, linkable = [root], list[bytes]()
    for path, entry in _walk(root, tree.entries):
        _make(path, entry)
        if isinstance(entry.what, list):
            folders.append(path)
        elif entry.what is not None:
            # COMPAT(restic): how many names a FIFO has is not written, so each of them comes back as one of its own.
            linkable.append(path)
    for number, (which, where) in enumerate(tree.twins):
        if linkable:
            name = b"%s/twin-%d" % (folders[where % len(folders)], number)
            os.link(linkable[which % len(linkable)], name, follow_symlinks=False)
    # Last and inside out, because every further entry changes its folder's times.
    for path, entry in reversed(list(_walk(root, tree.entries))):
        _describe(path, entry)


def _walk(folder: bytes, entries: list[Entry]) -> Iterator[tuple[bytes, Entry]]:
    for entry in entries:
        path = folder + b"/" + entry.name
        yield path, entry
        if isinstance(entry.what, list):
            yield from _walk(path, entry.what)


def _make(path: bytes, entry: Entry) -> None:
    what = entry.what
    if isinstance(what, list):
        os.mkdir(path)
    elif isinstance(what, bytes):
        os.symlink(what, path)
    elif isinstance(what, int):
        os.mknod(path, stat.S_IFCHR | 0o600, what)
    elif what is None:
        os.mkfifo(path)
    else:
        write_pieces(path, what)


def write_pieces(path: bytes, pieces: tuple[Piece, ...]) -> None:
    """Writes a file, at most `MAX_FILE_BYTES` of it."""
    with open(path, "wb") as file:
        for kind, length, seed in pieces:
            length = min(length, MAX_FILE_BYTES - file.tell())
            if kind == "hole":
                file.truncate(file.seek(length, os.SEEK_CUR))
            else:
                file.write(bytes(length) if kind == "zeros" else random.Random(seed).randbytes(length))


def _describe(path: bytes, entry: Entry) -> None:
    about = entry.about
    if not isinstance(entry.what, bytes | int | None):
        for name, value in about.attributes:
            os.setxattr(path, name, value)
    if IS_ROOT:
        os.chown(path, *about.owner, follow_symlinks=False)
    if not isinstance(entry.what, bytes):
        os.chmod(path, about.mode)
    os.utime(path, ns=(about.mtime_ns, about.mtime_ns), follow_symlinks=False)
