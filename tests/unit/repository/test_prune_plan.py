"""What becomes of each pack: decided without a repository."""

from __future__ import annotations

from hashlib import sha256

import pytest

from holdfast.errors import PruneRefused
from holdfast.format.pack import pack_bytes
from holdfast.model.blob import BlobType, PackedBlob
from holdfast.model.ids import BlobId, PackId
from holdfast.model.pack import Pack
from holdfast.repository.prune.options import UNLIMITED_UNUSED, Ids, MaxUnused, PruneOptions, PrunePlan
from holdfast.repository.prune.plan import make_plan, small_limit_bytes

MIB = 1 << 20
DATA, TREE = BlobType.DATA, BlobType.TREE
ANY_SIZE = PruneOptions(repack_smaller_than_bytes=1, max_unused=MaxUnused(percent=0))


def blob_id(name: str) -> BlobId:
    return BlobId(sha256(name.encode()).digest())


def pack_id(name: str) -> PackId:
    return PackId(sha256(b"pack " + name.encode()).digest())


def pack(name: str, *blobs: str, kind: BlobType = DATA, size: int = 1000, raw: bool = False) -> Pack:
    """A pack of blobs by name; `t:name` is a tree whatever `kind` says."""
    packed = []
    for position, text in enumerate(blobs):
        its_kind = TREE if text.startswith("t:") else kind
        packed.append(PackedBlob(its_kind, blob_id(text), position * size, size, 0 if raw else 2 * size))
    return Pack(pack_id(name), tuple(packed))


def uses(*names: str, trees: tuple[str, ...] = ()) -> Ids:
    return {blob_id(name) for name in names}, {blob_id(name) for name in trees}


def sizes_of(packs: list[Pack]) -> dict[PackId, int]:
    return {one.id: pack_bytes(one.blobs) for one in packs}


def plan(packs: list[Pack], used: Ids, options: PruneOptions = ANY_SIZE, *, version: int = 2) -> PrunePlan:
    return make_plan(packs, used, sizes_of(packs), options, version=version)


def ids(*names: str) -> set[PackId]:
    return set(map(pack_id, names))


def test_used_packs_stay_and_unused_packs_go() -> None:
    decided = plan([pack("used", "a", "b"), pack("unused", "c", "d")], uses("a", "b"))
    assert set(decided.remove) == ids("unused")
    assert decided.repack == ()
    assert (decided.stats.used.blobs, decided.stats.unused.blobs, decided.stats.removed.blobs) == (2, 2, 2)
    assert (decided.stats.packs_used, decided.stats.packs_unused, decided.stats.packs_kept) == (1, 1, 1)


def test_partly_used_packs_are_repacked() -> None:
    decided = plan([pack("half", "a", "b"), pack("whole", "c")], uses("a", "c"))
    assert set(decided.repack) == ids("half")
    assert decided.stats.dropped.blobs == 1
    assert decided.stats.remaining_unused_bytes == 0


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert plan([pack("whole", "a")], uses("a")).empty
    assert plan([], uses()).empty


def test_packs_in_no_index_go_first() -> None:
    packs = [pack("listed", "a")]
    sizes = sizes_of(packs) | {pack_id("stray"): 77}
    decided = make_plan(packs, uses("a"), sizes, ANY_SIZE, version=2)
    assert set(decided.unreferenced) == ids("stray")
    assert decided.stats.unreferenced_bytes == 77


# --- refusals ------------------------------------------------------------------------------------


def test_blob_in_no_index_is_refused() -> None:
    with pytest.raises(PruneRefused, match="1 blobs in use are in no index"):
        plan([pack("p", "a")], uses("a", "b"))


def test_type_is_part_of_the_name() -> None:
    with pytest.raises(PruneRefused):
        plan([pack("p", "a", kind=TREE)], uses("a"))


def test_missing_pack_in_use_is_refused() -> None:
    packs = [pack("there", "a"), pack("gone", "b")]
    sizes = sizes_of(packs[:1])
    with pytest.raises(PruneRefused, match="1 packs in use are missing"):
        make_plan(packs, uses("a", "b"), sizes, ANY_SIZE, version=2)


def test_missing_pack_that_nobody_needs_is_forgotten() -> None:
    packs = [pack("there", "a"), pack("gone", "b")]
    decided = make_plan(packs, uses("a"), sizes_of(packs[:1]), ANY_SIZE, version=2)
    assert set(decided.vanished) == ids("gone")
    assert decided.remove == decided.repack == ()


