"""Writers of one component: a file, several files, a tar, or members of a zip."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote_from_bytes

from holdfast.archive.layouts.layout import FileRow
from holdfast.archive.node_text import encode as encode_node
from holdfast.archive.output import Output
from holdfast.archive.tar_writer import TarWriter
from holdfast.archive.zip_writer import EXTRA_MAX, NODE_EXTRA, ZipWriter
from holdfast.errors import Phrase
from holdfast.model.buffer import Buffer
from holdfast.model.component import Component, Problem
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import Entry

_STEP_BYTES = 1024 * 1024
_LARGE_BYTES = 1 << 31


class Store(Protocol):
    """What a component's writer asks of the backup that it belongs to."""

    def output(self, component: Component, entry: str = "") -> Output:
        """Begins a file for content; `entry` is the base name of one of several."""
        ...

    def joined(self, component: Component) -> Output | None:
        """Begins the file that joins all tables, where the layout has one."""
        ...

    def keep(self, output: Output, component: Component, *, path: str = "", purpose: str = "content") -> FileRow:
        """Finishes and commits a file."""
        ...

    def state(self, component: Component) -> Output:
        """Begins the file that keeps the state of a component."""
        ...

    def problem(self, component: Component, problem: Problem) -> None:
        """Notes what could not be kept."""
        ...


class Plain:
    """What all writers have in common: every content is wanted, and state goes into a file of its own.

    Args:
        store: the backup.
        component: the component.
    """

    def __init__(self, store: Store, component: Component) -> None:
        self._store = store
        self._component = component
        self._open: list[Output] = []

    def wants(self, entry: Entry) -> bool:  # noqa: ARG002 - the protocol's signature
        """An archive has no earlier content to refer to: everything is wanted."""
        return True

    def finish(self, state: Path | None = None) -> None:
        """All entries were given."""
        self._close()
        if state is not None:
            output = self._opened(self._store.state(self._component))
            with open(state, "rb") as source:
                while block := source.read(_STEP_BYTES):
                    output.write(block)
            self._kept(output, purpose="state")

    def abort(self) -> None:
        """Leaves nothing of what is not committed yet."""
        for output in self._open:
            output.abort()
        self._open.clear()

    def _close(self) -> None:
        """Finishes the content."""

    def _opened(self, output: Output) -> Output:
        self._open.append(output)
        return output

    def _kept(self, output: Output, *, path: str = "", purpose: str = "content") -> None:
        self._store.keep(output, self._component, path=path, purpose=purpose)
        self._open.remove(output)

    def _note(self, code: str, path: bytes, detail: str) -> None:
        subject = path.decode("utf-8", "backslashreplace")
        self._store.problem(self._component, Problem(code=code, subject=subject, detail=detail))


