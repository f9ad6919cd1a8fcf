"""A dump kept in memory and given back, for round trips of a source without any target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from holdfast.archive.digest import ContentDigest
from holdfast.errors import SourceError
from holdfast.model.component import Component, Form, Problem, Shape
from holdfast.model.event import ignore
from holdfast.model.node import NodeType
from holdfast.protocols import ContentReader, Dump, DumpRequest, Entry, LoadRequest

_BLOCK_BYTES = 1 << 16
STAMP = "20240101_120000"


class BytesReader:
    """A `ContentReader` over bytes, which comes in small blocks."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        wanted = len(self._left) if size < 0 else min(size, _BLOCK_BYTES)
        block, self._left = bytes(self._left[:wanted]), self._left[wanted:]
        return block

    def close(self) -> None:
        """Does nothing."""


class DumpedContent:
    """What a dump gave, as a target would give it back.

    Attributes:
        contents: of regular files, by path; tests change them.
    """

    def __init__(self, component: Component, entries: Sequence[Entry], contents: dict[bytes, bytes]) -> None:
        self.component = component
        self.contents = contents
        self._entries = list(entries)

    @property
    def paths(self) -> list[bytes]:
        """Of all entries, in order."""
        return [entry.path for entry in self._entries]

    def entry(self, path: bytes) -> Entry:
        """One entry."""
        return next(entry for entry in self._entries if entry.path == path)

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """All entries, or those below the paths and what leads there."""
        for entry in self._entries:
            below = any(entry.path == wanted or entry.path.startswith(wanted + b"/") for wanted in paths)
            leads = any(wanted.startswith(entry.path + b"/") for wanted in paths) or not entry.path
            if not paths or below or leads:
                yield replace(entry, open=self._opener(entry))

    def _opener(self, entry: Entry) -> Callable[[], BytesReader] | None:
        if entry.node.type is not NodeType.FILE:
            return None
        return lambda: BytesReader(self.contents[entry.path])


def collect(dump: Dump, form: Form = Form.NATIVE) -> DumpedContent:
    """Reads a dump as operations does: a file of a tree that cannot be read is left out and noted."""
    entries: list[Entry] = []
    contents: dict[bytes, bytes] = {}
    digest = ContentDigest()
    for entry in dump.entries(form):
        if entry.open is None:
            digest.feed(entry)
            entries.append(entry)
            continue
        try:
            content = read_all(entry.open())
        except SourceError as error:
            if dump.shape(form) is not Shape.TREE:
                raise
            dump.problem(Problem(code=error.code, subject=repr(entry.path), detail=str(error)))
            digest.feed(entry)
            continue
        contents[entry.path] = content
        digest.feed(entry, hashlib.sha256(content).digest(), len(content))
        entries.append(entry)
    component = replace(
        dump.component(form),
        file_count=len(contents),
        content_bytes=sum(map(len, contents.values())),
        content_sha256=digest.hexdigest(),
    )
    return DumpedContent(component, entries, contents)


def read_all(reader: ContentReader) -> bytes:
    """The whole content, read in blocks and to its end."""
    blocks: list[bytes] = []
    try:
        while block := reader.read(_BLOCK_BYTES):
            blocks.append(block)
    finally:
        reader.close()
    return b"".join(blocks)


def dump_request(scratch: Path, base: Path | None = None, state: Path | None = None) -> DumpRequest:
    """A request that nobody listens to."""
    scratch.mkdir(0o700, exist_ok=True)
    return DumpRequest(scratch=scratch, listener=ignore, cancelled=lambda: None, base=base, state=state)


def load_request(scratch: Path, destination: str | None = None, paths: Sequence[bytes] = ()) -> LoadRequest:
    """A request that nobody listens to."""
    scratch.mkdir(0o700, exist_ok=True)
    return LoadRequest(
        scratch=scratch,
        listener=ignore,
        cancelled=lambda: None,
        stamp=STAMP,
        destination=destination,
        paths=tuple(paths),
    )