def test_copy_elsewhere_makes_up_for_a_missing_pack() -> None:
    packs = [pack("gone", "a"), pack("there", "a")]
    decided = make_plan(packs, uses("a"), sizes_of(packs[1:]), ANY_SIZE, version=2)
    assert set(decided.vanished) == ids("gone")
    assert decided.remove == ()


def test_wrong_size_of_a_pack_in_use_is_refused() -> None:
    packs = [pack("short", "a")]
    with pytest.raises(PruneRefused, match="bytes large"):
        make_plan(packs, uses("a"), {packs[0].id: 1000}, ANY_SIZE, version=2)


def test_wrong_size_of_an_unused_pack_does_not_matter() -> None:
    packs = [pack("short", "a")]
    decided = make_plan(packs, uses(), {packs[0].id: 1000}, ANY_SIZE, version=2)
    assert set(decided.remove) == ids("short")


# --- blobs in several packs ----------------------------------------------------------------------


def test_copy_in_a_pack_that_stays_anyway_is_kept() -> None:
    decided = plan([pack("other", "a", "x"), pack("needed", "a", "b")], uses("a", "b"))
    assert set(decided.remove) == ids("other")
    assert decided.repack == ()
    assert (decided.stats.duplicate.blobs, decided.stats.used.blobs) == (1, 2)


def test_packs_of_copies_only_are_what_an_interrupted_prune_left() -> None:
    decided = plan([pack("old1", "a", "x"), pack("old2", "b", "y"), pack("new", "a", "b")], uses("a", "b"))
    assert set(decided.remove) == ids("old1", "old2")
    assert decided.repack == ()


def test_last_copy_is_kept_where_no_pack_is_better() -> None:
    decided = plan([pack("first", "a", "x"), pack("last", "a", "y")], uses("a"))
    assert set(decided.remove) == ids("first")
    assert set(decided.repack) == ids("last")


def test_blob_twice_in_one_pack() -> None:
    decided = plan([pack("twice", "a", "a")], uses("a"))
    assert decided.remove == ()
    assert decided.stats.used.blobs == 1


def test_three_copies_of_one_blob() -> None:
    packs = [pack(name, "a") for name in ("p", "q", "r")]
    decided = plan(packs, uses("a"))
    assert len(decided.remove) == 2
    assert decided.stats.duplicate.blobs == 2


def test_copies_in_packs_that_stay_are_not_copied_again() -> None:
    packs = [pack("both", "a", "b"), pack("repacked", "a", "c", "x")]
    decided = plan(packs, uses("a", "b", "c"))
    assert set(decided.repack) == ids("repacked")
    assert decided.kept == ({blob_id("a")}, set())


def test_same_id_as_data_and_as_tree_are_two_blobs() -> None:
    packs = [pack("d", "t", kind=DATA), pack("t", "t", kind=TREE)]
    decided = plan(packs, ({blob_id("t")}, {blob_id("t")}))
    assert decided.empty
    assert decided.stats.duplicate.blobs == 0


# --- candidates ----------------------------------------------------------------------------------


def test_mixed_packs_are_always_repacked() -> None:
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=UNLIMITED_UNUSED)
    assert set(plan([pack("mixed", "a", "t:b")], uses("a", trees=("t:b",)), options).repack) == ids("mixed")


@pytest.mark.parametrize(
    ("kind", "version", "wanted", "repacked"),
    [
        (TREE, 2, False, True),
        (TREE, 1, False, False),
        (DATA, 2, False, False),
        (DATA, 2, True, True),
        (DATA, 1, True, False),
    ],
)
def test_uncompressed_packs(kind: BlobType, version: int, wanted: bool, repacked: bool) -> None:
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=UNLIMITED_UNUSED, repack_uncompressed=wanted)
    used = uses("a") if kind is DATA else uses(trees=("a",))
    decided = plan([pack("raw", "a", kind=kind, raw=True)], used, options, version=version)
    assert bool(decided.repack) is repacked
    assert bool(decided.stats.uncompressed_bytes) is (version == 2 and not repacked)


def test_empty_blob_is_not_uncompressed() -> None:
    packs = [pack("empty", "a", size=32, raw=True)]
    assert plan(packs, uses("a"), PruneOptions(repack_smaller_than_bytes=1, repack_uncompressed=True)).empty


