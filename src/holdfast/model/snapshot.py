"""A snapshot: the root of one backup in a repository."""

from __future__ import annotations

import msgspec

from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant


class SnapshotSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the backup that made a snapshot counted. Sizes are bytes."""

    backup_start: Instant
    backup_end: Instant
    files_new: int = 0
    files_changed: int = 0
    files_unmodified: int = 0
    dirs_new: int = 0
    dirs_changed: int = 0
    dirs_unmodified: int = 0
    data_blobs: int = 0
    tree_blobs: int = 0
    data_added: int = 0
    data_added_packed: int = 0
    total_files_processed: int = 0
    total_bytes_processed: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One snapshot document. `id` is None until the document has been stored."""

    time: Instant
    tree: BlobId
    paths: tuple[str, ...]
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    excludes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    parent: SnapshotId | None = None
    original: SnapshotId | None = None
    program_version: str = ""
    summary: SnapshotSummary | None = None
    id: SnapshotId | None = None
