"""Listing and finding."""

from __future__ import annotations

import pytest

from forge_kit import Forge, dir_node, file_node, sample
from holdfast.errors import BlobNotFound, InvalidPattern, PathNotFound
from holdfast.model.blob import BlobType
from holdfast.model.event import Event, Warned
from holdfast.model.snapshot import Snapshot
from holdfast.repository.find import FindOptions, find, find_objects
from holdfast.repository.index import Index
from holdfast.repository.ls import ls
from holdfast.repository.reader import Reader
from holdfast.repository.resolve import resolve_directory


@pytest.fixture
def forge() -> Forge:
    return Forge()


@pytest.fixture
def snapshot(forge: Forge) -> Snapshot:
    return sample(forge)


@pytest.fixture
def reader(forge: Forge, snapshot: Snapshot) -> Reader:
    return reader_of(forge)


def reader_of(forge: Forge) -> Reader:
    """A reader over everything stored so far."""
    index = Index(forge.repository, private=True)
    index.sync()
    return Reader(forge.repository, index)


def found(reader: Reader, snapshot: Snapshot, *patterns: bytes, **options: object) -> list[bytes]:
    """Paths that match."""
    wanted = FindOptions(**{"patterns": patterns, **options})  # type: ignore[arg-type]
    return [match.path for match in find(reader, [snapshot], wanted)]


def test_a_snapshot_is_listed_whole_or_by_folder(reader: Reader) -> None:
    where = resolve_directory(reader, "latest")
    everything = [entry.path for entry in ls(reader, where)]
    assert everything == [b"/a.txt", b"/both.txt", b"/dir", b"/dir/inner.txt", b"/link"]
    assert [entry.path for entry in ls(reader, where, [b"/"])] == [b"/a.txt", b"/both.txt", b"/dir", b"/link"]
    assert [entry.path for entry in ls(reader, where, [b"/"], recursive=True)] == everything
    assert [entry.path for entry in ls(reader, where, [b"dir/", b"/a.txt"])] == [
        b"/dir",
        b"/dir/inner.txt",
        b"/a.txt",
    ]
    inside = resolve_directory(reader, "latest:dir")
    assert [entry.path for entry in ls(reader, inside)] == [b"/inner.txt"]


def test_a_folder_that_is_not_there_is_refused(reader: Reader) -> None:
    with pytest.raises(PathNotFound):
        list(ls(reader, resolve_directory(reader, "latest"), [b"/nothing"]))


def test_patterns_are_those_of_a_shell(reader: Reader, snapshot: Snapshot) -> None:
    assert found(reader, snapshot, b"*.txt") == [b"/a.txt", b"/both.txt", b"/dir/inner.txt"]
    assert found(reader, snapshot, b"/*.txt") == [b"/a.txt", b"/both.txt"]
    assert found(reader, snapshot, b"dir") == [b"/dir", b"/dir/inner.txt"]
    assert found(reader, snapshot, b"[b-c]oth.???", b"link") == [b"/both.txt", b"/link"]
    assert found(reader, snapshot, b"INNER*") == []
    assert found(reader, snapshot, b"INNER*", ignore_case=True) == [b"/dir/inner.txt"]


def test_no_pattern_is_refused(reader: Reader, snapshot: Snapshot) -> None:
    with pytest.raises(InvalidPattern):
        found(reader, snapshot)


def test_times_bound_what_is_found(forge: Forge) -> None:
    nodes = [forge.file(b"%d" % second, b"x", mtime_ns=second * 10**9) for second in range(5)]
    snapshot = forge.finish(forge.tree(nodes))
    reader = reader_of(forge)
    assert found(reader, snapshot, b"*", oldest_ns=2 * 10**9) == [b"/2", b"/3", b"/4"]
    assert found(reader, snapshot, b"*", newest_ns=2 * 10**9) == [b"/0", b"/1", b"/2"]
    assert found(reader, snapshot, b"*", oldest_ns=10**9, newest_ns=10**9) == [b"/1"]


def test_a_directory_that_cannot_be_read_is_told(forge: Forge) -> None:
    snapshot = forge.finish(forge.tree([dir_node(b"lost", b"\1" * 32), forge.file(b"there", b"x")]))
    events: list[Event] = []
    wanted = FindOptions(patterns=(b"*",))
    paths = [match.path for match in find(reader_of(forge), [snapshot], wanted, events.append)]
    assert paths == [b"/lost", b"/there"]
    assert [event.code for event in events if isinstance(event, Warned)] == ["blob-not-found"]


def test_files_are_found_by_blob_tree_and_pack(forge: Forge) -> None:
    shared = forge.data(b"shared")
    inner = forge.tree([file_node(b"one", [shared], 6), file_node(b"two", [shared], 6)])
    snapshot = forge.finish(forge.tree([dir_node(b"dir", inner), forge.file(b"other", b"else")]))
    later = forge.snapshot(inner, second=1)
    reader = reader_of(forge)
    snapshots = [snapshot, later]

    by_blob = list(find_objects(reader, snapshots, blobs=[shared.hex()[:10]]))
    assert [(match.snapshot.id, match.path) for match in by_blob] == [
        (snapshot.id, b"/dir/one"),
        (snapshot.id, b"/dir/two"),
        (later.id, b"/one"),
        (later.id, b"/two"),
    ]
    place = reader.index.lookup(BlobType.DATA, shared)
    assert place is not None
    assert {match.pack for match in by_blob} == {place.pack}

    by_tree = list(find_objects(reader, snapshots, trees=[inner.hex()]))
    assert [(match.snapshot.id, match.path) for match in by_tree] == [(snapshot.id, b"/dir"), (later.id, b"/")]

    by_pack = list(find_objects(reader, [snapshot], packs=[place.pack.hex()[:8]]))
    assert {match.path for match in by_pack} == {b"/dir/one", b"/dir/two", b"/other"}


@pytest.mark.parametrize("text", ["0123456789", "short", "zz" * 8])
def test_objects_that_are_not_there_are_refused(reader: Reader, snapshot: Snapshot, text: str) -> None:
    for kind in ("blobs", "trees", "packs"):
        with pytest.raises(BlobNotFound):
            list(find_objects(reader, [snapshot], **{kind: [text]}))  # type: ignore[arg-type]
