"""A repository in memory and snapshots pushed into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec.structs import replace

from holdfast.format.mode import from_permissions
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.index import Index
from holdfast.repository.ingest.session import Ingest, IngestOptions
from holdfast.repository.ingest.tree import TreeIngest
from holdfast.repository.locks import RepositoryLock, acquire
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.testing.faulty_backend import FaultyBackend
from snapshot_kit import Tree, read_snapshot

OPTIONS = IngestOptions(paths=("/app",), tags=("app:app",), host="host")


def node(name: bytes, kind: NodeType = NodeType.FILE, **values: object) -> Node:
    """A node that looks as if it came from a file system."""
    known = {"mtime_ns": 5, "ctime_ns": 7, "inode": 9, "uid": 1, "gid": 1} | values
    mode = from_permissions(kind, 0o700 if kind is NodeType.DIR else 0o600)
    return Node(name=name, type=kind, mode=mode, **known)  # type: ignore[arg-type]


def push(tree: TreeIngest, entries: Iterable[tuple[bytes, bytes | None]]) -> TreeIngest:
    """Pushes directories (None) and files."""
    for path, content in entries:
        name = path.rpartition(b"/")[2]
        if content is None:
            tree.directory(path, node(name, NodeType.DIR))
        else:
            push_file(tree, path, content)
    return tree


def push_file(tree: TreeIngest, path: bytes, content: bytes, *, step: int = 50_000, known_size: bool = True) -> None:
    """Pushes one file piece by piece."""
    tree.file(path, node(path.rpartition(b"/")[2], size=len(content) if known_size else 0))
    for start in range(0, len(content), step):
        tree.write(content[start : start + step])
    tree.end(sha256(content).digest(), len(content))


@dataclass
class Kit:
    """A repository, and what a test asks of it."""

    storage: FaultyBackend
    repository: Repository
    index: Index
    running: list[Ingest] = field(default_factory=list[Ingest])
    locks: list[RepositoryLock] = field(default_factory=list[RepositoryLock])

    def ingest(self, options: IngestOptions = OPTIONS) -> Ingest:
        """Begins a snapshot."""
        lock = acquire(self.repository, False, confirm_later=True)
        self.locks.append(lock)
        self.index.sync()
        self.running.append(Ingest(self.repository, self.index, lock, options))
        return self.running[-1]

    def snapshot(self, **trees: Iterable[tuple[bytes, bytes | None]]) -> Snapshot:
        """Makes a whole snapshot."""
        ingest = self.ingest()
        for name, entries in trees.items():
            tree = push(ingest.tree(name.encode()), entries)
            ingest.put(node(name.encode(), NodeType.DIR), tree.finish())
        return ingest.commit()

    def content(self, snapshot: Snapshot) -> Tree:
        """Everything in a snapshot."""
        return read_snapshot(Reader(self.repository, self.index), snapshot)

    def subtree(self, snapshot: Snapshot, name: bytes) -> BlobId:
        """The tree of a folder in the root."""
        (found,) = [one for one in Reader(self.repository, self.index).load_tree(snapshot.tree) if one.name == name]
        assert found.subtree is not None
        return found.subtree

    def close(self) -> None:
        for ingest in self.running:
            ingest.abort()
        for lock in self.locks:
            lock.release()


def changed(original: Node, **values: object) -> Node:
    """The same node with other values."""
    return replace(original, **values)
