"""Owner, extended attributes, times and permissions of restored things, through descriptors only."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from holdfast.format.mode import to_permissions
from holdfast.model.node import Node

Metadata = tuple[int, int, int, int, int, tuple[tuple[bytes, bytes], ...]]
"""Permissions (12 bits), uid, gid, atime_ns, mtime_ns, xattrs: a plain tuple, because millions are sent to workers."""

_SET_IDS = 0o6000
_CAPABILITY = b"security.capability"
_REMOVABLE = (b"user.", b"trusted.", b"system.posix_acl_", _CAPABILITY)
_TOLERATED = frozenset({errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EINVAL})


class Rights(NamedTuple):
    """Who restores and what they want.

    Attributes:
        root: whether owners can be set at will.
        uid, gid: what new files belong to.
        set_ids: restore set-user-id and set-group-id bits and file capabilities.
    """

    root: bool
    uid: int
    gid: int
    set_ids: bool = True

    @classmethod
    def of_process(cls, *, set_ids: bool = True) -> Rights:
        """What this process has."""
        return cls(os.geteuid() == 0, os.geteuid(), os.getegid(), set_ids)


def metadata_of(node: Node) -> Metadata:
    """What a node records."""
    return (to_permissions(node.mode), node.uid, node.gid, node.atime_ns, node.mtime_ns, node.xattrs)


def apply(target: int | str, metadata: Metadata, rights: Rights, *, plain: bool = False, link: bool = False) -> int:
    """Sets owner, attributes, times and permissions, in this order, because each step disturbs the earlier ones not.

    Args:
        target: a descriptor, or `/proc/self/fd/N` for one opened with O_PATH.
        plain: it was just created, belongs to this process's user and group, and has no attributes.
        link: it is a symbolic link, which has no permissions.

    Returns:
        How many items this user or file system does not allow and were left out.

    Raises:
        OSError: anything else went wrong.
    """
    permissions, uid, gid, atime_ns, mtime_ns, xattrs = metadata
    ignored = 0
    owned = plain and uid == rights.uid and gid == rights.gid
    if not owned:
        owned = _set_owner(target, uid, gid, rights)
        ignored += not owned
    if xattrs or not plain:
        ignored += _set_xattrs(target, xattrs, rights, clean=plain)
    os.utime(target, ns=(atime_ns, mtime_ns))
    if not link:
        if permissions & _SET_IDS and not (rights.set_ids and rights.root and owned):
            # SAFETY: with another owner than recorded these bits would give rights that nobody granted.
            permissions &= ~_SET_IDS
            ignored += 1
        os.chmod(target, permissions)
    return ignored


def _set_owner(target: int | str, uid: int, gid: int, rights: Rights) -> bool:
    try:
        os.chown(target, uid, gid)
    except PermissionError:
        if not rights.root:
            _try_group(target, gid)
        return False
    except OSError as error:
        # An id that the file system or the user namespace does not know.
        if error.errno not in _TOLERATED:
            raise
        return False
    return True


def _try_group(target: int | str, gid: int) -> None:
    """A user may give files to a group of theirs."""
    try:
        os.chown(target, -1, gid)
    except PermissionError:
        return


def _set_xattrs(target: int | str, xattrs: tuple[tuple[bytes, bytes], ...], rights: Rights, *, clean: bool) -> int:
    """Sets the recorded attributes and removes others, apart from labels that the system manages itself."""
    ignored = 0 if clean else _remove_others(target, {name for name, _ in xattrs})
    for name, value in xattrs:
        if name == _CAPABILITY and not (rights.set_ids and rights.root):
            ignored += 1
            continue
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno not in _TOLERATED:
                raise
            ignored += 1
    return ignored


def _remove_others(target: int | str, wanted: set[bytes]) -> int:
    ignored = 0
    try:
        present = os.listxattr(target)
    except OSError as error:
        if error.errno in _TOLERATED:
            return 0
        raise
    for name in map(os.fsencode, present):
        if name in wanted or not name.startswith(_REMOVABLE):
            continue
        try:
            os.removexattr(target, name)
        except OSError as error:
            if error.errno not in _TOLERATED | {errno.ENODATA}:
                raise
            ignored += 1
    return ignored