def test_small_packs_are_repacked_only_when_there_are_ten() -> None:
    packs = [pack(str(number), str(number)) for number in range(10)]
    used = uses(*map(str, range(10)))
    options = PruneOptions(max_unused=UNLIMITED_UNUSED)
    assert plan(packs[:9], used_of(packs[:9]), options).empty
    assert len(plan(packs, used, options).repack) == 10


def used_of(packs: list[Pack]) -> Ids:
    return {blob.id for one in packs for blob in one.blobs}, set()


@pytest.mark.parametrize(
    ("sizes", "options", "limit"),
    [
        ([], PruneOptions(), int(0.8 * 4 * MIB)),
        ([MIB] * 100, PruneOptions(), int(0.8 * 4 * MIB)),
        ([MIB] * 3 + [16 * MIB] * 97, PruneOptions(), int(0.8 * 16 * MIB)),
        ([MIB] * 4 + [16 * MIB] * 96, PruneOptions(), int(0.8 * 4 * MIB)),
        ([16 * MIB], PruneOptions(repack_small=True, pack_bytes=10 * MIB), 8 * MIB),
        ([16 * MIB], PruneOptions(repack_smaller_than_bytes=5, repack_small=True), 5),
    ],
)
def test_what_counts_as_small(sizes: list[int], options: PruneOptions, limit: int) -> None:
    assert small_limit_bytes(sizes, options) == limit


def test_packs_of_data_may_be_left_alone() -> None:
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=MaxUnused(percent=0), repack_cacheable_only=True)
    packs = [pack("data", "a", "b"), pack("tree", "c", "d", kind=TREE), pack("gone", "e")]
    decided = plan(packs, uses("a", trees=("c",)), options)
    assert set(decided.repack) == ids("tree")
    assert set(decided.remove) == ids("gone")


# --- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_unused", "repacked"),
    [
        (MaxUnused(percent=0), 4),
        (MaxUnused(size_bytes=0), 4),
        (MaxUnused(size_bytes=1001), 3),
        (MaxUnused(size_bytes=2001), 2),
        (MaxUnused(percent=5), 4),
        (MaxUnused(percent=20), 3),
        (MaxUnused(percent=50), 0),
        (UNLIMITED_UNUSED, 0),
    ],
)
def test_repacking_stops_when_little_is_unused(max_unused: MaxUnused, repacked: int) -> None:
    packs = [pack(str(number), f"used {number}", f"unused {number}") for number in range(4)]
    packs.append(pack("whole", "w", size=3000))
    used = uses(*(f"used {number}" for number in range(4)), "w")
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=max_unused)
    assert len(plan(packs, used, options).repack) == repacked


def test_worst_packs_come_first() -> None:
    packs = [pack("good", "a", "b", "c", "x"), pack("bad", "d", "y", "z"), pack("fair", "e", "v")]
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=MaxUnused(size_bytes=0))
    assert plan(packs, uses("a", "b", "c", "d", "e"), options).repack == tuple(map(pack_id, ("bad", "fair", "good")))


def test_trees_are_repacked_whatever_the_limit() -> None:
    packs = [pack("data", "a", "x"), pack("tree", "b", "y", kind=TREE)]
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=UNLIMITED_UNUSED)
    assert plan(packs, uses("a", trees=("b",)), options).repack == (pack_id("tree"),)


@pytest.mark.parametrize(("budget", "repacked"), [(0, 0), (2000, 0), (2200, 1), (4400, 2), (None, 4)])
def test_repacking_stays_within_its_budget(budget: int | None, repacked: int) -> None:
    packs = [pack(str(number), f"used {number}", f"unused {number}") for number in range(4)]
    options = PruneOptions(repack_smaller_than_bytes=1, max_unused=MaxUnused(percent=0), max_repack_bytes=budget)
    decided = plan(packs, uses(*(f"used {number}" for number in range(4))), options)
    assert len(decided.repack) == repacked
    assert decided.stats.packs_kept == 4 - repacked


def test_without_space_nothing_is_repacked() -> None:
    packs = [pack("half", "a", "b"), pack("mixed", "c", "t:d"), pack("gone", "e")]
    options = PruneOptions(unsafe_recover_no_free_space=True)
    decided = plan(packs, uses("a", "c", trees=("t:d",)), options)
    assert decided.repack == ()
    assert set(decided.remove) == ids("gone")
