"""Directories of the target as the planner sees them: made private, filled, and given their final metadata last."""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict

from holdfast.repository.restore.metadata import Metadata, Rights, apply
from holdfast.repository.restore.removal import remove_tree
from holdfast.repository.restore.safe_fs import Root, check_name, open_child

PRIVATE = 0o700

_KEPT = 96
_OWNER_MAY_ALL = 0o700


class Directory:
    """One directory of the target.

    Attributes:
        parent: None for the target itself.
        name: its name in the parent.
        fresh: whether this restore made it, so that nothing can be in it yet.
        made: whether it exists by now; directories that only lead to selected items are made when needed.
        broken: it could not be made, and nothing in it can be restored.
        inode: what it must still be when it is opened again; 0 if unknown.
        metadata: what it gets in the end; None leaves it as it is.
        depth: how many directories lie above it.
    """

    __slots__ = ("broken", "depth", "fresh", "inode", "made", "metadata", "name", "parent")

    def __init__(self, parent: Directory | None, name: bytes, metadata: Metadata | None) -> None:
        self.parent = parent
        self.name = name
        self.metadata = metadata
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.fresh = False
        self.made = parent is None
        self.broken = False
        self.inode = 0

    def path(self) -> bytes:
        """Its path below the target, without a leading slash; computed, because deep ones would fill the memory."""
        names: list[bytes] = []
        here = self
        while here.parent is not None:
            names.append(here.name)
            here = here.parent
        return b"/".join(reversed(names))


class Directories:
    """Makes, opens and finishes directories below a root. Belongs to one thread.

    Every directory is opened in its parent by one name that is never followed if it is a link.

    Args:
        root: the target; None if it is not there, which is possible only for a dry run.
        dry: look at what is there and change nothing; directories that would be made count as made.
    """

    def __init__(self, root: Root | None, rights: Rights, *, dry: bool = False) -> None:
        self._root_fd = -1 if root is None else root.open()
        self._rights = rights
        self._dry = dry
        self._open: OrderedDict[Directory, int] = OrderedDict()

    def close(self) -> None:
        """Closes all descriptors."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()
        if self._root_fd >= 0:
            os.close(self._root_fd)

    def fd(self, directory: Directory) -> int:
        """A descriptor for the `*at` calls, valid until many others have been asked for. Raises `OSError`."""
        chain: list[Directory] = []
        here = directory
        while here.parent is not None and here not in self._open:
            chain.append(here)
            here = here.parent
        fd = self._root_fd
        if here.parent is not None:
            fd = self._open[here]
            self._open.move_to_end(here)
        for deeper in reversed(chain):
            fd = self._enter(deeper, fd)
        return fd

    def _enter(self, directory: Directory, parent_fd: int) -> int:
        fd = open_child(parent_fd, directory.name)
        inode = os.fstat(fd).st_ino
        if directory.inode and inode != directory.inode:
            os.close(fd)
            raise OSError(errno.ENOTDIR, "the directory was replaced meanwhile")
        directory.inode = inode
        self._open[directory] = fd
        if len(self._open) > _KEPT:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def make(self, directory: Directory) -> None:
        """Sees to it that a directory and those above it exist, removing what is no directory. Raises `OSError`."""
        chain: list[Directory] = []
        here: Directory | None = directory
        while here is not None and not here.made:
            chain.append(here)
            here = here.parent
        for one in reversed(chain):
            self._make_one(one)

    def _make_one(self, directory: Directory) -> None:
        parent = directory.parent
        assert parent is not None
        check_name(directory.name)
        status = self.lstat(parent, directory.name)
        directory.fresh = status is None or not stat.S_ISDIR(status.st_mode)
        if not (directory.fresh and self._dry):
            parent_fd = self.fd(parent)
            if directory.fresh:
                if status is not None:
                    # SAFETY: a single entry that is no directory; a link is removed, not what it points to.
                    os.unlink(directory.name, dir_fd=parent_fd)
                os.mkdir(directory.name, PRIVATE, dir_fd=parent_fd)
            fd = self._enter(directory, parent_fd)
            if not directory.fresh and not self._rights.root and not self._dry:
                _open_up(fd)
        directory.made = True

    def lstat(self, directory: Directory, name: bytes) -> os.stat_result | None:
        """What a name in a directory stands for; None if there is nothing. Raises `OSError`."""
        if directory.fresh:
            return None
        try:
            return os.stat(name, dir_fd=self.fd(directory), follow_symlinks=False)
        except FileNotFoundError:
            return None

    def entries(self, directory: Directory) -> list[bytes]:
        """Names of everything in a directory. Raises `OSError`."""
        if directory.fresh:
            return []
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd(directory))
        try:
            return [os.fsencode(name) for name in os.listdir(fd)]
        finally:
            os.close(fd)

    def remove(self, directory: Directory, name: bytes) -> int:
        """Deletes an entry with all it contains. Returns how many entries those were. Raises `OSError`."""
        check_name(name)
        return remove_tree(self.fd(directory), name)

    def finish(self, directory: Directory) -> int:
        """Gives a directory its final metadata. Returns how many items of it were not allowed. Raises `OSError`."""
        if directory.metadata is None or self._dry:
            return 0
        fd = self.fd(directory)
        ignored = apply(f"/proc/self/fd/{fd}", directory.metadata, self._rights)
        os.close(self._open.pop(directory))
        return ignored


def _open_up(fd: int) -> None:
    """Lets an ordinary user write into their own read-only directory until its metadata is set."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & _OWNER_MAY_ALL != _OWNER_MAY_ALL:
        try:
            os.chmod(f"/proc/self/fd/{fd}", mode | _OWNER_MAY_ALL)
        except PermissionError:
            return
