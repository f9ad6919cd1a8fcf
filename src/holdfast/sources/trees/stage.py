"""Writing a part of a tree beside its destination, without letting what is written lead anywhere else."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from msgspec.structs import replace

from holdfast.errors import Phrase, RestoreError, RestoreMismatch, UnsafePath
from holdfast.model.component import Problem
from holdfast.model.node import Node, NodeType
from holdfast.protocols import Entry
from holdfast.repository.restore.directories import PRIVATE, Directories, Directory
from holdfast.repository.restore.metadata import Rights, apply, metadata_of
from holdfast.repository.restore.safe_fs import Root, check_name, restore_error
from holdfast.repository.restore.specials import DEVICES, make_link, make_special
from holdfast.repository.restore.writing import CREATE_FLAGS, is_zero
from holdfast.sources.place_rename import sync_file_system
from holdfast.sources.trees.places import Place

_BLOCK_BYTES = 1 << 20
_HOLE_BYTES = 64 << 10
_PRIVATE_FILE = 0o600


class Read(NamedTuple):
    """What was read of a file."""

    sha256: bytes
    size_bytes: int


class _First(NamedTuple):
    """The first name of a file of several names, and what it holds."""

    directory: Directory
    name: bytes
    read: Read | None


class Stage:
    """One place on its way. Use it as a context manager.

    SAFETY: names are checked, directories are opened one by one and never through a link, and the folder in which all
    this happens is new and private. Device files are not made, and rights to act as somebody else are not given: a
    backup may have been forged.

    Attributes:
        file_count, content_bytes: regular files that were written.
        written: whether there was anything for this place.
    """

    def __init__(self, place: Place, problem: Callable[[Problem], None], cancelled: Callable[[], None]) -> None:
        self.place = place
        self.file_count = 0
        self.content_bytes = 0
        self.written = False
        self.folder_node: Node | None = None
        self._problem = problem
        self._cancelled = cancelled
        self._rights = Rights.of_process(set_ids=False)
        os.mkdir(place.staging, PRIVATE)
        root = Root.prepare(os.fsencode(place.staging), create=False)
        self._directories = Directories(root, self._rights)
        self._top = Directory(None, b"", None)
        self._open: list[tuple[bytes, Directory]] = [(b"", self._top)]
        self._links: dict[tuple[int, int], _First] = {}

    def add(self, entry: Entry) -> Read | None:
        """Writes an entry that belongs to this place.

        Returns:
            What was read, for a regular file.

        Raises:
            RestoreError: it cannot be written, or must not be.
            DamageError: its content is not what was stored.
        """
        self._cancelled()
        for name in entry.path.split(b"/") if entry.path else ():
            check_name(name)
        path = self._path_of(entry.path)
        try:
            if not path:
                self.folder_node = entry.node
                self.written = True
                return None
            return self._add(path, entry)
        except RestoreError:
            raise
        except (OSError, ValueError, OverflowError) as error:
            raise restore_error(entry.path, error) from error

    def _path_of(self, path: bytes) -> bytes:
        """Its path below the staging folder."""
        below = path[len(self.place.prefix) :].lstrip(b"/")
        if self.place.keep_folder:
            return below
        name = os.fsencode(self.place.path.name)
        return name + b"/" + below if below else name

    def _add(self, path: bytes, entry: Entry) -> Read | None:
        parent, name = os.path.split(path)
        check_name(name)
        directory = self._enter(parent)
        self.written = True
        node = entry.node
        if node.type is NodeType.DIR:
            self._make_directory(path, directory, name, node)
        elif node.type is NodeType.FILE:
            return self._file(directory, name, entry)
        elif node.type in DEVICES or node.type is NodeType.SOCKET:
            self._note("not-restored", entry.path, Phrase("a {kind} is not made again", {"kind": node.type.value}))
        else:
            self._special(directory, name, node)
        return None

    def _enter(self, path: bytes) -> Directory:
        """The directory at a path; those that the walk has left get their metadata."""
        while self._open[-1][0] and path != self._open[-1][0] and not path.startswith(self._open[-1][0] + b"/"):
            self._directories.finish(self._open.pop()[1])
        known, directory = self._open[-1]
        for name in path[len(known) :].lstrip(b"/").split(b"/"):
            if name:
                known = known + b"/" + name if known else name
                directory = self._make_directory(known, directory, name, None)
        return directory

    def _make_directory(self, path: bytes, parent: Directory, name: bytes, node: Node | None) -> Directory:
        check_name(name)
        status = self._directories.lstat(parent, name)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise UnsafePath(path=os.fsdecode(path), reason="it is a directory and something else in one backup")
        directory = Directory(parent, name, metadata_of(node) if node is not None else None)
        self._directories.make(directory)
        # From now on it is looked at again, so that a second entry of a name is noticed.
        directory.fresh = False
        self._open.append((path, directory))
        return directory

    def _special(self, directory: Directory, name: bytes, node: Node) -> None:
        key = _link_key(node)
        if key is not None and key in self._links:
            first = self._links[key]
            make_link(self._directories, first.directory, first.name, directory, name)
            return
        make_special(self._directories, directory, _named(node, name), self._rights)
        if key is not None:
            self._links[key] = _First(directory, name, None)

    def _file(self, directory: Directory, name: bytes, entry: Entry) -> Read:
        key = _link_key(entry.node)
        first = self._links.get(key) if key is not None else None
        if first is not None and first.read is not None:
            read = first.read if entry.open is None else self._hashed(entry)
            if read == first.read:
                make_link(self._directories, first.directory, first.name, directory, name)
                self.file_count += 1
                self.content_bytes += read.size_bytes
                return read
            # Its inode was given to another file while the backup ran.
            raise RestoreMismatch(
                destination=os.fsdecode(entry.path), reason="two names of one file have different contents"
            )
        if entry.open is None:
            raise UnsafePath(path=os.fsdecode(entry.path), reason="it is a further name of a file that is not there")
        read = self._written(directory, name, entry)
        if key is not None:
            self._links[key] = _First(directory, name, read)
        self.file_count += 1
        self.content_bytes += read.size_bytes
        return read

    def _hashed(self, entry: Entry) -> Read:
        assert entry.open is not None
        reader = entry.open()
        try:
            digest, size = hashlib.sha256(), 0
            while block := reader.read(_BLOCK_BYTES):
                self._cancelled()
                digest.update(block)
                size += len(block)
        finally:
            reader.close()
        return Read(digest.digest(), size)

    def _written(self, directory: Directory, name: bytes, entry: Entry) -> Read:
        assert entry.open is not None
        reader = entry.open()
        try:
            fd = os.open(name, CREATE_FLAGS, _PRIVATE_FILE, dir_fd=self._directories.fd(directory))
            try:
                digest, size, end = hashlib.sha256(), 0, 0
                while block := reader.read(_BLOCK_BYTES):
                    self._cancelled()
                    digest.update(block)
                    end = _write(fd, block, size, end)
                    size += len(block)
                if end < size:
                    os.ftruncate(fd, size)
                apply(fd, metadata_of(entry.node), self._rights)
            finally:
                os.close(fd)
        finally:
            reader.close()
        return Read(digest.digest(), size)

    def finish(self) -> None:
        """Gives all directories their metadata and makes everything durable. Raises `RestoreError`."""
        try:
            while len(self._open) > 1:
                self._directories.finish(self._open.pop()[1])
            fd = os.open(self.place.staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # DURABILITY: all content is on the disk before the first name is exchanged.
                sync_file_system(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise restore_error(os.fsencode(self.place.staging), error) from error

    def _note(self, code: str, path: bytes, detail: str) -> None:
        self._problem(Problem(code=code, subject=path.decode("utf-8", "backslashreplace"), detail=detail))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._directories.close()


def _write(fd: int, block: bytes, offset: int, end: int) -> int:
    """Writes a block, leaving out long runs of zeros. Returns where the file ends now."""
    for start in range(0, len(block), _HOLE_BYTES):
        part = memoryview(block)[start : start + _HOLE_BYTES]
        if len(part) == _HOLE_BYTES and is_zero(part):
            continue
        done = 0
        while done < len(part):
            done += os.pwrite(fd, part[done:], offset + start + done)
        end = offset + start + len(part)
    return end


def _link_key(node: Node) -> tuple[int, int] | None:
    return (node.inode, node.device_id) if node.links > 1 and node.inode else None


def _named(node: Node, name: bytes) -> Node:
    return node if node.name == name else replace(node, name=name)
