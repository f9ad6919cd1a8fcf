"""A stream that becomes a file in the snapshot's root."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO

import msgspec

from holdfast.format.node import encode_node
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.runtime.host import group_id, group_name, user_id, user_name


class Stream(msgspec.Struct, frozen=True):
    """A stream to store as a file: a dump, or standard input. `check` runs at its end and raises if it is not whole."""

    name: str
    stream: IO[bytes]
    mode: int = 0o644
    check: Callable[[], None] = lambda: None


def stream_entry(stream: Stream, now_ns: int, content: tuple[BlobId, ...], size: int) -> tuple[bytes, bytes]:
    """Name and encoded entry of a stored stream, which belongs to whoever runs this."""
    node = Node(
        name=os.fsencode(stream.name),
        type=NodeType.FILE,
        mode=stream.mode,
        mtime_ns=now_ns,
        atime_ns=now_ns,
        ctime_ns=now_ns,
        uid=user_id(),
        gid=group_id(),
        user=user_name(user_id()),
        group=group_name(group_id()),
        size=size,
        content=content,
    )
    return node.name, encode_node(node)
