"""A repository as a library gives it out: snapshots, what is in them, and files as streams."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Self

from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.errors import FormatError, PathNotFound
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId, short
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.policy.selection import newest_first
from holdfast.repository.index import Index
from holdfast.repository.local_caches import default_root
from holdfast.repository.local_copies import LocalCopies
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.opening import open_repository
from holdfast.repository.read_ahead import PieceReader, ReadAhead
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.resolve import resolve_snapshot
from holdfast.repository.snapshots import load_snapshots
from holdfast.repository.trees import components, find_node, find_subtree, walk
from holdfast.runtime.secret import Secret

_BUFFER_BYTES = 1 << 20


class Item(NamedTuple):
    """One entry of a snapshot: its path from the snapshot's root, as text that `os.fsencode` turns back into bytes."""

    path: str
    node: Node


class OpenRepository:
    """An open repository, for reading. Made by `holdfast.repository.open`; safe to use from several threads."""

    def __init__(self, repository: Repository, lock: RepositoryLock | None) -> None:
        copies = LocalCopies(repository)
        self._repository = repository
        self._lock = lock
        self._index = Index(repository)
        copies.follow(self._index)
        self._index.sync()
        self._reader = Reader(repository, self._index)

    @property
    def url(self) -> str:
        """Where it is, for people."""
        return self._repository.url

    @property
    def id(self) -> str:
        """The repository's own id, 64 hexadecimal digits."""
        return self._repository.config.id.hex()

    def snapshots(self) -> list[Snapshot]:
        """All snapshots that can be read, newest first."""
        return newest_first(load_snapshots(self._repository))

    def snapshot(self, name: str = "latest") -> Snapshot:
        """One snapshot.

        Args:
            name: its id, the beginning of it, `latest`, or `latest~1` for the one before.

        Raises:
            SnapshotNotFound: none or several match.
        """
        return resolve_snapshot(self._repository, name)

    def entries(self, snapshot: Snapshot, path: str = "", *, recursive: bool = True) -> Iterator[Item]:
        """What is in a folder of a snapshot, each folder before what is in it.

        Args:
            path: of the folder; the root by default.
            recursive: go into folders.

        Raises:
            PathNotFound: there is no such folder.
            DamageError: a folder cannot be read.
        """
        inner = b"".join(b"/" + name for name in components(os.fsencode(path)))
        tree = self._tree(snapshot, inner)
        for found, node in walk(self._reader, tree, None if recursive else _never, prefix=inner):
            yield Item(os.fsdecode(found), node)

    def node(self, snapshot: Snapshot, path: str) -> Node:
        """The entry at a path. Raises `PathNotFound`, for the root too, which has none."""
        found = find_node(self._reader, self._refreshed(snapshot), os.fsencode(path), short(snapshot.id or b""))
        if found is None:
            raise PathNotFound(path=path or "/", snapshot=short(snapshot.id or b""))
        return found

    def open_file(self, snapshot: Snapshot, path: str) -> BinaryIO:
        """A file of a snapshot as a stream, read ahead; each byte is proved by its hash before it is given.

        Raises:
            PathNotFound: there is no such file.
            DamageError: while reading; what was read until then is right, but not all.
        """
        node = self.node(snapshot, path)
        if node.type is not NodeType.FILE:
            raise PathNotFound(path=path, snapshot=f"{short(snapshot.id or b'')}: a {node.type.value}, not a file")
        if node.content is None:
            raise FormatError(object=f"file {node.name!r}", reason="it has no content")
        return io.BufferedReader(_FileStream(self._reader, node), _BUFFER_BYTES)

    def _tree(self, snapshot: Snapshot, path: bytes) -> BlobId:
        return find_subtree(self._reader, self._refreshed(snapshot), path, short(snapshot.id or b""))

    def _refreshed(self, snapshot: Snapshot) -> BlobId:
        """The snapshot's tree; what others stored meanwhile is looked up first."""
        if not self._index.contains(BlobType.TREE, snapshot.tree):
            self._index.sync()
        return snapshot.tree

    def close(self) -> None:
        """Gives the lock, the index and connections back."""
        try:
            if self._lock is not None:
                self._lock.release()
        finally:
            self._index.close()
            self._repository.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _FileStream(io.RawIOBase):
    """Lets `io.BufferedReader` read a file of a snapshot."""

    def __init__(self, reader: Reader, node: Node) -> None:
        super().__init__()
        self._ahead = ReadAhead(reader)
        self._content = PieceReader(self._ahead.file(node))

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fills a part of the buffer; 0 at the end."""
        block = self._content.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Ends the reading ahead."""
        if not self.closed:
            self._content.close()
            self._ahead.close()
        super().close()


def open_for_reading(url: str, password: str | bytes | Secret, *, lock: bool, cache: bool) -> OpenRepository:
    """See `holdfast.repository.open`."""
    revealed = password.reveal() if isinstance(password, Secret) else password
    secret = revealed.encode() if isinstance(revealed, str) else revealed
    backend = open_backend(url, options=BackendOptions(read_only=not lock))
    try:
        repository = open_repository(backend, secret, cache_root=default_root(os.environ) if cache else None)
        held = acquire(repository, False, confirm_later=True) if lock else None
        try:
            return OpenRepository(repository, held)
        except BaseException:
            if held is not None:
                held.release()
            raise
    except BaseException:
        backend.close()
        raise


def _never(_path: bytes, _node: Node) -> bool:
    return False
