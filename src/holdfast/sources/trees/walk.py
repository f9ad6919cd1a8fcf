"""Walking trees that change meanwhile: depth first, each directory listed once, in the byte order of names.

Memory holds the names of one directory per level and nothing else. Every name is used relative to a descriptor of its
directory, which is reached without following a link, so that nobody can lead the walk elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from holdfast.errors import FormatError, RestoreError, SourceError
from holdfast.format import mode as go_mode
from holdfast.model.component import Problem
from holdfast.model.node import Node, NodeType
from holdfast.policy.patterns import Excludes
from holdfast.protocols import ContentReader
from holdfast.repository.backup.nodes import other_node, read_xattrs
from holdfast.repository.backup.small_files import OPEN_FLAGS
from holdfast.repository.restore.safe_fs import Folders, Root
from holdfast.runtime.host import group_name, user_name
from holdfast.sources.trees.reading import FileReader
from holdfast.sources.trees.tops import Top, is_below, is_reserved, parents_of

_CACHE_TAG = b"CACHEDIR.TAG"
_CACHE_HEADER = b"Signature: 8a477f597d28d172789f06886806bc55"
_LIST_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT_MODE = 0o755


class Item(NamedTuple):
    """One thing found. Without a node it says that the entries of the directory just named could not be listed."""

    path: bytes
    node: Node | None
    open: Callable[[], ContentReader] | None = None


class Limits(NamedTuple):
    """What a walk leaves out.

    Attributes:
        excludes: by path in the tree, with a slash in front.
        caches: what is in folders that call themselves a cache.
        one_file_system: what is below mount points.
        skip: real paths that belong to us.
    """

    excludes: Excludes
    caches: bool = False
    one_file_system: bool = False
    skip: frozenset[bytes] = frozenset()


class _Level(NamedTuple):
    """A directory on the way: its path below the start, its path in the tree, and names still to come."""

    relative: bytes
    path: bytes
    names: Iterator[bytes]


class Walk:
    """Walks tops one after the other.

    Args:
        problem: hears what could not be looked at.
        cancelled: raises when the walk is to stop.
    """

    def __init__(
        self, tops: Sequence[Top], limits: Limits, problem: Callable[[Problem], None], cancelled: Callable[[], None]
    ) -> None:
        self._tops = tops
        self._limits = limits
        self._problem = problem
        self._cancelled = cancelled

    def items(self) -> Iterator[Item]:
        """Everything, beginning with the tree's root."""
        parents = sorted(parents_of(self._tops).items())
        named: set[bytes] = set()
        if all(top.prefix for top in self._tops):
            yield Item(b"", root_node())
        for top in self._tops:
            for path, directory in parents:
                if path not in named and top.prefix.startswith(path + b"/"):
                    named.add(path)
                    yield Item(path, _node(os.path.basename(path), os.stat(directory), os.fsencode(directory)))
            yield from self._top(top)

    def _top(self, top: Top) -> Iterator[Item]:
        real = os.fsencode(top.path)
        parent, name = os.path.split(real)
        if self._is_ours(real) or (top.prefix and not self._limits.excludes.select(b"/" + top.prefix)):
            return
        try:
            folders = Folders(Root.prepare(parent, create=False))
        except (OSError, RestoreError) as error:
            self._note(top.prefix, error)
            return
        with folders:
            yield from self._walk(folders, parent, top, name)

    def _walk(self, folders: Folders, base: bytes, top: Top, name: bytes) -> Iterator[Item]:
        """One top, found by name in the directory from which descriptors start."""
        try:
            status = os.stat(name or b".", dir_fd=folders.get(b"").fd, follow_symlinks=False)
        except OSError as error:
            self._note(top.prefix, error)
            return
        levels: list[_Level] = []
        yield from self._found(folders, b"", name, top.prefix, status, levels)
        device = status.st_dev
        while levels:
            self._cancelled()
            relative, path, names = levels[-1]
            following = next(names, None)
            if following is None:
                levels.pop()
                continue
            child = path + b"/" + following if path else following
            if not self._takes(base, relative, following, child):
                continue
            try:
                status = os.stat(following, dir_fd=folders.get(relative).fd, follow_symlinks=False)
            except FileNotFoundError:
                # It was removed between the listing and now: the backup shows the moment after.
                continue
            except OSError as error:
                self._note(child, error)
                continue
            descends = not self._limits.one_file_system or status.st_dev == device
            yield from self._found(folders, relative, following, child, status, levels if descends else None)

    def _takes(self, base: bytes, relative: bytes, name: bytes, path: bytes) -> bool:
        if is_reserved(name):
            return False
        if self._limits.skip and self._is_ours(b"/".join(part for part in (base.rstrip(b"/"), relative, name) if part)):
            return False
        return not self._limits.excludes or self._limits.excludes.select(b"/" + path)

    def _is_ours(self, real: bytes) -> bool:
        return any(real == ours or real.startswith(ours + b"/") for ours in self._limits.skip)

    def _found(
        self,
        folders: Folders,
        relative: bytes,
        name: bytes,
        path: bytes,
        status: os.stat_result,
        levels: list[_Level] | None,
    ) -> Iterator[Item]:
        """What one name stands for; a directory is listed after it was given out."""
        if stat.S_ISSOCK(status.st_mode):
            # COMPAT(restic): sockets mean nothing without the program behind them and are not recorded.
            return
        folder = folders.get(relative).fd
        try:
            node = _node(os.path.basename(path), status, b"/proc/self/fd/%d/" % folder + name)
        except (OSError, FormatError) as error:
            if not isinstance(error, FileNotFoundError):
                self._note(path, error)
            return
        if node.type is NodeType.FILE:
            yield Item(path, node, partial(_open, folders, relative, name, path, status))
            return
        yield Item(path, node)
        if node.type is NodeType.DIR and levels is not None:
            below = relative + b"/" + name if relative else name
            try:
                names = self._listed(folders.get(below).fd)
            except FileNotFoundError:
                return
            except OSError as error:
                self._note(path, error)
                yield Item(path, None)
                return
            levels.append(_Level(below, path, iter(names)))

    def _listed(self, folder: int) -> list[bytes]:
        fd = os.open(b".", _LIST_FLAGS, dir_fd=folder)
        try:
            names = sorted(map(os.fsencode, os.listdir(fd)))
            if self._limits.caches and _CACHE_TAG in names and _is_cache(fd):
                return [_CACHE_TAG]
            return names
        finally:
            os.close(fd)

    def _note(self, path: bytes, error: Exception) -> None:
        code = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._problem(Problem(code=code, subject=path.decode("utf-8", "backslashreplace"), detail=detail))


