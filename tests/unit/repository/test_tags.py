"""Changing the tags of snapshots."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.errors import LockLost
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.instant import Instant
from holdfast.model.snapshot import Snapshot
from holdfast.repository.locks import acquire
from holdfast.repository.repository import Repository
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.repository.tags import TagChange, TagReport, change_tags


def snapshot(*tags: str) -> Snapshot:
    return Snapshot(time=Instant(ns=5), tree=BlobId(b"t" * 32), paths=("/data",), hostname="host", tags=tags)


def run(repository: Repository, change: TagChange, *snapshots: Snapshot) -> TagReport:
    with acquire(repository, True) as lock:
        return change_tags(repository, lock, snapshots or load_snapshots(repository), change)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (TagChange(add=("b", "c")), ("a", "b"), ("a", "b", "c")),
        (TagChange(add=("b", "b")), (), ("b",)),
        (TagChange(remove=("a", "z")), ("a", "b"), ("b",)),
        (TagChange(add=("c",), remove=("a",)), ("a", "b"), ("b", "c")),
        (TagChange(add=("a",), remove=("a",)), (), ()),
        (TagChange(replace=("x", "y")), ("a",), ("x", "y")),
        (TagChange(replace=()), ("a",), ()),
        (TagChange(), ("a", "a"), ("a", "a")),
    ],
)
def test_tags_afterwards(change: TagChange, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    assert change.apply(before) == after


def test_changed_snapshot_takes_the_place_of_the_former(repository: Repository) -> None:
    stored = save_snapshot(repository, snapshot("a"))
    report = run(repository, TagChange(add=("b",)))
    (present,) = load_snapshots(repository)
    assert report.changed[0].former == stored.id
    assert report.changed[0].present == present.id
    assert present == msgspec.structs.replace(stored, id=present.id, tags=("a", "b"), original=stored.id)


def test_original_goes_on_naming_the_first_of_the_line(repository: Repository) -> None:
    first = save_snapshot(repository, snapshot())
    run(repository, TagChange(add=("b",)))
    run(repository, TagChange(add=("c",)))
    (present,) = load_snapshots(repository)
    assert present.original == first.id


def test_snapshots_that_are_as_wanted_stay(repository: Repository) -> None:
    stored = save_snapshot(repository, snapshot("a"))
    report = run(repository, TagChange(add=("a",)))
    assert (report.changed, report.unchanged) == ((), 1)
    assert [one.id for one in load_snapshots(repository)] == [stored.id]


def test_former_that_is_gone_already_does_not_matter(repository: Repository) -> None:
    stored = msgspec.structs.replace(snapshot(), id=SnapshotId(b"g" * 32))
    assert run(repository, TagChange(add=("b",)), stored).changed
    assert len(load_snapshots(repository)) == 1


def test_lock_must_be_exclusive_and_held(repository: Repository) -> None:
    stored = save_snapshot(repository, snapshot())
    with acquire(repository, False) as lock, pytest.raises(ValueError, match="exclusive"):
        change_tags(repository, lock, [stored], TagChange(add=("b",)))
    with acquire(repository, True) as lock:
        lock.release()
        with pytest.raises(LockLost):
            change_tags(repository, lock, [stored], TagChange(add=("b",)))
    assert [one.id for one in load_snapshots(repository)] == [stored.id]
