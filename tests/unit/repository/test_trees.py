"""Walking trees, however deep, shared or broken they are."""

from __future__ import annotations

import tracemalloc

import pytest

from forge_kit import Forge, dir_node, sample
from holdfast.errors import BlobNotFound, FormatError, HoldfastError, Interrupted, PathNotFound, SnapshotNotFound
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.model.blob import BlobType
from holdfast.model.event import Event
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.policy.selection import SnapshotFilter
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader
from holdfast.repository.resolve import resolve_directory, resolve_snapshot, select_snapshots
from holdfast.repository.trees import (
    components,
    find_node,
    find_subtree,
    mark_references,
    trees_leading_to,
    walk,
)
from holdfast.runtime.cancel import CancelToken

DEEP = 3000


@pytest.fixture
def forge() -> Forge:
    return Forge()


def reader_of(forge: Forge) -> Reader:
    """A reader over everything stored so far."""
    index = Index(forge.repository, private=True)
    index.sync()
    return Reader(forge.repository, index)


def chain(forge: Forge, depth: int) -> BlobId:
    """Directories in directories, the innermost empty."""
    tree = forge.tree([])
    for _ in range(depth):
        tree = forge.tree([dir_node(b"d", tree)])
    return tree


def test_a_walk_gives_directories_before_what_is_in_them(forge: Forge) -> None:
    snapshot = sample(forge)
    paths = [path for path, _ in walk(reader_of(forge), snapshot.tree)]
    assert paths == [b"/a.txt", b"/both.txt", b"/dir", b"/dir/inner.txt", b"/link"]


def test_a_walk_can_begin_anywhere_and_skip(forge: Forge) -> None:
    snapshot = sample(forge)
    paths = [path for path, _ in walk(reader_of(forge), snapshot.tree, lambda *_: False, prefix=b"/x/")]
    assert paths == [b"/x/a.txt", b"/x/both.txt", b"/x/dir", b"/x/link"]


def test_entries_that_are_out_of_order_are_walked_nevertheless(forge: Forge) -> None:
    root = forge.finish(forge.tree([forge.file(b"b", b"1"), forge.file(b"a", b"2")])).tree
    assert [path for path, _ in walk(reader_of(forge), root)] == [b"/b", b"/a"]


def test_a_deep_tree_is_walked_without_recursion(forge: Forge) -> None:
    root = forge.finish(chain(forge, DEEP)).tree
    reader = reader_of(forge)
    deepest, _ = list(walk(reader, root))[-1]
    assert deepest == b"/d" * DEEP
    assert len(mark_references(reader, [root]).trees) == DEEP + 1


def test_paths_longer_than_any_are_refused(forge: Forge) -> None:
    tree = forge.tree([])
    for _ in range(4200):
        tree = forge.tree([Node(name=b"n" * 255, type=NodeType.DIR, subtree=tree)])
    root = forge.finish(tree).tree
    tracemalloc.start()
    with pytest.raises(FormatError):
        for _ in walk(reader_of(forge), root):
            pass
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_a_tree_that_contains_itself_ends_the_walk(forge: Forge) -> None:
    snapshot = sample(forge)
    reader = reader_of(forge)
    looped = encode_tree([encode_node(dir_node(b"loop", snapshot.tree))])

    class Looping(Reader):
        def load_blob(self, kind: BlobType, blob_id: bytes) -> bytes:
            return looped

    with pytest.raises(FormatError, match="contains itself"):
        list(walk(Looping(forge.repository, reader.index), snapshot.tree))


def test_a_directory_that_cannot_be_read_is_told_or_raised(forge: Forge) -> None:
    nodes = [dir_node(b"lost", b"\1" * 32), Node(name=b"none", type=NodeType.DIR), forge.file(b"ok", b"1")]
    root = forge.finish(forge.tree(nodes)).tree
    reader = reader_of(forge)
    told: list[tuple[bytes, str]] = []
    paths = [p for p, _ in walk(reader, root, on_error=lambda path, error: told.append((path, error.code)))]
    assert paths == [b"/lost", b"/none", b"/ok"]
    assert told == [(b"/lost", "blob-not-found"), (b"/none", "format")]
    with pytest.raises(BlobNotFound):
        list(walk(reader, root))


# --- one path ------------------------------------------------------------------------------------


def test_paths_lead_to_entries(forge: Forge) -> None:
    snapshot = sample(forge)
    reader = reader_of(forge)
    for path in (b"", b"/", b"//", b"/./"):
        assert find_node(reader, snapshot.tree, path) is None
        assert find_subtree(reader, snapshot.tree, path) == snapshot.tree
    found = find_node(reader, snapshot.tree, b"dir//inner.txt/")
    assert found is not None
    assert found.name == b"inner.txt"
    inner = find_node(reader, snapshot.tree, b"/dir")
    assert inner is not None
    assert find_subtree(reader, snapshot.tree, b"/dir") == inner.subtree
    assert components(b"/a//b/./c/") == [b"a", b"b", b"c"]


@pytest.mark.parametrize("path", [b"/nothing", b"/dir/nothing", b"/a.txt/below", b"/link/x", b"/dir/.."])
def test_paths_that_lead_nowhere_are_refused(forge: Forge, path: bytes) -> None:
    snapshot = sample(forge)
    with pytest.raises(PathNotFound):
        find_node(reader_of(forge), snapshot.tree, path, "abc")


