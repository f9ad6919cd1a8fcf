"""Single files as entries, and files as readers."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

from holdfast.errors import HoldfastError
from holdfast.format import mode as go_mode
from holdfast.model.node import Node, NodeType
from holdfast.protocols import ContentReader, Entry
from holdfast.runtime.host import group_id, group_name, user_id, user_name

_PRIVATE = 0o600


class OpenFile:
    """A `ContentReader` over a file of our own, which nobody changes any more.

    Args:
        path: the file; a target may give it a second name instead of copying it.
        failed: what to raise if it cannot be read.
        ended: called when its end is reached; may raise if the content is not to be believed.
    """

    def __init__(
        self,
        path: Path,
        failed: Callable[[OSError], HoldfastError],
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self.file = path
        self._failed = failed
        self._ended = ended
        try:
            self._file = io.FileIO(path)
        except OSError as error:
            raise failed(error) from error

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        try:
            block = self._file.read(size)
        except OSError as error:
            raise self._failed(error) from error
        if not block or size < 0:
            self._ended()
        return block

    def close(self) -> None:
        """Closes it."""
        self._file.close()


def file_entry(
    name: str,
    reader: Callable[[], ContentReader],
    *,
    size_bytes: int | None = None,
    mtime_ns: int | None = None,
) -> Entry:
    """A regular file at the top of a component, private to whoever runs this.

    Args:
        size_bytes: None if nobody knows before it was read.
        mtime_ns: None for now.
    """
    now_ns = time.time_ns() if mtime_ns is None else mtime_ns
    node = Node(
        name=os.fsencode(name),
        type=NodeType.FILE,
        mode=go_mode.from_permissions(NodeType.FILE, _PRIVATE),
        mtime_ns=now_ns,
        atime_ns=now_ns,
        ctime_ns=now_ns,
        uid=user_id(),
        gid=group_id(),
        user=user_name(user_id()),
        group=group_name(group_id()),
        size=size_bytes or 0,
    )
    return Entry(path=node.name, node=node, size_known=size_bytes is not None, open=reader)
