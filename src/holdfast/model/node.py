"""A node: one entry of a directory as a tree blob records it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from holdfast.model.ids import BlobId


class NodeType(StrEnum):
    """Kinds of directory entry, with the names the format uses."""

    FILE = "file"
    DIR = "dir"
    SYMLINK = "symlink"
    BLOCK_DEVICE = "dev"
    CHAR_DEVICE = "chardev"
    FIFO = "fifo"
    SOCKET = "socket"


class Node(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One directory entry.

    Attributes:
        name: raw bytes of the entry's name.
        mode: Go `os.FileMode` bits (see `holdfast.format.mode`), not `st_mode`.
        mtime_ns, atime_ns, ctime_ns: nanoseconds since 1970-01-01 UTC, possibly negative.
        size: bytes of a file; 0 for everything else.
        links: hard-link count; 0 where the format omits it.
        linktarget: raw bytes of a symlink's target.
        xattrs: (name, value) pairs in the kernel's order.
        generic_attributes: raw JSON objects of other systems, by key, kept as they are.
        device: `st_rdev` of a device node.
        content: data blob ids of a file; None for everything else.
        subtree: tree blob id of a directory.
    """

    name: bytes
    type: NodeType
    mode: int = 0
    mtime_ns: int = 0
    atime_ns: int = 0
    ctime_ns: int = 0
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size: int = 0
    links: int = 0
    linktarget: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    generic_attributes: tuple[tuple[str, bytes], ...] = ()
    device: int = 0
    content: tuple[BlobId, ...] | None = None
    subtree: BlobId | None = None
    error: str = ""
