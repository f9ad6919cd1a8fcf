"""What of a node the formats of tar and zip have no place for, as text in the places they leave free."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from holdfast.model.node import Node, NodeType

_ROOT = b"holdfast-root "
_LINKS = b"holdfast-links "


class NodeText(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node in JSON; names and values that may be any bytes are percent-encoded."""

    path: str = ""
    type: str = "file"
    mode: int = 0
    mtime_ns: int = 0
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    links: int = 0
    size: int = 0
    size_known: bool = True
    linktarget: str = ""
    device: int = 0
    xattrs: list[tuple[str, str]] = []


def encode(path: bytes, node: Node, *, size_known: bool = True) -> bytes:
    """JSON of a path and its node."""
    text = NodeText(
        path=quote_from_bytes(path),
        type=node.type.value,
        mode=node.mode,
        mtime_ns=node.mtime_ns,
        uid=node.uid,
        gid=node.gid,
        user=_printable(node.user),
        group=_printable(node.group),
        inode=node.inode,
        device_id=node.device_id,
        links=node.links,
        size=node.size,
        size_known=size_known,
        linktarget=quote_from_bytes(node.linktarget),
        device=node.device,
        xattrs=[(quote_from_bytes(name), quote_from_bytes(value)) for name, value in node.xattrs],
    )
    return msgspec.json.encode(text)


def decode(data: bytes) -> tuple[bytes, Node, bool]:
    """The path, the node, and whether its size was known.

    Raises:
        ValueError: it is not what `encode` wrote.
    """
    text = msgspec.json.decode(data, type=NodeText)
    path = unquote_to_bytes(text.path)
    values: dict[str, Any] = {name: getattr(text, name) for name in _SAME}
    node = Node(
        name=path.rpartition(b"/")[2],
        type=NodeType(text.type),
        linktarget=unquote_to_bytes(text.linktarget),
        xattrs=tuple((unquote_to_bytes(name), unquote_to_bytes(value)) for name, value in text.xattrs),
        **values,
    )
    return path, node, text.size_known


_SAME = ("mode", "mtime_ns", "uid", "gid", "user", "group", "inode", "device_id", "links", "size", "device")


def root_comment(node: Node) -> bytes:
    """The comment that keeps the root directory of a tree."""
    return _ROOT + encode(b"", node)


def read_root_comment(comment: bytes) -> Node | None:
    """The root directory, if the comment keeps one."""
    if not comment.startswith(_ROOT):
        return None
    try:
        return decode(comment[len(_ROOT) :])[1]
    except (ValueError, msgspec.DecodeError):
        return None


def links_comment(node: Node) -> bytes:
    """The comment that says of which file a name is one of several."""
    return _LINKS + b"%d %d %d %d" % (node.links, node.inode, node.device_id, node.size)


def read_links_comment(comment: bytes) -> tuple[int, int, int, int] | None:
    """Number of links, inode, device and size, if the comment keeps them."""
    numbers = comment[len(_LINKS) :].split(b" ")
    if not comment.startswith(_LINKS) or len(numbers) != 4 or not all(number.isdigit() for number in numbers):
        return None
    links, inode, device_id, size = (int(number) for number in numbers)
    return links, inode, device_id, size


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
