"""How much of each pack is needed. Pure.

A blob that lies in several packs is needed once. Which copy counts as the needed one is decided so that as little as
possible has to be repacked: one in a pack that is needed anyway, or in a pack that holds nothing but such copies, which
is what an interrupted prune leaves behind; failing that, the last one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from holdfast.errors import Phrase, PruneRefused
from holdfast.format.pack import ENTRY_COMPRESSED_BYTES, ENTRY_RAW_BYTES, HEADER_LENGTH_BYTES
from holdfast.format.seal import OVERHEAD
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import PackId, short
from holdfast.model.pack import Pack
from holdfast.repository.prune.options import Ids, PruneStats

_Copies = dict[tuple[BlobType, bytes], int]


class PackUse(msgspec.Struct, gc=False):
    """What of one pack is needed.

    Attributes:
        kind: the type of its blobs, None if it holds both.
        duplicate_blobs: how many of its blobs are in use and lie elsewhere as well.
        used_bytes, unused_bytes: sealed bytes of its blobs.
        header_bytes: all the rest of it.
        uncompressed: whether a blob in it is stored as it is.
    """

    kind: BlobType | None
    used_blobs: int = 0
    unused_blobs: int = 0
    duplicate_blobs: int = 0
    used_bytes: int = 0
    unused_bytes: int = 0
    header_bytes: int = 0
    uncompressed: bool = False

    @property
    def size_bytes(self) -> int:
        """The size that the pack must have."""
        return self.used_bytes + self.unused_bytes + self.header_bytes


class Weighed(msgspec.Struct):
    """All packs of an index.

    Attributes:
        packs: those that are there.
        missing: those that are not there, and not needed.
        repeated: blobs in use that lie in several places.
    """

    packs: dict[PackId, PackUse]
    missing: list[PackId]
    repeated: tuple[set[bytes], set[bytes]]


def weigh(packs: Iterable[Pack], present: Container[PackId], used: Ids, stats: PruneStats) -> Weighed:
    """Compares the index with what is there and with what is in use.

    Args:
        packs: every pack that the index lists, each once; iterated up to three times, in the same order.
        present: the packs that are there.
        used: every blob that a snapshot refers to.
        stats: counted in.

    Raises:
        PruneRefused: a blob in use lies in no pack that is there.
    """
    weighed: dict[PackId, PackUse] = {}
    missing: list[Pack] = []
    copies: _Copies = {}
    unseen = (set(used[0]), set(used[1]))
    for pack in packs:
        if pack.id in present:
            weighed[pack.id] = _weigh_pack(pack, used, unseen, copies)
        else:
            missing.append(pack)
    if unseen[0] or unseen[1]:
        raise PruneRefused(reason=_what_is_missing(missing, unseen))
    repeated: tuple[set[bytes], set[bytes]] = (set(), set())
    if copies:
        for kind, blob_id in copies:
            repeated[kind].add(blob_id)
        _count_all_copies_as_unused(packs, weighed, repeated, stats)
        _choose_copies(packs, weighed, copies, stats)
    for use in weighed.values():
        stats.used.add(use.used_blobs, use.used_bytes)
        stats.unused.add(use.unused_blobs, use.unused_bytes)
    stats.unused.add(-stats.duplicate.blobs, -stats.duplicate.size_bytes)
    return Weighed(weighed, [pack.id for pack in missing], repeated)


def _what_is_missing(missing: Iterable[Pack], unseen: Ids) -> str:
    needed = [pack.id for pack in missing if any(blob.id in unseen[blob.type] for blob in pack.blobs)]
    if needed:
        return Phrase(
            "{count} packs in use are missing, {needed} among them", {"count": len(needed), "needed": short(needed[0])}
        )
    return Phrase("{count} blobs in use are in no index", {"count": len(unseen[0]) + len(unseen[1])})


def _weigh_pack(pack: Pack, used: Ids, unseen: tuple[set[bytes], set[bytes]], copies: _Copies) -> PackUse:
    blobs = pack.blobs
    kinds = {blob.type for blob in blobs}
    used_blobs = used_bytes = total_bytes = raw = compressible = 0
    for blob in blobs:
        length, kind, blob_id = blob.length, blob.type, blob.id
        total_bytes += length
        if not blob.raw_length:
            raw += 1
            # An empty blob cannot be compressed.
            compressible += length > OVERHEAD
        if blob_id in used[kind]:
            used_blobs += 1
            used_bytes += length
            waiting = unseen[kind]
            if blob_id in waiting:
                waiting.remove(blob_id)
            else:
                key = (kind, blob_id)
                copies[key] = copies.get(key, 1) + 1
    header = raw * ENTRY_RAW_BYTES + (len(blobs) - raw) * ENTRY_COMPRESSED_BYTES + OVERHEAD + HEADER_LENGTH_BYTES
    return PackUse(
        kind=kinds.pop() if len(kinds) == 1 else None,
        used_blobs=used_blobs,
        unused_blobs=len(blobs) - used_blobs,
        used_bytes=used_bytes,
        unused_bytes=total_bytes - used_bytes,
        header_bytes=header,
        uncompressed=compressible > 0,
    )


def _count_all_copies_as_unused(
    packs: Iterable[Pack], weighed: dict[PackId, PackUse], repeated: tuple[set[bytes], set[bytes]], stats: PruneStats
) -> None:
    for pack in packs:
        use = weighed.get(pack.id)
        if use is None:
            continue
        for blob in pack.blobs:
            if blob.id in repeated[blob.type]:
                _move(use, blob, -1)
                use.duplicate_blobs += 1
                stats.duplicate.add(1, blob.length)


def _choose_copies(packs: Iterable[Pack], weighed: dict[PackId, PackUse], copies: _Copies, stats: PruneStats) -> None:
    """Makes one copy of each repeated blob the one that is needed."""
    left = dict(copies)
    for pack in packs:
        use = weighed.get(pack.id)
        if use is None or not use.duplicate_blobs:
            continue
        for blob in pack.blobs:
            key = (blob.type, blob.id)
            count = left.get(key)
            if count is None:
                continue
            if count == 1 or use.used_blobs or use.duplicate_blobs == use.unused_blobs:
                _move(use, blob, 1)
                stats.duplicate.add(-1, -blob.length)
                del left[key]
            else:
                left[key] = count - 1


def _move(use: PackUse, blob: PackedBlob, count: int) -> None:
    """Counts a blob of a pack as used (1) or as unused (-1) instead of the contrary."""
    use.used_blobs += count
    use.unused_blobs -= count
    use.used_bytes += count * blob.length
    use.unused_bytes -= count * blob.length
