"""Nodes of things found in a file system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from holdfast.format import mode as go_mode
from holdfast.format.node import encode_node, encode_suffix
from holdfast.format.node_head import encode_head
from holdfast.model.node import Node, NodeType
from holdfast.runtime.host import group_name, user_name

_DEVICES = (NodeType.BLOCK_DEVICE, NodeType.CHAR_DEVICE)
_NO_XATTRS = (errno.EOPNOTSUPP, errno.ENODATA, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.ENOENT)


def file_head(name_json: bytes, status: os.stat_result, size: int, *, with_atime: bool) -> bytes:
    """A regular file's node up to and including `links`."""
    mtime_ns = status.st_mtime_ns
    return encode_head(
        name_json,
        "file",
        go_mode.from_stat(status.st_mode),
        mtime_ns,
        status.st_atime_ns if with_atime else mtime_ns,
        status.st_ctime_ns,
        status.st_uid,
        status.st_gid,
        user_name(status.st_uid),
        group_name(status.st_gid),
        status.st_ino,
        status.st_dev,
        size,
        status.st_nlink,
    )


def file_content(ids: Sequence[bytes]) -> bytes:
    """The `content` field that ends a file's node, with the node's closing brace."""
    return b"," + encode_suffix(ids, None)


def read_xattrs(target: int | bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Extended attributes of an open file, or of a path without following a link; unreadable ones are left out."""
    follow = isinstance(target, int)
    try:
        names = os.listxattr(target) if follow else os.listxattr(target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise
    found: list[tuple[bytes, bytes]] = []
    for name in names:
        try:
            value = os.getxattr(target, name) if follow else os.getxattr(target, name, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_XATTRS:
                continue
            raise
        found.append((os.fsencode(name), value))
    return tuple(found)


def other_node(name: bytes, status: os.stat_result, path: bytes, *, with_atime: bool) -> Node:
    """The node of anything but a regular file; a directory's subtree is still missing.

    Args:
        name: as it shall be recorded.
        status: from `lstat`.
        path: where link target and attributes can be read.

    Raises:
        OSError: it vanished or cannot be read.
    """
    kind = go_mode.node_type(status.st_mode)
    return Node(
        name=name,
        type=kind,
        mode=go_mode.from_stat(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_atime_ns if with_atime else status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        inode=status.st_ino,
        device_id=status.st_dev,
        links=status.st_nlink if kind in _DEVICES or kind is NodeType.SYMLINK else 0,
        linktarget=os.readlink(path) if kind is NodeType.SYMLINK else b"",
        xattrs=read_xattrs(path) if kind is not NodeType.SOCKET else (),
        device=status.st_rdev if kind in _DEVICES else 0,
    )


def encode_file(
    name_json: bytes,
    status: os.stat_result,
    xattrs: tuple[tuple[bytes, bytes], ...],
    ids: Sequence[bytes],
    size: int,
    *,
    with_atime: bool,
) -> bytes:
    """A regular file's whole node."""
    head = file_head(name_json, status, size, with_atime=with_atime)
    if not xattrs:
        return head + file_content(ids)
    # The node's own encoder knows how attributes are written; its name and content do not matter here.
    encoded = encode_node(Node(name=b"x", type=NodeType.FILE, xattrs=xattrs, content=()))
    start = encoded.index(b',"extended_attributes":')
    return head + encoded[start : -len(b',"content":[]}')] + file_content(ids)


def is_regular(status: os.stat_result) -> bool:
    """Whether it is a plain file."""
    return stat.S_ISREG(status.st_mode)
