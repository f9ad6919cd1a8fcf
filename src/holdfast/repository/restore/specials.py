"""Links, FIFOs and device nodes."""

from __future__ import annotations

import os
import stat

from holdfast.errors import UnsafePath
from holdfast.model.node import Node, NodeType
from holdfast.repository.restore.directories import Directories, Directory
from holdfast.repository.restore.metadata import Rights, apply, metadata_of

_PRIVATE = 0o600
_KINDS = {
    NodeType.SYMLINK: stat.S_IFLNK,
    NodeType.FIFO: stat.S_IFIFO,
    NodeType.BLOCK_DEVICE: stat.S_IFBLK,
    NodeType.CHAR_DEVICE: stat.S_IFCHR,
}

DEVICES = frozenset({NodeType.BLOCK_DEVICE, NodeType.CHAR_DEVICE})


def make_special(directories: Directories, directory: Directory, node: Node, rights: Rights) -> int:
    """Makes a symbolic link, FIFO or device under a name that is free, with its metadata.

    Returns:
        How many items of its metadata were not allowed.

    Raises:
        OSError: it could not be made.
        UnsafePath: it was replaced by something else before its metadata was set.
    """
    fd = directories.fd(directory)
    if node.type is NodeType.SYMLINK:
        os.symlink(node.linktarget, node.name, dir_fd=fd)
    elif node.type is NodeType.FIFO:
        os.mkfifo(node.name, _PRIVATE, dir_fd=fd)
    else:
        os.mknod(node.name, _KINDS[node.type] | _PRIVATE, node.device, dir_fd=fd)
    own_fd = os.open(node.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        status = os.fstat(own_fd)
        if stat.S_IFMT(status.st_mode) != _KINDS[node.type] or status.st_nlink != 1:
            raise UnsafePath(path=os.fsdecode(node.name), reason="it was replaced while it was restored")
        # The magic link leads to exactly what the descriptor holds, also where that is a symbolic link itself.
        is_link = node.type is NodeType.SYMLINK
        return apply(f"/proc/self/fd/{own_fd}", metadata_of(node), rights, link=is_link)
    finally:
        os.close(own_fd)


def make_link(directories: Directories, first: Directory, first_name: bytes, other: Directory, name: bytes) -> None:
    """Gives a restored file a further name, which must be free. Raises `OSError`."""
    first_fd = os.dup(directories.fd(first))
    try:
        os.link(first_name, name, src_dir_fd=first_fd, dst_dir_fd=directories.fd(other), follow_symlinks=False)
    finally:
        os.close(first_fd)