class FilesWriter(Plain):
    """One file for each entry; of a component that is one file, exactly that."""

    def __init__(self, store: Store, component: Component, *, single: bool) -> None:
        super().__init__(store, component)
        self._single = single
        self._current: Output | None = None
        self._path = ""
        joined = store.joined(component)
        self._joined = None if joined is None else self._opened(joined)
        self._first = True
        if self._joined is not None:
            self._joined.write(b"{")

    def begin(self, entry: Entry) -> None:
        """The next file; anything else is left out."""
        if entry.node.type is not NodeType.FILE:
            if entry.path and entry.node.type is not NodeType.DIR:
                self._note("not-archived", entry.path, "only files are kept here")
            return
        base = entry.path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
        self._current = self._opened(self._store.output(self._component, "" if self._single else base))
        self._path = quote_from_bytes(entry.path)
        if self._joined is not None:
            self._joined.write(b"%s\n%s: " % (b"" if self._first else b",", _key(base.removesuffix(".json"))))
            self._first = False

    def begin_with(self, entry: Entry, file: Path) -> bool:
        """The next file, which lies in `file`; True if that file itself is what will be kept."""
        self.begin(entry)
        return self._current is not None and self._joined is None and self._current.take_over(file)

    def settle(self) -> None:
        """Makes the current file durable while its content is still being hashed."""
        if self._current is not None:
            self._current.settle()

    def write(self, block: Buffer) -> None:
        """More of the current file."""
        if self._current is not None:
            self._current.write(block)
        if self._joined is not None:
            self._joined.write(block)

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """The current file is whole."""
        if self._current is not None:
            self._current.expect(sha256, size_bytes)
        self._end()

    def spoil(self) -> None:
        """The current file stays as far as it could be read; whoever makes the backup decides whether it counts."""
        self._end()

    def _end(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            self._kept(current, path=self._path)

    def _close(self) -> None:
        if self._joined is not None:
            self._joined.write(b"\n}\n")
            self._kept(self._joined, purpose="sidecar")
            self._joined = None


class TarComponent(Plain):
    """A tree as one tar."""

    def __init__(self, store: Store, component: Component) -> None:
        super().__init__(store, component)
        self._output = self._opened(store.output(component))
        self._tar = TarWriter(self._output.write, lambda problem: store.problem(component, problem))

    def begin(self, entry: Entry) -> None:
        """The next entry."""
        self._tar.begin(entry)

    def write(self, block: Buffer) -> None:
        """More of the current file."""
        self._tar.write(block)

    def end(self, sha256: bytes, size_bytes: int) -> None:  # noqa: ARG002 - the protocol's signature
        """The current file is whole."""
        self._tar.end()

    def spoil(self) -> None:
        """The current file broke off."""
        self._tar.spoil()

    def _close(self) -> None:
        self._tar.finish()
        self._kept(self._output)


class ZipComponent(Plain):
    """Entries as members of the bundle's zip, each with its whole node beside it.

    Args:
        store: the backup.
        component: the component.
        archive: the zip.
        name: gives the name of the member for an entry, unlike those of all others.
        row: hears of each member of a component that is no tree: its name, path, size and SHA-256.
    """

    def __init__(
        self,
        store: Store,
        component: Component,
        archive: ZipWriter,
        name: Callable[[Entry], str],
        row: Callable[[str, bytes, int, bytes], None],
    ) -> None:
        super().__init__(store, component)
        self._zip = archive
        self._name_of = name
        self._row = row
        self._name = ""
        self._entry: Entry | None = None
        self._taken = 0

    def begin(self, entry: Entry) -> None:
        """The next entry."""
        node = entry.node
        if node.type is NodeType.SOCKET:
            self._note("not-archived", entry.path, "a socket cannot be kept in a zip")
            return
        self._name = self._name_of(entry)
        large = not entry.size_known or node.size >= _LARGE_BYTES
        self._zip.begin(self._name, node, extra=self._extra(entry), large=large)
        if node.type is NodeType.FILE:
            self._entry, self._taken = entry, 0
            return
        self._zip.write(node.linktarget)
        self._zip.end()

    def write(self, block: Buffer) -> None:
        """More of the current file; what goes beyond the size that was announced is left out."""
        entry = self._entry
        if entry is None:
            return
        room = entry.node.size - self._taken if entry.size_known else memoryview(block).nbytes
        self._taken += memoryview(block).nbytes
        if room > 0:
            self._zip.write(memoryview(block)[:room])

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """The current file is whole."""
        entry = self._entry
        if entry is not None and entry.size_known and size_bytes != entry.node.size:
            sizes = {"announced": entry.node.size, "taken": size_bytes}
            detail = Phrase("it was announced with {announced} bytes and had {taken}", sizes)
            self._note("changed-while-read", entry.path, detail)
            self._fill(entry)
        self._zip.end()
        if entry is not None:
            self._row(self._name, entry.path, size_bytes, sha256)
        self._entry = None

    def spoil(self) -> None:
        """The current file broke off: zeros take the place of what is missing."""
        entry, self._entry = self._entry, None
        if entry is not None and entry.size_known:
            self._fill(entry)
        self._zip.end()
        if entry is not None:
            self._row(self._name, entry.path, self._taken, b"")

    def abort(self) -> None:
        """Lets go of threads."""
        self._zip.close()
        super().abort()

    def _fill(self, entry: Entry) -> None:
        missing = entry.node.size - self._taken
        while missing > 0:
            self._zip.write(bytes(min(missing, _STEP_BYTES)))
            missing -= _STEP_BYTES

    def _extra(self, entry: Entry) -> bytes:
        text = encode_node(entry.path, entry.node, size_known=entry.size_known)
        if len(text) > EXTRA_MAX:
            self._note("attributes-left-out", entry.path, "its extended attributes are too large for a zip")
            text = encode_node(entry.path, _without_attributes(entry.node), size_known=entry.size_known)
        return struct.pack("<HH", NODE_EXTRA, len(text)) + text


AnyWriter = FilesWriter | TarComponent | ZipComponent


def _without_attributes(node: Node) -> Node:
    from msgspec.structs import replace

    return replace(node, xattrs=())


def _key(text: str) -> bytes:
    import msgspec

    return msgspec.json.encode(text)