def test_a_file_is_no_directory(forge: Forge) -> None:
    snapshot = sample(forge)
    with pytest.raises(PathNotFound):
        find_subtree(reader_of(forge), snapshot.tree, b"/a.txt")


# --- marking -------------------------------------------------------------------------------------


def test_marking_reads_each_tree_once(forge: Forge) -> None:
    shared = forge.tree([forge.file(b"f", b"shared")])
    first = forge.tree([dir_node(b"x", shared), dir_node(b"y", shared)])
    second = forge.tree([dir_node(b"z", shared)])
    forge.finish(first)
    seen: list[bytes] = []
    events: list[Event] = []
    used = mark_references(
        reader_of(forge), [first, second, first], None, events.append, on_tree=lambda tree, *_: seen.append(tree)
    )
    assert sorted(seen) == sorted([first, second, shared])
    assert used.trees == {first, second, shared}
    assert len(used.data) == 1
    assert len(used) == 4
    assert used.contains(BlobType.TREE, shared)
    assert not used.contains(BlobType.DATA, shared)
    assert events


def test_marking_collects_errors_or_raises_them(forge: Forge) -> None:
    root = forge.finish(forge.tree([dir_node(b"a", b"\1" * 32), dir_node(b"b", forge.tree([]))])).tree
    reader = reader_of(forge)
    told: dict[bytes, HoldfastError] = {}
    used = mark_references(reader, [root], told.__setitem__)
    assert set(told) == {b"\1" * 32}
    assert len(used.trees) == 3
    with pytest.raises(BlobNotFound):
        mark_references(reader, [root])


def test_marking_makes_up_for_a_damaged_copy(forge: Forge) -> None:
    root = forge.tree([forge.file(b"f", b"1")])
    [_, first] = forge.pack()
    forge.tree([forge.file(b"f", b"1")])
    forge.pack()
    forge.index()
    content = forge.repository.backend
    from holdfast.protocols import FileKind, Handle

    handle = Handle(FileKind.PACK, first.id.hex())
    damaged = bytearray(content.load(handle))
    damaged[20] ^= 1
    content.remove(handle)
    content.save(handle, [bytes(damaged)])
    assert len(mark_references(reader_of(forge), [root])) == 2
    content.remove(handle)
    assert len(mark_references(reader_of(forge), [root])) == 2


def test_marking_stops_when_cancelled(forge: Forge) -> None:
    snapshot = sample(forge)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Interrupted):
        mark_references(reader_of(forge), [snapshot.tree], cancel=cancel)


def test_trees_that_lead_to_something(forge: Forge) -> None:
    wanted = forge.data(b"wanted")
    inner = forge.tree([forge.file(b"f", b"wanted")])
    middle = forge.tree([dir_node(b"in", inner), dir_node(b"out", forge.tree([]))])
    root = forge.tree([dir_node(b"m", middle), dir_node(b"other", forge.tree([forge.file(b"g", b"else")]))])
    forge.finish(root)
    reader = reader_of(forge)
    assert trees_leading_to(reader, [root], (), {wanted}) == {inner, middle, root}
    assert trees_leading_to(reader, [root], {middle}, set()) == {middle, root}


# --- what a person types -------------------------------------------------------------------------


def test_snapshots_are_found_by_what_a_person_types(forge: Forge) -> None:
    oldest = sample(forge)
    middle = forge.snapshot(oldest.tree, second=1, hostname="web", tags=("nightly",))
    newest = forge.snapshot(oldest.tree, second=2, hostname="db")
    repository = forge.repository
    assert middle.id is not None
    assert resolve_snapshot(repository, "latest").id == newest.id
    assert resolve_snapshot(repository, "latest~2").id == oldest.id
    assert resolve_snapshot(repository, middle.id.hex()).id == middle.id
    assert resolve_snapshot(repository, middle.id.hex()[:12]).id == middle.id
    web = SnapshotFilter(hosts=("web",))
    assert resolve_snapshot(repository, "latest", web).id == middle.id
    assert [s.id for s in select_snapshots(repository)] == [newest.id, middle.id, oldest.id]
    assert [s.id for s in select_snapshots(repository, (), web)] == [middle.id]
    named = select_snapshots(repository, ["latest~1", "latest", middle.id.hex()])
    assert [s.id for s in named] == [middle.id, newest.id]


@pytest.mark.parametrize("text", ["latest~3", "0123456789", "nonsense", "", "LATEST"])
def test_what_names_no_snapshot_is_refused(forge: Forge, text: str) -> None:
    sample(forge)
    with pytest.raises(SnapshotNotFound):
        resolve_snapshot(forge.repository, text)


def test_a_prefix_of_several_is_refused(forge: Forge) -> None:
    tree = sample(forge).tree
    ids = [forge.snapshot(tree, second=second).id or b"" for second in range(40)]
    shared = next(i.hex()[0] for i in ids if sum(j.hex()[0] == i.hex()[0] for j in ids) > 1)
    with pytest.raises(SnapshotNotFound, match="several"):
        resolve_snapshot(forge.repository, shared)


def test_a_folder_can_be_named_with_the_snapshot(forge: Forge) -> None:
    snapshot = sample(forge)
    reader = reader_of(forge)
    inner = resolve_directory(reader, "latest:/dir/")
    assert (inner.snapshot.id, inner.path) == (snapshot.id, b"/dir")
    assert resolve_directory(reader, "latest").path == b""
    with pytest.raises(PathNotFound):
        resolve_directory(reader, "latest:a.txt")
