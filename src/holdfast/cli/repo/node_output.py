"""Entries of a snapshot as lines and as documents, in the forms that restic gives them."""

from __future__ import annotations

import math
import time
from typing import Any

from holdfast.cli import values
from holdfast.cli.text import escape
from holdfast.format.mode import to_permissions
from holdfast.format.timestamp import render
from holdfast.model.node import Node, NodeType

_TYPE_LETTERS = "dalTLDpSugct?"
_RIGHTS = "rwxrwxrwx"
_SECTOR_BYTES = 512


def permissions(go_mode: int) -> str:
    """The letters for a mode, such as `-rw-r--r--`; those for types and special bits are restic's."""
    special = "".join(letter for place, letter in enumerate(_TYPE_LETTERS) if go_mode & (1 << (31 - place)))
    rights = "".join(letter if go_mode & (1 << (8 - place)) else "-" for place, letter in enumerate(_RIGHTS))
    return (special or "-") + rights


def line(path: bytes, node: Node, *, long: bool = False, human_readable: bool = False) -> str:
    """An entry for people."""
    shown = values.name(path)
    if not long:
        return shown
    size = f"{values.size(node.size):>11}" if human_readable else f"{node.size:6}"
    target = f" -> {values.name(node.linktarget)}" if node.type is NodeType.SYMLINK else ""
    owner = f"{node.uid:5} {node.gid:5}"
    return f"{permissions(node.mode)} {owner} {size} {_moment(node.mtime_ns)} {shown}{target}"


def _moment(ns: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns // 1_000_000_000))
    except (OverflowError, ValueError, OSError):
        return escape(render(ns))


def listed(path: bytes, node: Node) -> dict[str, Any]:
    """An entry as `ls --json` prints it."""
    return {
        "name": node.name,
        "type": node.type.value,
        "path": path,
        "uid": node.uid,
        "gid": node.gid,
        **({"size": node.size} if node.type is NodeType.FILE else {}),
        "mode": node.mode,
        "permissions": permissions(node.mode),
        **_times(node),
        "inode": node.inode,
        "message_type": "node",
        "struct_type": "node",
    }


def found(path: bytes, node: Node) -> dict[str, Any]:
    """An entry as `find --json` prints it."""
    optional = {
        "user": node.user,
        "group": node.group,
        "inode": node.inode,
        "device_id": node.device_id,
        "size": node.size,
        "links": node.links,
        "linktarget": node.linktarget,
        "device": node.device,
    }
    return {
        "path": path,
        "permissions": permissions(node.mode),
        "type": node.type.value,
        "mode": node.mode,
        **_times(node),
        "uid": node.uid,
        "gid": node.gid,
        **{name: value for name, value in optional.items() if value},
    }


def _times(node: Node) -> dict[str, str]:
    return {"mtime": render(node.mtime_ns), "atime": render(node.atime_ns), "ctime": render(node.ctime_ns)}


def measured(node: Node) -> dict[str, Any]:
    """An entry as the disk usage viewer ncdu reads it."""
    return {
        "name": node.name,
        "asize": node.size,
        "dsize": math.ceil(node.size / _SECTOR_BYTES) * _SECTOR_BYTES,
        "dev": node.device_id,
        "ino": node.inode,
        "nlink": node.links,
        "notreg": node.type not in (NodeType.FILE, NodeType.DIR),
        "uid": node.uid,
        "gid": node.gid,
        "mode": to_permissions(node.mode),
        "mtime": node.mtime_ns // 1_000_000_000,
    }
