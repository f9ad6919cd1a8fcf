"""Walking what is to be backed up, depth first, each directory listed once in name order."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from functools import partial

from holdfast.errors import FormatError
from holdfast.format.node import encode_node
from holdfast.format.node_head import encode_name
from holdfast.model.ids import BlobId
from holdfast.repository.backup.file_queue import FileQueue, Pending
from holdfast.repository.backup.nodes import other_node
from holdfast.repository.backup.previous import subtree_of
from holdfast.repository.backup.report import BackupOptions, BackupProblem, Counts
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.backup.selection import Selection
from holdfast.repository.backup.targets import TargetTree
from holdfast.repository.backup.tree_builder import Directory, TreeBuilder
from holdfast.repository.backup.unchanged import UnchangedTest

_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
_LONG_PATH = 3800
_HOP = 3000
_ANY_NUMBER = 1 << 30


class Walker:
    """Walks targets, reuses what is unchanged and queues the rest."""

    def __init__(
        self,
        builder: TreeBuilder,
        files: FileQueue,
        unchanged: UnchangedTest,
        resume: ResumeJournal,
        selection: Selection,
        options: BackupOptions,
        counts: Counts,
        tell: Callable[[Directory], None],
    ) -> None:
        self._tell = tell
        self._builder = builder
        self._files = files
        self._unchanged = unchanged
        self._resume = resume
        self._selection = selection
        self._with_atime = options.with_atime
        self._counts = counts
        self._stack: list[tuple[Directory, TargetTree | None]] = []
        self._extra: dict[bytes, bytes] = {}

    def walk(
        self, targets: TargetTree, previous_root: BlobId | None, extra: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Walks everything; when it returns, all files are stored and the builder knows the root.

        Args:
            targets: what to walk.
            previous_root: the parent snapshot's tree.
            extra: names and finished entries of further files in the root.
        """
        root = Directory(b"/", None, 0, None, previous_root)
        self._extra = dict(extra)
        self._stack = [(root, targets)]
        while self._stack:
            directory, shape = self._stack.pop()
            self._builder.load_previous(directory)
            if shape is None:
                self._list_real(directory)
            else:
                self._list_shape(directory, shape)
            self._builder.listing_done(directory)
            self._files.collect(_ANY_NUMBER)
            self._tell(directory)
        self._files.drain()

    def _list_shape(self, directory: Directory, shape: TargetTree) -> None:
        pushed: list[tuple[Directory, TargetTree | None]] = []
        extra = self._extra if directory.parent is None else {}
        for name in sorted({*shape.children, *extra}):
            if name in extra:
                directory.add(extra[name])
                continue
            child = shape.children[name]
            try:
                status = os.lstat(child.path) if child.is_target else os.stat(child.path)
            except OSError as error:
                self._problem(child.path, error)
                continue
            if child.is_target:
                if not self._selection.takes_target(child.path, status):
                    continue
                self._entry(directory, name, child.path, child.path, status, pushed)
            else:
                self._directory(directory, name, child.path, child.path, status, pushed, child)
        self._stack += reversed(pushed)

    def _list_real(self, directory: Directory) -> None:
        try:
            descriptor = open_directory(directory.path)
        except OSError as error:
            self._problem(directory.path, error)
            return
        try:
            try:
                with os.scandir(descriptor) as listing:
                    found = sorted([(os.fsencode(entry.name), entry) for entry in listing], key=_first)
            except OSError as error:
                self._problem(directory.path, error)
                return
            # Outside of the handler: an `OSError` of the repository's side is no problem of this folder.
            self._list_entries(directory, descriptor, found)
        finally:
            os.close(descriptor)

    def _list_entries(self, directory: Directory, descriptor: int, found: list[tuple[bytes, os.DirEntry[str]]]) -> None:
        base = directory.path
        prefix = base if base.endswith(b"/") else base + b"/"
        deep = len(base) > _LONG_PATH - 256
        names = [name for name, _ in found]
        if self._selection.marked(names, base):
            kept = self._selection.marker_names()
            found = [item for item in found if item[0] in kept]
        pushed: list[tuple[Directory, TargetTree | None]] = []
        trivial, takes = self._selection.trivial, self._selection.takes
        near = b"/proc/self/fd/%d/" % descriptor
        for name, entry in found:
            path = prefix + name
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._problem(path, error)
                continue
            if trivial or takes(path, status):
                self._entry(directory, name, path, near + name if deep else path, status, pushed)
        self._stack += reversed(pushed)

    def _entry(
        self,
        directory: Directory,
        name: bytes,
        path: bytes,
        access: bytes,
        status: os.stat_result,
        pushed: list[tuple[Directory, TargetTree | None]],
    ) -> None:
        mode = status.st_mode
        if stat.S_ISREG(mode):
            self._file(directory, name, path, access, status)
        elif stat.S_ISDIR(mode):
            self._directory(directory, name, path, access, status, pushed, None)
        elif not stat.S_ISSOCK(mode):
            # COMPAT(restic): sockets mean nothing without the program behind them and are not recorded.
            try:
                node = other_node(name, status, access, with_atime=self._with_atime)
            except (OSError, FormatError) as error:
                self._problem(path, error)
                return
            directory.add(encode_node(node))

    def _file(self, directory: Directory, name: bytes, path: bytes, access: bytes, status: os.stat_result) -> None:
        name_json = encode_name(name)
        former = directory.previous.get(name)
        known = former is not None
        if former is None:
            former = self._resume.entry(path)
        if former is not None:
            entry = self._unchanged.entry(name_json, status, former, partial(_same_path, access))
            if entry is not None:
                directory.add(entry)
                self._counts.file(status.st_size, known=known, unmodified=known)
                return
        pending = Pending(directory, directory.reserve(), (access, name), path, status.st_size, known)
        if access is path:
            self._files.add(pending)
        else:
            self._files.save_now(pending)

    def _directory(
        self,
        parent: Directory,
        name: bytes,
        path: bytes,
        access: bytes,
        status: os.stat_result,
        pushed: list[tuple[Directory, TargetTree | None]],
        shape: TargetTree | None,
    ) -> None:
        try:
            node = other_node(name, status, access, with_atime=self._with_atime)
        except OSError as error:
            self._problem(path, error)
            return
        previous = subtree_of(parent.previous.get(name))
        child = Directory(path, parent, parent.reserve(), node, previous)
        if shape is None and not self._selection.descends(status):
            self._builder.listing_done(child)
            return
        pushed.append((child, shape))

    def _problem(self, path: bytes, error: Exception) -> None:
        code = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._counts.problems.append(BackupProblem(path, code, detail))


def _first(item: tuple[bytes, object]) -> bytes:
    return item[0]


def _same_path(path: bytes) -> bytes:
    return path


def open_directory(path: bytes) -> int:
    """Opens a directory for listing; a path longer than the kernel takes is walked in hops.

    Raises:
        OSError: it vanished, became something else, or may not be read.
    """
    if len(path) <= _LONG_PATH:
        return os.open(path, _DIRECTORY_FLAGS)
    hop = path.rindex(b"/", 0, _HOP)
    descriptor = os.open(path[:hop], _DIRECTORY_FLAGS)
    rest = path[hop + 1 :]
    while rest:
        hop = rest.rindex(b"/", 0, _HOP) if len(rest) > _HOP else len(rest)
        step, rest = rest[:hop], rest[hop + 1 :]
        try:
            following = os.open(step, _DIRECTORY_FLAGS, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = following
    return descriptor
