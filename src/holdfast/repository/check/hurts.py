"""Which snapshots and files damage hurts: from blobs that cannot be read up to the paths that need them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from holdfast.errors import HoldfastError
from holdfast.model.blob import BlobType
from holdfast.model.event import Listener
from holdfast.model.ids import SnapshotId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.policy.selection import newest_first
from holdfast.repository.check.findings import blob_key
from holdfast.repository.check.report import Hurt
from holdfast.repository.reader import Reader
from holdfast.repository.trees import trees_leading_to, walk
from holdfast.runtime.cancel import CancelToken

SNAPSHOTS_LISTED = 5
PATHS_LISTED = 200
PATHS_EACH = 10


class Hurts:
    """What needs one of the broken blobs.

    Reads all trees once more, which is done only for a damaged repository. Memory: some 300 bytes for each tree.

    Attributes:
        snapshots: those that cannot be restored whole, newest first.
        by_error: some of the files, by the number of the error that hurts them.
    """

    def __init__(
        self,
        reader: Reader,
        snapshots: Sequence[Snapshot],
        broken: dict[bytes, list[int]],
        listener: Listener,
        cancel: CancelToken,
    ) -> None:
        self._reader = reader
        self._broken = broken
        self._trees = self._hurt_trees(snapshots, listener, cancel)
        hurt = [snapshot for snapshot in newest_first(snapshots) if snapshot.tree in self._trees]
        self.snapshots = tuple(snapshot.id for snapshot in hurt if snapshot.id is not None)
        self.by_error: dict[int, list[Hurt]] = {}
        for snapshot in hurt[:SNAPSHOTS_LISTED]:
            cancel.raise_if_cancelled()
            self._list_paths(snapshot)

    def _hurt_trees(self, snapshots: Sequence[Snapshot], listener: Listener, cancel: CancelToken) -> set[bytes]:
        """Trees that are broken or refer, directly or not, to something that is."""
        trees = [key[:32] for key in self._broken if key[32] == BlobType.TREE]
        data = {key[:32] for key in self._broken if key[32] == BlobType.DATA}
        roots = [snapshot.tree for snapshot in snapshots]
        return trees_leading_to(self._reader, roots, trees, data, unreadable=True, listener=listener, cancel=cancel)

    def _list_paths(self, snapshot: Snapshot) -> None:
        assert snapshot.id is not None
        for path, numbers in islice(self._paths(snapshot), PATHS_LISTED):
            for number in numbers:
                listed = self.by_error.setdefault(number, [])
                if len(listed) < PATHS_EACH:
                    listed.append(Hurt(SnapshotId(snapshot.id), path))

    def _paths(self, snapshot: Snapshot) -> Iterator[tuple[bytes, set[int]]]:
        root = self._broken.get(blob_key(BlobType.TREE, snapshot.tree))
        if root is not None:
            yield b"/", set(root)
            return

        def is_hurt(_path: bytes, node: Node) -> bool:
            return node.subtree in self._trees

        try:
            for path, node in walk(self._reader, snapshot.tree, is_hurt, on_error=lambda _path, _error: None):
                numbers = self._numbers(node)
                if numbers:
                    yield path, numbers
        except HoldfastError:
            # A tree too deep to name paths in: the error about it is in the report already.
            return

    def _numbers(self, node: Node) -> set[int]:
        keys: Collection[bytes] = ()
        if node.type is NodeType.DIR and node.subtree is not None:
            keys = (blob_key(BlobType.TREE, node.subtree),)
        elif node.content:
            keys = {blob_key(BlobType.DATA, blob_id) for blob_id in node.content}
        return {number for key in keys for number in self._broken.get(key, ())}
