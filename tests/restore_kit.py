"""Snapshots forged node by node, and one call to restore them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from holdfast.format import mode as go_mode
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.model.blob import BlobType
from holdfast.model.event import Event
from holdfast.model.ids import BlobId
from holdfast.model.instant import Instant
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index import Index
from holdfast.repository.repository import Repository
from holdfast.repository.restore.report import RestoreOptions, RestoreReport
from holdfast.repository.restore.run import restore_snapshot
from holdfast.repository.writer import PackWriter
from holdfast.runtime.workers import WorkerPool
from repository_kit import new_repository

TIME_NS = 1_600_000_000_123_456_789
PLACEHOLDER = b"PLACEHOLDER"
_DEFAULT_MODES = {NodeType.DIR: 0o755, NodeType.SYMLINK: 0o777}


class Forge:
    """A repository to which anything can be written that a holder of its key could write.

    Attributes:
        events: what restores told.
    """

    def __init__(self, repository: Repository | None = None, *, pack_bytes: int = 4000) -> None:
        self.repository = repository or new_repository()
        self.index = Index(self.repository)
        self.events: list[Event] = []
        self._writer = PackWriter(self.repository, self.index, pack_bytes=pack_bytes)

    def close(self) -> None:
        self._writer.close()
        self.index.close()

    def blob(self, kind: BlobType, plaintext: bytes, *, again: bool = False) -> BlobId:
        blob_id = BlobId(sha256(plaintext).digest())
        if self._writer.claim(kind, blob_id, even_if_indexed=again):
            self._writer.add(kind, blob_id, *seal_blob(self.repository.sealer(), kind, plaintext, Compression.AUTO))
        return blob_id

    def node(
        self, name: bytes, kind: NodeType = NodeType.FILE, *, permissions: int | None = None, **fields: Any
    ) -> Node:
        if permissions is None:
            permissions = _DEFAULT_MODES.get(kind, 0o644)
        values = {"uid": os.geteuid(), "gid": os.getegid(), "mtime_ns": TIME_NS, "atime_ns": TIME_NS} | fields
        return Node(name=name, type=kind, mode=go_mode.from_permissions(kind, permissions), **values)

    def file(self, name: bytes, *pieces: bytes, **fields: Any) -> Node:
        content = tuple(self.blob(BlobType.DATA, piece) for piece in pieces)
        return self.node(name, **({"content": content, "size": sum(map(len, pieces))} | fields))

    def link(self, name: bytes, target: bytes, **fields: Any) -> Node:
        return self.node(name, NodeType.SYMLINK, linktarget=target, **fields)

    def folder(self, name: bytes, *nodes: Node, **fields: Any) -> Node:
        return self.node(name, NodeType.DIR, subtree=self.tree(*nodes), **fields)

    def tree(self, *nodes: Node, rename: Sequence[tuple[bytes, bytes]] = ()) -> BlobId:
        """A tree of nodes in the order given; `rename` replaces names in the JSON, past every check."""
        plaintext = encode_tree(map(encode_node, nodes))
        for before, after in rename:
            plaintext = plaintext.replace(b'"name":"%s"' % before, b'"name":"%s"' % after)
        return self.blob(BlobType.TREE, plaintext)

    def snapshot(self, tree: BlobId) -> Snapshot:
        self._writer.flush()
        return Snapshot(time=Instant(ns=TIME_NS), tree=tree, paths=("/",))

    def restore(
        self, nodes: Sequence[Node] | BlobId, target: Path, *, pool: WorkerPool | None = None, **options: Any
    ) -> RestoreReport:
        tree = nodes if isinstance(nodes, bytes) else self.tree(*nodes)
        return restore_snapshot(
            self.repository,
            self.index,
            self.snapshot(tree),
            target,
            RestoreOptions(**options),
            self.events.append,
            pool=pool,
        )


def outside_state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything about a folder that a restore elsewhere must not change."""
    found: dict[str, tuple[object, ...]] = {}
    for here, folders, files in os.walk(folder):
        for name in [*folders, *files, "."]:
            path = os.path.join(here, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if os.path.isfile(path) and not os.path.islink(path) else b""
            found[path] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_ino,
                status.st_nlink,
                status.st_mtime_ns,
                status.st_ctime_ns,
                sha256(content).hexdigest(),
            )
    return found
