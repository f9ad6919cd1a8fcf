"""Components as an archive gives them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from holdfast.archive.encryption.keys import Keys
from holdfast.archive.layouts.layout import Container, FileRow, container_of
from holdfast.archive.node_text import decode as decode_node
from holdfast.archive.origin import Origin
from holdfast.archive.output import Input, Packing, open_input
from holdfast.archive.safety import Guard
from holdfast.archive.selection import Selection
from holdfast.archive.tar_reader import TarReader
from holdfast.archive.zip_reader import MemberReader, ZipReader
from holdfast.archive.zip_writer import NODE_EXTRA
from holdfast.format.mode import from_permissions
from holdfast.model.component import Component, Shape
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry
from holdfast.protocols.folder import Folder


class Shelf(NamedTuple):
    """Where stored files lie and what opens them."""

    folder: Folder
    keys: Keys
    target: str

    def open(self, file: FileRow) -> Input:
        """A stored file, for its content; proved at its end."""
        packing = Packing(file.compression, file.encryption, file.unpacked_bytes)
        return open_input(self.folder, Origin(file.name, self.target), file.sha256, packing, self.keys)


class FilesContent:
    """A component of which each entry is a file of its own."""

    def __init__(self, component: Component, files: Sequence[FileRow], shelf: Shelf) -> None:
        self._component = component
        self._files = [file for file in files if file.purpose == "content"]
        self._shelf = shelf

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The files, each opened when its content is asked for."""
        selection = Selection(paths)
        for file in self._files:
            path = unquote_to_bytes(file.path)
            node = file_node(path, file.unpacked_bytes or 0)
            Guard(Origin(file.name, self._shelf.target), trusted=True).path(path)
            if selection.takes(path, node.type):
                known = file.unpacked_bytes is not None
                yield Entry(path=path, node=node, size_known=known, open=self._opener(file))

    def _opener(self, file: FileRow) -> Callable[[], ContentReader]:
        return lambda: self._shelf.open(file)


class TarContent:
    """A component that is a tar."""

    def __init__(self, component: Component, files: Sequence[FileRow], shelf: Shelf) -> None:
        self._component = component
        self._file = next(file for file in files if file.purpose == "content")
        self._shelf = shelf

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The members, in order; whoever reads to the end has the whole file proved."""
        origin = Origin(self._file.name, self._shelf.target)
        reader = TarReader(lambda: self._shelf.open(self._file), origin)
        return shaped(reader.entries(), self._component.shape, Selection(paths))


class ZipContent:
    """A component whose entries are members of a bundle.

    Args:
        component: what is there.
        files: its rows.
        bundle: the row of the zip itself.
        shelf: where it lies.
    """

    def __init__(self, component: Component, files: Sequence[FileRow], bundle: FileRow, shelf: Shelf) -> None:
        self._component = component
        self._names = {file.name.partition("!")[2] for file in files}
        self._prefix = next((name for name in self._names if name.endswith("/")), "")
        self._bundle = bundle
        self._shelf = shelf

    @property
    def component(self) -> Component:
        """What is there."""
        return self._component

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The members, in order; members of other components are passed over, and proved all the same."""
        return shaped(self._members(), self._component.shape, Selection(paths))

    def _members(self) -> Iterator[Entry]:
        origin = Origin(self._bundle.name, self._shelf.target)
        guard = Guard(origin, trusted=True)
        reader = ZipReader(self._shelf.open(self._bundle), origin)
        try:
            for member in reader.members():
                ours = member.name.startswith(self._prefix) if self._prefix else member.name in self._names
                if ours:
                    yield _zip_entry(member.extras.get(NODE_EXTRA, b""), member.content, guard, origin)
        finally:
            reader.close()


def stored_content(
    component: Component, files: Sequence[FileRow], bundle: FileRow | None, shelf: Shelf
) -> FilesContent | TarContent | ZipContent:
    """The component behind its rows."""
    if bundle is not None:
        return ZipContent(component, files, bundle, shelf)
    if container_of(component) is Container.TAR:
        return TarContent(component, files, shelf)
    return FilesContent(component, files, shelf)


def shaped(entries: Iterator[Entry], shape: Shape, selection: Selection) -> Iterator[Entry]:
    """Entries that were asked for; directories belong to trees alone."""
    for entry in entries:
        if shape is not Shape.TREE and entry.node.type is NodeType.DIR:
            continue
        if selection.takes(entry.path, entry.node.type):
            yield entry


def file_node(path: bytes, size_bytes: int) -> Node:
    """A node for content that has none."""
    mode = from_permissions(NodeType.FILE, 0o600)
    return Node(name=path.rpartition(b"/")[2], type=NodeType.FILE, mode=mode, size=size_bytes)


def _zip_entry(text: bytes, content: MemberReader, guard: Guard, origin: Origin) -> Entry:
    try:
        path, node, size_known = decode_node(text)
    except (ValueError, msgspec.DecodeError) as error:
        raise origin.damaged("a member lacks its description") from error
    path = guard.path(path)
    guard.check(path, node)
    if node.type is not NodeType.FILE:
        return Entry(path=path, node=node)
    return Entry(path=path, node=node, size_known=size_known, open=lambda: content)
