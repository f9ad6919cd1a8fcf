"""What a prune may do, and what it counted."""

from __future__ import annotations

import msgspec

from holdfast.model.ids import PackId
from holdfast.repository.blobs import Compression
from holdfast.repository.writer import DEFAULT_PACK_BYTES


class MaxUnused(msgspec.Struct, frozen=True, kw_only=True):
    """How much unused data may stay rather than be repacked.

    Attributes:
        percent: of the repository's size afterwards; from 100 on there is no limit.
        size_bytes: an absolute limit, which takes the place of `percent`.
    """

    percent: float = 5.0
    size_bytes: int | None = None

    def limit_bytes(self, used_bytes: int) -> float:
        """How many unused bytes are too many, infinity for no limit."""
        if self.size_bytes is not None:
            return self.size_bytes
        if self.percent >= 100:
            return float("inf")
        return int(self.percent / (100 - self.percent) * used_bytes)


UNLIMITED_UNUSED = MaxUnused(percent=100)


class PruneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to prune.

    Attributes:
        max_unused: stop repacking when no more than this is unused.
        max_repack_bytes: stop repacking when this much was repacked; None for no limit. Whatever is left is found
            again by the next run.
        repack_smaller_than_bytes: packs below this size count as small; 0 for a limit chosen by the sizes there are.
        repack_small: packs below 80 % of `pack_bytes` count as small.
        repack_cacheable_only: leave packs of data alone unless nothing in them is used.
        repack_uncompressed: compress data that is stored as it is.
        unsafe_recover_no_free_space: free space before any is taken: no repacking, and index files go first. If it
            is interrupted, the index has to be repaired.
        compression: for blobs that are compressed on the way.
        pack_bytes: size of new packs.
        dry_run: decide, and change nothing.
    """

    max_unused: MaxUnused = MaxUnused()
    max_repack_bytes: int | None = None
    repack_smaller_than_bytes: int = 0
    repack_small: bool = False
    repack_cacheable_only: bool = False
    repack_uncompressed: bool = False
    unsafe_recover_no_free_space: bool = False
    compression: Compression = Compression.AUTO
    pack_bytes: int = DEFAULT_PACK_BYTES
    dry_run: bool = False


class Tally(msgspec.Struct):
    """A number of blobs and their sealed bytes."""

    blobs: int = 0
    size_bytes: int = 0

    def add(self, blobs: int, size_bytes: int) -> None:
        """Counts more of them."""
        self.blobs += blobs
        self.size_bytes += size_bytes


class PruneStats(msgspec.Struct, kw_only=True):
    """What a plan found and decided.

    Attributes:
        used: blobs that snapshots refer to, each counted once.
        duplicate: further copies of them.
        unused: blobs that no snapshot refers to.
        removed: what goes with whole packs.
        repacked: everything in packs that are repacked.
        dropped: what of it is not copied.
        unreferenced_bytes: packs that no index file lists.
        uncompressed_bytes: packs that hold uncompressed blobs afterwards, in a repository that could compress them.
        packs_*: how many packs are wholly, partly or not used, in no index; and what happens to them.
    """

    used: Tally = msgspec.field(default_factory=Tally)
    duplicate: Tally = msgspec.field(default_factory=Tally)
    unused: Tally = msgspec.field(default_factory=Tally)
    removed: Tally = msgspec.field(default_factory=Tally)
    repacked: Tally = msgspec.field(default_factory=Tally)
    dropped: Tally = msgspec.field(default_factory=Tally)
    unreferenced_bytes: int = 0
    uncompressed_bytes: int = 0
    packs_used: int = 0
    packs_partly_used: int = 0
    packs_unused: int = 0
    packs_unreferenced: int = 0
    packs_kept: int = 0
    packs_repacked: int = 0
    packs_removed: int = 0

    @property
    def total_bytes(self) -> int:
        """Sealed bytes of all blobs and unlisted packs before."""
        return self.used.size_bytes + self.duplicate.size_bytes + self.unused.size_bytes + self.unreferenced_bytes

    @property
    def freed_bytes(self) -> int:
        """Bytes that go."""
        return self.removed.size_bytes + self.dropped.size_bytes + self.unreferenced_bytes

    @property
    def remaining_unused_bytes(self) -> int:
        """Bytes of unused and duplicate blobs that stay."""
        unused = self.unused.size_bytes + self.duplicate.size_bytes
        return unused - self.removed.size_bytes - self.dropped.size_bytes


Ids = tuple[frozenset[bytes] | set[bytes], frozenset[bytes] | set[bytes]]
"""Blob ids by type: `ids[BlobType.DATA]`, `ids[BlobType.TREE]`."""


class PrunePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune is going to do.

    Attributes:
        unreferenced: packs that no index file lists; they are deleted first.
        remove: packs without any blob that is needed.
        repack: packs whose needed blobs are copied into new packs before they are deleted.
        vanished: packs that the index lists and that are not there; what is needed of them lies elsewhere too.
        used: every blob that a snapshot refers to.
        kept: of the blobs that lie in several packs, those that lie in a pack that stays; they are not copied.
        stats: what was counted.
    """

    unreferenced: tuple[PackId, ...]
    remove: tuple[PackId, ...]
    repack: tuple[PackId, ...]
    vanished: tuple[PackId, ...]
    used: Ids
    kept: Ids
    stats: PruneStats

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.unreferenced or self.remove or self.repack or self.vanished)
