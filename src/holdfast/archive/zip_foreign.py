"""Zips of other programs, as trees of plain files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from holdfast.archive.content import file_node
from holdfast.archive.origin import Origin
from holdfast.archive.safety import Guard
from holdfast.archive.zip_reader import ZipReader
from holdfast.format.mode import from_permissions
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import ContentReader, Entry

_DIR_MODE = from_permissions(NodeType.DIR, 0o755)


class ForeignZip:
    """Files and directories; permissions and links, which such a zip keeps at its end, are not known in a stream.

    Args:
        open_stream: opens the zip from its start.
        origin: the file, for errors.
    """

    def __init__(self, open_stream: Callable[[], ContentReader], origin: Origin) -> None:
        self._open_stream = open_stream
        self._origin = origin

    def entries(self) -> Iterator[Entry]:
        """The members, in order, after the directories that lead to them.

        Raises:
            BackupDamaged: it is cut short or garbled, or packed in a way that cannot be read as a stream.
            UnsafePath: a member would lead elsewhere.
        """
        guard = Guard(self._origin, trusted=False)
        seen: set[bytes] = set()
        reader = ZipReader(self._open_stream(), self._origin)
        try:
            yield from _directories(b"", seen)
            for member in reader.members():
                path = guard.path(member.name.encode("utf-8", "surrogateescape"))
                if member.name.endswith("/"):
                    yield from _directories(path, seen)
                    continue
                yield from _directories(path.rpartition(b"/")[0], seen)
                node = file_node(path, 0)
                guard.check(path, node)
                yield Entry(path=path, node=node, size_known=False, open=_given(member.content))
        finally:
            reader.close()


def _given(content: ContentReader) -> Callable[[], ContentReader]:
    return lambda: content


def _directories(path: bytes, seen: set[bytes]) -> Iterator[Entry]:
    """A directory and those above it that were not given yet."""
    above = [path[:at] for at, byte in enumerate(path) if byte == 0x2F]
    for one in [b"", *above, path]:
        if one not in seen:
            seen.add(one)
            yield Entry(path=one, node=Node(name=one.rpartition(b"/")[2], type=NodeType.DIR, mode=_DIR_MODE))
