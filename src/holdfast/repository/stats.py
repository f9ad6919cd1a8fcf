"""Counting what snapshots hold and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from hashlib import sha256

import msgspec

from holdfast.errors import BlobNotFound
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType
from holdfast.model.event import Listener, ignore
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.repository.reader import Reader
from holdfast.repository.trees import load_nodes, mark_references, walk
from holdfast.runtime.cancel import CancelToken


class StatsMode(StrEnum):
    """What is counted.

    `restore-size`: entries and bytes that restoring each snapshot would write.
    `files-by-contents`: files of different content, each once.
    `blobs-per-file`: blobs of each path, each once.
    `raw-data`: blobs in storage, each once.
    """

    RESTORE_SIZE = "restore-size"
    FILES_BY_CONTENTS = "files-by-contents"
    BLOBS_PER_FILE = "blobs-per-file"
    RAW_DATA = "raw-data"


class Stats(msgspec.Struct, kw_only=True):
    """What was counted; fields that a mode does not count stay 0.

    Attributes:
        snapshots: how many were looked at.
        size_bytes: bytes; in `raw-data` as stored.
        files: entries in `restore-size`, else files.
        blobs: blobs.
        uncompressed_bytes: what the blobs hold as plaintext.
        compressed_stored_bytes, compressed_plain_bytes: stored and plaintext bytes of compressed blobs.
    """

    mode: StatsMode
    snapshots: int = 0
    size_bytes: int = 0
    files: int = 0
    blobs: int = 0
    uncompressed_bytes: int = 0
    compressed_stored_bytes: int = 0
    compressed_plain_bytes: int = 0

    @property
    def compression_ratio(self) -> float:
        """Plaintext bytes of compressed blobs for each stored byte of them; 0 if there are none."""
        return self.compressed_plain_bytes / self.compressed_stored_bytes if self.compressed_stored_bytes else 0.0

    @property
    def compression_progress_percent(self) -> float:
        """How much of the plaintext lies in compressed blobs."""
        return 100 * self.compressed_plain_bytes / self.uncompressed_bytes if self.uncompressed_bytes else 0.0

    @property
    def compression_saving_percent(self) -> float:
        """How much smaller the stored blobs are than what they hold."""
        return 100 * (1 - self.size_bytes / self.uncompressed_bytes) if self.uncompressed_bytes else 0.0


def stats(
    reader: Reader,
    snapshots: Sequence[Snapshot],
    mode: StatsMode = StatsMode.RESTORE_SIZE,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> Stats:
    """Counts over the given snapshots.

    Memory: for `restore-size` some 500 bytes for each tree; for `files-by-contents` and `blobs-per-file` some 130
    bytes for each file and blob of it that differ; for `raw-data` as for `UsedBlobs`.

    Raises:
        DamageError: a tree cannot be read, or a blob is in no index.
    """
    result = Stats(mode=mode, snapshots=len(snapshots))
    if mode is StatsMode.RAW_DATA:
        _raw_data(reader, snapshots, result, listener, cancel)
    elif mode is StatsMode.RESTORE_SIZE:
        sizes = _RestoreSizes(reader, cancel or CancelToken())
        for snapshot in snapshots:
            sizes.add(snapshot.tree, result)
    else:
        _unique(reader, snapshots, result, cancel or CancelToken())
    return result


def _raw_data(
    reader: Reader, snapshots: Sequence[Snapshot], result: Stats, listener: Listener, cancel: CancelToken | None
) -> None:
    roots = [snapshot.tree for snapshot in snapshots]
    used = mark_references(reader, roots, listener=listener, cancel=cancel)
    for kind, ids in ((BlobType.DATA, used.data), (BlobType.TREE, used.trees)):
        for blob_id in ids:
            place = reader.index.lookup(kind, blob_id)
            if place is None:
                raise BlobNotFound(object=f"{kind.label} blob {blob_id.hex()[:12]}")
            result.blobs += 1
            result.size_bytes += place.length
            result.uncompressed_bytes += place.raw_length + OVERHEAD if place.raw_length else place.length
            if place.raw_length:
                result.compressed_stored_bytes += place.length
                result.compressed_plain_bytes += place.raw_length + OVERHEAD


# --- restore-size --------------------------------------------------------------------------------


class _TreeSum(msgspec.Struct, gc=False):
    """One directory without those in it: entries, bytes, files with several links, and subtrees with repetitions."""

    entries: int
    size: int
    linked: tuple[tuple[int, int, int], ...]
    subtrees: tuple[bytes, ...]


class _RestoreSizes:
    """Sums over snapshots that share most of their trees: each is decoded once."""

    def __init__(self, reader: Reader, cancel: CancelToken) -> None:
        self._reader = reader
        self._cancel = cancel
        self._sums: dict[bytes, _TreeSum] = {}

    def add(self, root: bytes, result: Stats) -> None:
        seen_links: set[tuple[int, int]] = set()
        waiting = [root]
        while waiting:
            found = self._sum(waiting.pop())
            result.files += found.entries
            result.size_bytes += found.size
            for inode, device, size in found.linked:
                # COMPAT(restic): hard links count once in each snapshot; without an inode nothing tells them apart.
                if not inode or (inode, device) not in seen_links:
                    seen_links.add((inode, device))
                    result.size_bytes += size
            waiting += found.subtrees

    def _sum(self, tree_id: bytes) -> _TreeSum:
        found = self._sums.get(tree_id)
        if found is None:
            self._cancel.raise_if_cancelled()
            nodes = load_nodes(self._reader, tree_id)
            single = [node.size for node in nodes if not _is_linked(node)]
            linked = tuple((node.inode, node.device_id, node.size) for node in nodes if _is_linked(node))
            subtrees = tuple(node.subtree for node in nodes if node.subtree is not None)
            found = self._sums[tree_id] = _TreeSum(len(nodes), sum(single), linked, subtrees)
        return found


def _is_linked(node: Node) -> bool:
    return node.links > 1 and node.type is not NodeType.DIR


# --- files-by-contents, blobs-per-file -----------------------------------------------------------


def _unique(reader: Reader, snapshots: Sequence[Snapshot], result: Stats, cancel: CancelToken) -> None:
    per_blob = result.mode is StatsMode.BLOBS_PER_FILE
    seen: set[bytes] = set()
    paths: set[bytes] = set()
    for path, node in _files(reader, snapshots):
        cancel.raise_if_cancelled()
        content = b"".join(node.content or ())
        if not per_blob:
            if _is_new(seen, content):
                result.files += 1
                result.size_bytes += node.size
            continue
        # COMPAT(restic): the same content at another path is counted only if it was not seen before at all.
        if not _is_new(seen, content):
            continue
        for blob_id in node.content or ():
            if _is_new(paths, path):
                result.files += 1
            if _is_new(seen, path + b"\0" + blob_id):
                result.blobs += 1
                result.size_bytes += _plain_length(reader, blob_id)


def _files(reader: Reader, snapshots: Sequence[Snapshot]) -> Iterator[tuple[bytes, Node]]:
    for snapshot in snapshots:
        for path, node in walk(reader, snapshot.tree):
            if node.type is NodeType.FILE:
                yield path, node


def _is_new(seen: set[bytes], value: bytes) -> bool:
    digest = sha256(value).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True


def _plain_length(reader: Reader, blob_id: bytes) -> int:
    place = reader.index.lookup(BlobType.DATA, blob_id)
    if place is None:
        raise BlobNotFound(object=f"data blob {blob_id.hex()[:12]}")
    return place.plain_length
