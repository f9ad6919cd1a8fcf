"""Choosing and grouping snapshots."""

from __future__ import annotations

import pytest

from holdfast.errors import InvalidGrouping, SnapshotNotFound
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.policy import grouping, selection
from holdfast.policy.grouping import HOST_AND_PATHS, GroupKey
from holdfast.policy.selection import SnapshotFilter


def snapshot(identifier: str, ns: int, host: str = "h", paths: str = "/a", tags: str = "") -> Snapshot:
    return Snapshot(
        time=Instant(ns=ns),
        tree=BlobId(bytes(32)),
        paths=tuple(paths.split()),
        hostname=host,
        tags=tuple(tags.split()),
        id=SnapshotId(bytes.fromhex(identifier.ljust(64, "0"))),
    )


OLD = snapshot("aa11", 1, tags="x y")
MIDDLE = snapshot("aa22", 2, host="other", paths="/b /a")
NEW = snapshot("bb", 3, paths="/a /b", tags="x")
ALL = [MIDDLE, NEW, OLD]


@pytest.mark.parametrize(
    ("text", "found"),
    [("latest", NEW), ("latest~0", NEW), ("latest~2", OLD), ("aa1", OLD), ("b", NEW), ("bb" + "0" * 62, NEW)],
)
def test_resolves(text: str, found: Snapshot) -> None:
    assert selection.resolve(text, ALL) is found


@pytest.mark.parametrize(
    "text", ["", "aa", "cc", "latest~3", "latest~", "latest~-1", "BB", "bb ", "bb" + "0" * 63, "*"]
)
def test_does_not_guess(text: str) -> None:
    with pytest.raises(SnapshotNotFound):
        selection.resolve(text, ALL)


def test_latest_obeys_the_filter_and_ids_do_not() -> None:
    others = SnapshotFilter(hosts=("other",))
    assert selection.resolve("latest", ALL, others) is MIDDLE
    assert selection.resolve("bb", ALL, others) is NEW
    assert selection.latest(ALL, not_after=Instant(ns=2)) is MIDDLE
    assert selection.latest([]) is None


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (SnapshotFilter(), [MIDDLE, NEW, OLD]),
        (SnapshotFilter(hosts=("h",)), [NEW, OLD]),
        (SnapshotFilter(tags=(("x",),)), [NEW, OLD]),
        (SnapshotFilter(tags=(("x", "y"),)), [OLD]),
        (SnapshotFilter(tags=(("y",), ("",))), [MIDDLE, OLD]),
        (SnapshotFilter(paths=("/a", "/b")), [MIDDLE, NEW]),
        (SnapshotFilter(hosts=("h",), paths=("/b",)), [NEW]),
    ],
)
def test_filters(wanted: SnapshotFilter, chosen: list[Snapshot]) -> None:
    assert wanted.choose(ALL) == chosen


def test_splits_the_path_inside_a_snapshot() -> None:
    assert selection.split_subfolder("latest:/home/a:b") == ("latest", "/home/a:b")
    assert selection.split_subfolder("aa") == ("aa", "")
    assert selection.parse_tags("a, b") == ("a", "b")


def test_snapshots_of_the_same_time_have_one_order() -> None:
    twins = [snapshot("02", 5), snapshot("01", 5)]
    assert selection.newest_first(twins) == selection.newest_first(twins[::-1])


def test_groups_by_sorted_paths() -> None:
    groups = grouping.group(ALL, grouping.parse("paths"))
    assert groups == {GroupKey(paths=("/a",)): [OLD], GroupKey(paths=("/a", "/b")): [NEW, MIDDLE]}
    assert list(grouping.group(ALL, grouping.parse(""))) == [GroupKey()]
    assert str(grouping.parse("tag, host")) == "host,tags"
    assert grouping.parse("host,paths") == HOST_AND_PATHS
    with pytest.raises(InvalidGrouping, match="by size"):
        grouping.parse("host,size")


def test_parent_is_the_newest_of_the_group_that_is_not_later() -> None:
    key = grouping.key_of(NEW, HOST_AND_PATHS)
    later = snapshot("cc", 9, paths="/b /a")
    assert grouping.find_parent([*ALL, later], key, HOST_AND_PATHS, not_after=Instant(ns=8)) is NEW
    assert grouping.find_parent([*ALL, later], key, HOST_AND_PATHS, not_after=Instant(ns=9)) is later
    assert grouping.find_parent(ALL, key, HOST_AND_PATHS, not_after=Instant(ns=2)) is None