def root_node() -> Node:
    """The root of a tree that holds several tops; it stands for no directory, so it is the same each time."""
    return Node(name=b"", type=NodeType.DIR, mode=go_mode.from_permissions(NodeType.DIR, _ROOT_MODE))


def _open(folders: Folders, relative: bytes, name: bytes, path: bytes, status: os.stat_result) -> FileReader:
    return FileReader(folders, relative, name, path, status)


def _node(name: bytes, status: os.stat_result, access: bytes) -> Node:
    """What is recorded of a thing. Raises `OSError`, and `FormatError` for one of a kind that nobody knows."""
    if not stat.S_ISREG(status.st_mode):
        return other_node(name, status, access, with_atime=False)
    return Node(
        name=name,
        type=NodeType.FILE,
        mode=go_mode.from_stat(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        inode=status.st_ino,
        device_id=status.st_dev,
        size=status.st_size,
        links=status.st_nlink,
        xattrs=read_xattrs(access),
    )


def _is_cache(folder: int) -> bool:
    try:
        with open(os.open(_CACHE_TAG, OPEN_FLAGS, dir_fd=folder), "rb") as tag:
            return stat.S_ISREG(os.fstat(tag.fileno()).st_mode) and tag.read(len(_CACHE_HEADER)) == _CACHE_HEADER
    except OSError:
        return False


class Opener:
    """Opens files that a walk found earlier. Use it as a context manager."""

    def __init__(self, tops: Sequence[Top]) -> None:
        self._tops = tops
        self._folders: dict[bytes, Folders] = {}

    def of(self, path: bytes, node: Node) -> Callable[[], ContentReader]:
        """Reads a file of the tree, if it still is the one that was found."""
        return partial(self._open, path, node)

    def _open(self, path: bytes, node: Node) -> FileReader:
        top = next(top for top in self._tops if is_below(path, top.prefix))
        base, name = os.path.split(os.fsencode(top.path))
        below = path[len(top.prefix) :].lstrip(b"/")
        whole = b"/".join(part for part in (name, below) if part)
        relative, last = os.path.split(whole)
        try:
            if base not in self._folders:
                self._folders[base] = Folders(Root.prepare(base, create=False))
            folder = self._folders[base].get(relative).fd
            status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise SourceError(path=os.fsdecode(path), reason=error.strerror or str(error)) from error
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (node.size, node.mtime_ns, node.inode):
            raise SourceError(path=os.fsdecode(path), reason="it changed before it was read", problem="changed")
        return FileReader(self._folders[base], relative, last, path, status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for folders in self._folders.values():
            folders.close()
