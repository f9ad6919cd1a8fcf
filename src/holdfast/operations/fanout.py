"""One reading of a dump, given to every target that wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.errors import DumpIncomplete, HoldfastError, Phrase, SourceError
from holdfast.model.component import Component, Form, Problem, Shape
from holdfast.model.event import Listener, Progress
from holdfast.model.node import NodeType
from holdfast.operations.lanes import Lane
from holdfast.protocols.content import ContentReader, Entry, OwnFile
from holdfast.protocols.source import Dump
from holdfast.protocols.target import ComponentWriter, TakesFiles
from holdfast.runtime.memory import return_freed_memory

_BLOCK_BYTES = 1 << 20
_SMALL_BYTES = 128 << 10
_PROGRESS_BYTES = 4 << 20
_PROGRESS_ITEMS = 500
_TRIM_BYTES = 32 << 20
_TRIM_ITEMS = 5000


class Outlet(NamedTuple):
    """Where one target takes the entries of a component."""

    lane: Lane
    writer: ComponentWriter


class _Broken(Exception):
    """A file could not be read to its end; carries why."""

    def __init__(self, cause: SourceError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Reading:
    """Reads the entries of one form of a dump once.

    Each file's content is read if any target wants it. Targets that fail are left out from then on; their lanes tell
    why. A file of a tree that cannot be read is noted as a problem and the reading goes on; of anything else, half is
    worth nothing and the error is raised.

    Args:
        name: of the source, for progress.
        outlets: the writers, one per target.
    """

    def __init__(self, name: str, dump: Dump, form: Form, outlets: Sequence[Outlet], listener: Listener) -> None:
        # The digest lives with archives; importing it here keeps `holdfast --help` quick.
        from holdfast.archive.digest import ContentDigest

        self._name = name
        self._dump = dump
        self._form = form
        self._outlets = outlets
        self._listener = listener
        self._digest = ContentDigest()
        self._is_tree = dump.shape(form) is Shape.TREE
        self._told_bytes = self._told_items = 0
        self._trimmed_bytes = self._trimmed_items = 0
        self._items = 0
        self.file_count = 0
        self.content_bytes = 0

    def run(self) -> Component:
        """Reads everything and describes it; the writers are not finished.

        Raises:
            SourceError: what was read is not whole.
            NoBase: changes cannot be told.
            TargetError: no target is left; the first one's error.
        """
        for entry in self._dump.entries(self._form):
            self._items += 1
            if entry.node.type is NodeType.FILE and entry.open is not None:
                self._file(entry)
            else:
                self._digest.feed(entry)
                for lane, writer in self._alive():
                    lane.feed(0, writer.begin, entry)
            self._tell(entry)
        component = self._dump.component(self._form)
        self._alive()
        return msgspec.structs.replace(
            component,
            file_count=self.file_count,
            content_bytes=self.content_bytes,
            content_sha256=self._digest.hexdigest(),
        )

    def _alive(self) -> Sequence[Outlet]:
        """Outlets whose lanes work; raises the first error when none does."""
        outlets = self._outlets
        if any(outlet.lane.error is not None for outlet in outlets):
            self._outlets = [outlet for outlet in outlets if outlet.lane.error is None]
            if not self._outlets:
                raise outlets[0].lane.error or AssertionError
        return self._outlets

    def _file(self, entry: Entry) -> None:
        wanting: list[Outlet] = []
        for outlet in self._alive():
            if _wants(outlet, entry):
                wanting.append(outlet)
            else:
                outlet.lane.feed(0, outlet.writer.begin, entry)
        if not wanting:
            self._digest.feed(entry, None, entry.node.size)
            self.file_count += 1
            self.content_bytes += entry.node.size
            return
        try:
            size_bytes, sha256 = self._content(entry, wanting)
        except _Broken as broken:
            self._spoiled(entry, broken.cause)
            return
        self._digest.feed(entry, sha256, size_bytes)
        self.file_count += 1
        self.content_bytes += size_bytes

    def _content(self, entry: Entry, wanting: Sequence[Outlet]) -> tuple[int, bytes]:
        """Feeds one file's content; its size and SHA-256."""
        begun = False
        try:
            assert entry.open is not None
            reader = entry.open()
            try:
                first, is_all = _first_block(reader, entry)
                if is_all:
                    sha256 = hashlib.sha256(first).digest()
                    for lane, writer in wanting:
                        lane.feed(len(first), _write_small, writer, entry, first, sha256)
                    return len(first), sha256
                writing = self._begun(reader, entry, wanting)
                begun = True
                size_bytes, sha256 = self._rest(reader, entry, first, writing)
                for lane, writer in wanting:
                    lane.feed(0, writer.end, sha256, size_bytes)
                return size_bytes, sha256
            finally:
                reader.close()
        except SourceError as error:
            if not self._is_tree:
                raise
            for lane, writer in wanting:
                if not begun:
                    lane.feed(0, writer.begin, entry)
                lane.feed(0, writer.spoil)
            raise _Broken(error) from error

    def _begun(self, reader: ContentReader, entry: Entry, wanting: Sequence[Outlet]) -> Sequence[Outlet]:
        """Begins a file everywhere; the outlets that are to be given its content.

        SAFETY: one target at most takes the file itself over, or two copies would be one.
        """
        writing: list[Outlet] = []
        taken = False
        for outlet in wanting:
            lane, writer = outlet
            if not taken and isinstance(reader, OwnFile) and isinstance(writer, TakesFiles) and lane.error is None:
                taken = _taken(lane, writer, entry, reader.file)
                if taken:
                    lane.feed(0, writer.settle)
                    lane.send()
                    continue
            else:
                lane.feed(0, writer.begin, entry)
            writing.append(outlet)
        return writing

    def _rest(self, reader: ContentReader, entry: Entry, block: bytes, writing: Sequence[Outlet]) -> tuple[int, bytes]:
        """Hashes the content and gives it to those that write it."""
        digest, size_bytes = hashlib.sha256(), 0
        while block:
            size_bytes += len(block)
            if entry.size_known and size_bytes > entry.node.size:
                raise _changed(self._name, entry, size_bytes)
            digest.update(block)
            for lane, writer in writing:
                lane.feed(len(block), writer.write, block)
            self._alive()
            self._tell(entry, size_bytes)
            block = reader.read(_BLOCK_BYTES)
        if entry.size_known and size_bytes != entry.node.size:
            raise _changed(self._name, entry, size_bytes)
        return size_bytes, digest.digest()

    def _spoiled(self, entry: Entry, error: SourceError) -> None:
        subject = f"{self._name}: {entry.path.decode('utf-8', 'backslashreplace')}"
        self._digest.feed(entry, None)
        self._dump.problem(Problem(code=error.code, subject=subject, detail=error.phrase))

    def _tell(self, entry: Entry, more_bytes: int = 0) -> None:
        done = self.content_bytes + more_bytes
        if done - self._told_bytes < _PROGRESS_BYTES and self._items - self._told_items < _PROGRESS_ITEMS:
            return
        self._told_bytes, self._told_items = done, self._items
        current = f"{self._name}: {entry.path.decode('utf-8', 'backslashreplace')}"
        self._listener(Progress(phase="read", items_done=self._items, bytes_done=done, current=current))
        if done - self._trimmed_bytes >= _TRIM_BYTES or self._items - self._trimmed_items >= _TRIM_ITEMS:
            # Threads that free blocks of all sizes leave holes, which the C library keeps: twice of what is in use.
            self._trimmed_bytes, self._trimmed_items = done, self._items
            return_freed_memory()


