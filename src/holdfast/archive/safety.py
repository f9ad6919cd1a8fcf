"""Which members of an archive may be handed on."""

from __future__ import annotations

from holdfast.archive.origin import Origin
from holdfast.model.node import Node, NodeType

_DEVICES = frozenset({NodeType.BLOCK_DEVICE, NodeType.CHAR_DEVICE})


class Guard:
    """Refuses members that would lead outside of where they are restored.

    Args:
        origin: the archive, for errors.
        trusted: whether a record of ours vouches for the file; only then are device nodes handed on.
    """

    def __init__(self, origin: Origin, *, trusted: bool) -> None:
        self._origin = origin
        self._trusted = trusted
        self._symlinks: set[bytes] = set()

    def path(self, raw: bytes) -> bytes:
        """The path of a member, relative and plain; empty for the root.

        Raises:
            UnsafePath: it is absolute, leads upwards or holds a NUL.
        """
        if raw.startswith(b"/"):
            raise self._origin.unsafe(raw, "its path is absolute")
        segments = [segment for segment in raw.split(b"/") if segment not in {b"", b"."}]
        if b".." in segments:
            raise self._origin.unsafe(raw, "its path leads upwards")
        if b"\0" in raw:
            raise self._origin.unsafe(raw, "its path holds a NUL")
        return b"/".join(segments)

    def check(self, path: bytes, node: Node) -> None:
        """Looks at a member as a whole.

        Raises:
            UnsafePath: it lies below a symbolic link of the same archive, or is a device in a foreign one.
        """
        if not path and node.type is not NodeType.DIR:
            raise self._origin.unsafe(path, "it has no name")
        if self._symlinks:
            for at, byte in enumerate(path):
                if byte == 0x2F and path[:at] in self._symlinks:
                    raise self._origin.unsafe(path, "it lies below a symbolic link")
        if node.type is NodeType.SYMLINK:
            self._symlinks.add(path)
        else:
            self._symlinks.discard(path)
        if node.type in _DEVICES and not self._trusted:
            raise self._origin.unsafe(path, "it is a device, and no record vouches for the file")
