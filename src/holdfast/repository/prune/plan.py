"""Which packs stay, which are repacked, which go. Pure: the index, what is in use, sizes and options in; a plan out.

Source: format sheet, section 20.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from holdfast.errors import Phrase, PruneRefused
from holdfast.model.blob import BlobType
from holdfast.model.ids import PackId, short
from holdfast.model.pack import Pack
from holdfast.repository.prune.options import Ids, PruneOptions, PrunePlan, PruneStats
from holdfast.repository.prune.weigh import PackUse, weigh

_SMALL_ENOUGH_TO_BOTHER = 10
_SMALL_SHARE = 0.8
_SMALL_REFERENCE_BYTES = 4 << 20
_SMALL_PERCENTILE = 3


class _Candidate(NamedTuple):
    """A pack that may be repacked. `must`: whatever the limit of unused data."""

    id: PackId
    use: PackUse
    must: bool


class _Decided:
    """Packs by what becomes of them."""

    def __init__(self) -> None:
        self.unreferenced: list[PackId] = []
        self.remove: list[PackId] = []
        self.repack: list[PackId] = []
        self.candidates: list[_Candidate] = []
        self.small: list[_Candidate] = []


def make_plan(
    packs: Iterable[Pack], used: Ids, sizes: Mapping[PackId, int], options: PruneOptions, *, version: int
) -> PrunePlan:
    """Decides about every pack.

    Args:
        packs: every pack that the index lists, each once; iterated several times.
        used: every blob that a snapshot refers to.
        sizes: the packs that are there, and their bytes.
        options: limits and wishes.
        version: the repository's; packs of trees that are not compressed are repacked from 2 on.

    Raises:
        PruneRefused: a blob in use is in no index, or its pack is missing or has the wrong size. Nothing that such a
            repository holds may be deleted.
    """
    stats = PruneStats()
    weighed = weigh(packs, sizes, used, stats)
    small_below = small_limit_bytes(sizes.values(), options)
    decided = _sort_packs(weighed.packs, sizes, options, small_below, version, stats)
    _choose_repacks(decided, options, small_below, stats)
    if version < 2:
        stats.uncompressed_bytes = 0
    kept: Ids = (set(), set())
    if decided.repack and (weighed.repeated[0] or weighed.repeated[1]):
        gone = {*decided.repack, *decided.remove, *weighed.missing}
        kept = _repeated_in_kept_packs(packs, weighed.repeated, gone)
    return PrunePlan(
        unreferenced=tuple(decided.unreferenced),
        remove=tuple(decided.remove),
        repack=tuple(decided.repack),
        vanished=tuple(weighed.missing),
        used=used,
        kept=kept,
        stats=stats,
    )


def small_limit_bytes(sizes: Collection[int], options: PruneOptions) -> int:
    """Below which size a pack counts as small.

    Unless given, 80 % of 4 MiB, or of the third percentile of the sizes there are where that is more: a repository
    whose packs are all larger has no small ones.
    """
    if options.repack_smaller_than_bytes:
        return options.repack_smaller_than_bytes
    if options.repack_small:
        return int(_SMALL_SHARE * options.pack_bytes)
    ordered = sorted(sizes)
    percentile = ordered[len(ordered) * _SMALL_PERCENTILE // 100] if ordered else 0
    return int(_SMALL_SHARE * max(_SMALL_REFERENCE_BYTES, percentile))


def _sort_packs(
    uses: Mapping[PackId, PackUse],
    sizes: Mapping[PackId, int],
    options: PruneOptions,
    small_below: int,
    version: int,
    stats: PruneStats,
) -> _Decided:
    decided = _Decided()
    for pack_id, size in sizes.items():
        use = uses.get(pack_id)
        if use is None:
            decided.unreferenced.append(pack_id)
            stats.packs_unreferenced += 1
            stats.unreferenced_bytes += size
            continue
        if use.used_blobs and use.size_bytes != size:
            raise PruneRefused(
                reason=Phrase(
                    "pack {pack_id} is {size} bytes large and should be {size_bytes} by the index",
                    {"pack_id": short(pack_id), "size": size, "size_bytes": use.size_bytes},
                )
            )
        if use.uncompressed:
            stats.uncompressed_bytes += use.size_bytes
        _sort_pack(decided, pack_id, use, options, small_below, version, stats)
    return decided


def _sort_pack(
    decided: _Decided,
    pack_id: PackId,
    use: PackUse,
    options: PruneOptions,
    small_below: int,
    version: int,
    stats: PruneStats,
) -> None:
    compress = version >= 2 and use.uncompressed and (use.kind is BlobType.TREE or options.repack_uncompressed)
    wholly_used = not use.unused_blobs
    if not use.used_blobs:
        stats.packs_unused += 1
        decided.remove.append(pack_id)
        stats.removed.add(use.unused_blobs, use.unused_bytes)
        stats.packs_removed += 1
        if use.uncompressed:
            stats.uncompressed_bytes -= use.size_bytes
        return
    stats.packs_used += wholly_used
    stats.packs_partly_used += not wholly_used
    if options.repack_cacheable_only and use.kind is BlobType.DATA:
        stats.packs_kept += 1
    elif not wholly_used or use.kind is None or compress:
        decided.candidates.append(_Candidate(pack_id, use, use.kind is not BlobType.DATA or compress))
    elif use.size_bytes < small_below:
        decided.small.append(_Candidate(pack_id, use, use.kind is not BlobType.DATA))
    else:
        stats.packs_kept += 1


def _choose_repacks(decided: _Decided, options: PruneOptions, small_below: int, stats: PruneStats) -> None:
    """Takes candidates, those worth most first, until the limits are reached."""
    candidates = decided.candidates
    if len(decided.small) >= _SMALL_ENOUGH_TO_BOTHER:
        candidates = candidates + decided.small
    else:
        stats.packs_kept += len(decided.small)
    limit = options.max_unused.limit_bytes(stats.used.size_bytes)
    budget = float("inf") if options.max_repack_bytes is None else options.max_repack_bytes
    if options.unsafe_recover_no_free_space:
        budget = 0
    for pack_id, use, must in sorted(candidates, key=lambda candidate: _worth(candidate, small_below)):
        within_limit = stats.remaining_unused_bytes < limit and use.size_bytes >= small_below
        if stats.repacked.size_bytes + use.size_bytes >= budget or (within_limit and not must):
            stats.packs_kept += 1
            continue
        decided.repack.append(pack_id)
        stats.packs_repacked += 1
        stats.repacked.add(use.used_blobs + use.unused_blobs, use.size_bytes)
        stats.dropped.add(use.unused_blobs, use.unused_bytes)
        if use.uncompressed:
            stats.uncompressed_bytes -= use.size_bytes


def _worth(candidate: _Candidate, small_below: int) -> tuple[bool, bool, float, bytes]:
    """Trees and mixed packs first, small ones first, then by how much of a pack is not used."""
    use = candidate.use
    ratio = use.unused_bytes / (use.used_bytes + use.header_bytes)
    return use.kind is BlobType.DATA, use.size_bytes >= small_below, -ratio, candidate.id


def _repeated_in_kept_packs(packs: Iterable[Pack], repeated: Ids, gone: Collection[PackId]) -> Ids:
    found: tuple[set[bytes], set[bytes]] = (set(), set())
    for pack in packs:
        if pack.id not in gone:
            for blob in pack.blobs:
                if blob.id in repeated[blob.type]:
                    found[blob.type].add(blob.id)
    return found