def _wants(outlet: Outlet, entry: Entry) -> bool:
    """Asks a writer; one that cannot even say so has failed, and wants nothing."""
    try:
        return outlet.writer.wants(entry)
    except HoldfastError as error:
        outlet.lane.fail(error)
        return False


def _taken(lane: Lane, writer: TakesFiles, entry: Entry, file: Path) -> bool:
    """Whether the file itself is kept; the entry has begun in any case, or the lane has failed."""
    try:
        return lane.wait(lane.ask(writer.begin_with, entry, file))
    except HoldfastError as error:
        if error is not lane.error:
            raise
        return False


def _write_small(writer: ComponentWriter, entry: Entry, content: bytes, sha256: bytes) -> None:
    """A whole small file in one step: steps cost more than its bytes do."""
    writer.begin(entry)
    if content:
        writer.write(content)
    writer.end(sha256, len(content))


def _first_block(reader: ContentReader, entry: Entry) -> tuple[bytes, bool]:
    """The first block, and whether it is everything, which only the reader's own end proves."""
    first = reader.read(_SMALL_BYTES)
    if entry.size_known and len(first) != entry.node.size:
        return first, False
    if first and (not entry.size_known or len(first) >= _SMALL_BYTES):
        return first, False
    more = reader.read(_SMALL_BYTES) if first else b""
    return first + more, not more


def _changed(name: str, entry: Entry, size_bytes: int) -> SourceError:
    path = entry.path.decode("utf-8", "backslashreplace")
    return DumpIncomplete(
        source=name,
        reason=Phrase(
            "{path} has {size_bytes} bytes or more, not {announced}",
            {"path": path, "size_bytes": size_bytes, "announced": entry.node.size},
        ),
    )
