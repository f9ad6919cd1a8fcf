"""Go's `os.FileMode` bits, which are not those of `st_mode`.

Source: format sheet, section 13.
"""

from __future__ import annotations

import stat

from holdfast.errors import FormatError
from holdfast.model.node import NodeType

DIR = 1 << 31
SYMLINK = 1 << 27
DEVICE = 1 << 26
FIFO = 1 << 25
SOCKET = 1 << 24
SETUID = 1 << 23
SETGID = 1 << 22
CHAR_DEVICE = 1 << 21
STICKY = 1 << 20
IRREGULAR = 1 << 19

_TYPES = {
    stat.S_IFREG: (NodeType.FILE, 0),
    stat.S_IFDIR: (NodeType.DIR, DIR),
    stat.S_IFLNK: (NodeType.SYMLINK, SYMLINK),
    stat.S_IFBLK: (NodeType.BLOCK_DEVICE, DEVICE),
    stat.S_IFCHR: (NodeType.CHAR_DEVICE, DEVICE | CHAR_DEVICE),
    stat.S_IFIFO: (NodeType.FIFO, FIFO),
    stat.S_IFSOCK: (NodeType.SOCKET, SOCKET),
}

_FLAGS = ((stat.S_ISUID, SETUID), (stat.S_ISGID, SETGID), (stat.S_ISVTX, STICKY))
_TYPE_BITS = dict(_TYPES.values())


def from_stat(st_mode: int) -> int:
    """Go's mode of a `st_mode`.

    Raises:
        FormatError: a kind of file the format has no name for.
    """
    go_mode = st_mode & 0o777 | _look_up(st_mode)[1]
    if st_mode & 0o7000:
        for unix_flag, go_flag in _FLAGS:
            if st_mode & unix_flag:
                go_mode |= go_flag
    return go_mode


def to_permissions(go_mode: int) -> int:
    """The twelve bits that `chmod` takes."""
    permissions = go_mode & 0o777
    for unix_flag, go_flag in _FLAGS:
        if go_mode & go_flag:
            permissions |= unix_flag
    return permissions


def from_permissions(node_type: NodeType, permissions: int) -> int:
    """Go's mode of a kind of entry with the twelve bits that `chmod` takes."""
    go_mode = permissions & 0o777 | _TYPE_BITS[node_type]
    for unix_flag, go_flag in _FLAGS:
        if permissions & unix_flag:
            go_mode |= go_flag
    return go_mode


def node_type(st_mode: int) -> NodeType:
    """The kind of entry of a `st_mode`. Raises `FormatError` as `from_stat` does."""
    return _look_up(st_mode)[0]


def _look_up(st_mode: int) -> tuple[NodeType, int]:
    try:
        return _TYPES[stat.S_IFMT(st_mode)]
    except KeyError:
        raise FormatError(object=f"mode {st_mode:o}", reason="the format has no such kind of file") from None
