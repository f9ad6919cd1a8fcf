"""A disk whose memory is shorter than its programs believe.

Every change is a `Step`. The disk keeps two truths apart: what a running program sees, and what a power cut is
sure to leave. They meet at `fsync`: of a file for its content and permissions, of a folder for the names in it.
The rules are those of POSIX at their weakest, which journals of common file systems only ever tighten.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

ROOT = 1


class Kind(StrEnum):
    """What a step does."""

    MKDIR = "mkdir"
    CREATE = "create"
    WRITE = "write"
    SYNC = "fsync"
    SYNC_FAILED = "failed-fsync"
    CHMOD = "chmod"
    RENAME = "rename"
    LINK = "link"
    SYNC_DIR = "fsync-dir"
    UNLINK = "unlink"


class Step(NamedTuple):
    """One change, as it is logged and replayed.

    `number` is the inode that is made or written; `to` the second name of a rename or link.
    """

    kind: Kind
    path: str = ""
    to: str = ""
    number: int = 0
    data: bytes = b""
    mode: int = 0

    def __str__(self) -> str:
        size = f" {len(self.data)} bytes" if self.data else ""
        inode = f" inode {self.number}" if self.number else ""
        return f"{self.kind.value} {self.path}{' -> ' + self.to if self.to else ''}{inode}{size}"


class File:
    """A file: everything written, and how much of it is sure to last."""

    __slots__ = ("content", "durable_bytes", "durable_mode", "lost", "mode", "modified_s")

    def __init__(self, mode: int) -> None:
        self.content = b""
        self.mode = mode
        self.modified_s = 0.0
        self.durable_bytes = 0
        self.durable_mode = mode
        self.lost = False

    def copy(self) -> File:
        twin = File(self.mode)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin


class Folder:
    """A folder: the names a program sees in it, and those sure to last."""

    __slots__ = ("durable", "names")

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.durable: dict[str, int] = {}

    def copy(self) -> Folder:
        twin = Folder()
        twin.names, twin.durable = dict(self.names), dict(self.durable)
        return twin


class EntryChange(NamedTuple):
    """A change to the names of a folder that no fsync has covered yet. A rename is one change: both or neither."""

    folder: int
    removes: str = ""
    adds: str = ""
    number: int = 0

    def apply(self, names: dict[str, int]) -> None:
        """Makes the change in a folder's names, whether or not those before it were made."""
        if self.removes:
            names.pop(self.removes, None)
        if self.adds:
            names[self.adds] = self.number


class SimDisk:
    """Files and folders by inode number; `apply` is the only thing that changes them.

    Attributes:
        nodes: every inode ever made.
        newest: the highest inode number.
        pending: changes of names not yet covered by an fsync of their folder, oldest first.
    """

    def __init__(self) -> None:
        self.nodes: dict[int, File | Folder] = {ROOT: Folder()}
        self.newest = ROOT
        self.pending: list[EntryChange] = []

    def copy(self) -> SimDisk:
        """An independent disk in the same state, with the same things pending."""
        twin = SimDisk()
        twin.nodes = {number: node.copy() for number, node in self.nodes.items()}
        twin.newest = self.newest
        twin.pending = list(self.pending)
        return twin

    # --- finding --------------------------------------------------------------------------------

    def number_of(self, path: str) -> int:
        """The inode a path leads to. Raises `FileNotFoundError` or `NotADirectoryError`."""
        number = ROOT
        for name in path.split("/"):
            if name not in ("", "."):
                number = self.folder(number, path).names.get(name, 0)
                if not number:
                    raise _os_error(errno.ENOENT, path)
        return number

    def folder(self, number: int, path: str = "") -> Folder:
        """An inode that is a folder. Raises `NotADirectoryError`."""
        node = self.nodes[number]
        if isinstance(node, File):
            raise _os_error(errno.ENOTDIR, path)
        return node

    def file(self, number: int, path: str = "") -> File:
        """An inode that is a file. Raises `IsADirectoryError`."""
        node = self.nodes[number]
        if isinstance(node, Folder):
            raise _os_error(errno.EISDIR, path)
        return node

    def parent_of(self, path: str) -> tuple[int, Folder, str]:
        """Inode and names of the folder a path lies in, and the last part of the path."""
        above, _, name = path.rpartition("/")
        number = self.number_of(above)
        return number, self.folder(number, path), name

    def paths(self) -> Iterator[str]:
        """Every path that a program sees, folders before what is in them."""
        waiting = [("", ROOT)]
        while waiting:
            path, number = waiting.pop()
            yield path or "/"
            node = self.nodes[number]
            if isinstance(node, Folder):
                waiting += [(f"{path}/{name}", inode) for name, inode in node.names.items()]

    # --- changing -------------------------------------------------------------------------------

    def check(self, step: Step) -> None:
        """Raises the `OSError` that the operating system would raise for a step; changes nothing."""
        kind = step.kind
        if kind in (Kind.MKDIR, Kind.CREATE):
            _, folder, name = self.parent_of(step.path)
            if name in folder.names:
                raise _os_error(errno.EEXIST, step.path)
        elif kind in (Kind.RENAME, Kind.LINK):
            self.file(self.number_of(step.path), step.path)
            number, folder, name = self.parent_of(step.to)
            if kind is Kind.LINK and name in folder.names:
                raise _os_error(errno.EEXIST, step.to)
            if number != self.parent_of(step.path)[0]:
                raise _os_error(errno.EXDEV, step.to)
        elif kind is Kind.UNLINK:
            self.file(self.number_of(step.path), step.path)
        elif kind is Kind.SYNC_DIR:
            self.folder(self.number_of(step.path), step.path)
        elif kind is Kind.CHMOD:
            self.number_of(step.path)

    def apply(self, step: Step, now_s: float = 0.0) -> None:
        """Makes one step that `check` has let through."""
        kind = step.kind
        if kind in (Kind.MKDIR, Kind.CREATE):
            self.newest = step.number
            self.nodes[step.number] = Folder() if kind is Kind.MKDIR else File(step.mode)
            self._change(step.path, adds=step.path, number=step.number)
        elif kind is Kind.RENAME:
            self._change(step.path, removes=step.path, adds=step.to, number=self.number_of(step.path))
        elif kind is Kind.LINK:
            self._change(step.path, adds=step.to, number=self.number_of(step.path))
        elif kind is Kind.UNLINK:
            self._change(step.path, removes=step.path)
        elif kind is Kind.SYNC_DIR:
            number = self.number_of(step.path)
            folder = self.folder(number)
            folder.durable = dict(folder.names)
            self.pending = [change for change in self.pending if change.folder != number]
        else:
            self._change_file(step, now_s)

    def _change(self, path: str, *, removes: str = "", adds: str = "", number: int = 0) -> None:
        parent, folder, _ = self.parent_of(path)
        change = EntryChange(parent, removes.rpartition("/")[2], adds.rpartition("/")[2], number)
        change.apply(folder.names)
        self.pending.append(change)

    def _change_file(self, step: Step, now_s: float) -> None:
        if step.kind is Kind.CHMOD:
            node = self.nodes[self.number_of(step.path)]
            if isinstance(node, File):
                node.mode = step.mode
            return
        file = self.file(step.number)
        if step.kind is Kind.WRITE:
            file.content += step.data
            file.modified_s = now_s
        elif step.kind is Kind.SYNC_FAILED:
            # Linux marks pages clean after a failed write-back: a second fsync succeeds and saves nothing.
            file.lost = True
        elif not file.lost:
            file.durable_bytes = len(file.content)
            file.durable_mode = file.mode


def _os_error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
