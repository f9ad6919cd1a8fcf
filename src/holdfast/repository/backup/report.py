"""What a backup is asked to do and what it tells afterwards."""

from __future__ import annotations

import msgspec

from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot, SnapshotSummary
from holdfast.repository.blobs import Compression
from holdfast.repository.writer import DEFAULT_PACK_BYTES, WriterCounts


class BackupOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to back up.

    Attributes:
        excludes: patterns as `holdfast.policy.patterns` reads them; they are recorded in the snapshot.
        insensitive_excludes: the same, matched without regard to case.
        exclude_if_present: names (or `name:header`) of files that exclude the directory they lie in.
        exclude_larger_than: bytes; 0 for no limit.
        one_file_system: do not descend into other file systems.
        force: read every file, whatever the parent says.
        ignore_ctime, ignore_inode: leave these out of the question whether a file changed.
        parent: the snapshot to compare with; None to choose the newest fitting one.
        time: the snapshot's time; None for now.
        skip_if_unchanged: make no snapshot if it would equal its parent.
        dry_run: read and compare, store nothing.
    """

    excludes: tuple[str, ...] = ()
    insensitive_excludes: tuple[str, ...] = ()
    exclude_if_present: tuple[str, ...] = ()
    exclude_larger_than: int = 0
    one_file_system: bool = False
    force: bool = False
    ignore_ctime: bool = False
    ignore_inode: bool = False
    with_atime: bool = False
    parent: SnapshotId | None = None
    group_by: str = "host,paths"
    tags: tuple[str, ...] = ()
    hostname: str = ""
    time: Instant | None = None
    compression: Compression = Compression.AUTO
    pack_bytes: int = DEFAULT_PACK_BYTES
    skip_if_unchanged: bool = False
    dry_run: bool = False


class BackupProblem(msgspec.Struct, frozen=True, gc=False):
    """One item that is missing from the snapshot or not as it should be. `code` is stable and English."""

    path: bytes
    code: str
    detail: str


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup did. Sizes are bytes, `duration_s` seconds.

    `snapshot` is None after a dry run and where nothing had changed and that was asked to be skipped.
    """

    snapshot: Snapshot | None
    tree: BlobId
    parent: SnapshotId | None
    problems: tuple[BackupProblem, ...]
    files_new: int
    files_changed: int
    files_unmodified: int
    dirs_new: int
    dirs_changed: int
    dirs_unmodified: int
    data_blobs: int
    tree_blobs: int
    data_added: int
    data_added_packed: int
    total_files_processed: int
    total_bytes_processed: int
    duration_s: float


class Counts:
    """Running counts of a backup."""

    def __init__(self) -> None:
        self.files_new = self.files_changed = self.files_unmodified = 0
        self.dirs_new = self.dirs_changed = self.dirs_unmodified = 0
        self.files = self.bytes = 0
        self.problems: list[BackupProblem] = []

    def file(self, size: int, *, known: bool, unmodified: bool = False) -> None:
        """Counts a file; `known` if the parent snapshot has a file of that name."""
        self.files += 1
        self.bytes += size
        if unmodified:
            self.files_unmodified += 1
        elif known:
            self.files_changed += 1
        else:
            self.files_new += 1

    def directory(self, previous: BlobId | None, now: BlobId) -> None:
        """Counts a directory by its former and its present tree."""
        if previous is None:
            self.dirs_new += 1
        elif previous == now:
            self.dirs_unmodified += 1
        else:
            self.dirs_changed += 1

    def summary(self, stored: WriterCounts, started: Instant, ended: Instant) -> SnapshotSummary:
        """What a snapshot says of the run that made it; `stored` is what its writer counted."""
        return SnapshotSummary(
            backup_start=started,
            backup_end=ended,
            files_new=self.files_new,
            files_changed=self.files_changed,
            files_unmodified=self.files_unmodified,
            dirs_new=self.dirs_new,
            dirs_changed=self.dirs_changed,
            dirs_unmodified=self.dirs_unmodified,
            data_blobs=stored.data_blobs,
            tree_blobs=stored.tree_blobs,
            data_added=stored.raw_bytes,
            data_added_packed=stored.stored_bytes,
            total_files_processed=self.files,
            total_bytes_processed=self.bytes,
        )
