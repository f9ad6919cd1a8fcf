"""What differs between two snapshots."""

from __future__ import annotations

from forge_kit import Forge, dir_node
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.diff import Diff
from holdfast.repository.index import Index
from holdfast.repository.reader import Reader


def compare(forge: Forge, before: BlobId, after: BlobId, *, metadata: bool = False) -> tuple[list[str], Diff]:
    """The differences as lines, and the comparison."""
    forge.pack()
    forge.index()
    index = Index(forge.repository, private=True)
    index.sync()
    diff = Diff(Reader(forge.repository, index), before, after, metadata=metadata)
    return [f"{found.modifier} {found.path.decode()}" for found in diff], diff


def test_equal_trees_do_not_differ() -> None:
    forge = Forge()
    tree = forge.tree([forge.file(b"f", b"1")])
    assert compare(forge, tree, tree)[0] == []


def test_added_removed_and_changed_entries() -> None:
    forge = Forge()
    before = forge.tree(
        [
            forge.file(b"changed", b"1", mtime_ns=1),
            dir_node(b"gone", forge.tree([forge.file(b"inner", b"2")])),
            forge.file(b"same", b"3"),
            Node(name=b"stale", type=NodeType.SYMLINK, linktarget=b"x"),
            dir_node(b"sub", forge.tree([forge.file(b"x", b"4", mtime_ns=1)])),
        ]
    )
    after = forge.tree(
        [
            forge.file(b"changed", b"11", mtime_ns=2),
            dir_node(b"new", forge.tree([forge.file(b"inner", b"2")])),
            forge.file(b"same", b"3"),
            dir_node(b"sub", forge.tree([forge.file(b"x", b"44", mtime_ns=2)])),
        ]
    )
    lines, diff = compare(forge, before, after)
    assert lines == ["M /changed", "- /gone/", "- /gone/inner", "+ /new/", "+ /new/inner", "- /stale", "M /sub/x"]
    counts = diff.count_blobs()
    assert counts.changed_files == 2
    assert (counts.added.files, counts.added.dirs, counts.added.others) == (1, 1, 0)
    assert (counts.removed.files, counts.removed.dirs, counts.removed.others) == (1, 1, 1)
    assert (counts.added.data_blobs, counts.added.tree_blobs) == (2, 2)
    assert (counts.removed.data_blobs, counts.removed.tree_blobs) == (2, 2)
    assert counts.added.size_bytes - counts.removed.size_bytes != 0


def test_metadata_is_compared_on_request() -> None:
    forge = Forge()
    before = forge.tree([dir_node(b"d", forge.tree([forge.file(b"f", b"1", uid=1)])), forge.file(b"same", b"")])
    after = forge.tree([dir_node(b"d", forge.tree([forge.file(b"f", b"1", uid=2)])), forge.file(b"same", b"")])
    assert compare(forge, before, after)[0] == []
    assert compare(forge, before, after, metadata=True)[0] == ["U /d/", "U /d/f"]


def test_content_that_changed_under_unchanged_metadata_is_suspicious() -> None:
    forge = Forge()
    before = forge.tree([forge.file(b"f", b"abc")])
    after = forge.tree([forge.file(b"f", b"abd")])
    assert compare(forge, before, after)[0] == ["M? /f"]


def test_entries_that_became_something_else() -> None:
    forge = Forge()
    tree = forge.tree([forge.file(b"inner", b"x")])
    before = forge.tree([dir_node(b"a", tree), forge.file(b"b", b"1")])
    after = forge.tree([forge.file(b"a", b"2"), dir_node(b"b", tree)])
    assert compare(forge, before, after)[0] == ["T /a", "T /b/"]
    assert compare(forge, before, after, metadata=True)[0] == ["TU /a", "TU /b/"]


def test_deep_trees_are_compared_without_recursion() -> None:
    forge = Forge()
    sides = []
    for content in (b"1", b"22"):
        tree = forge.tree([forge.file(b"f", content, mtime_ns=len(content))])
        for _ in range(2000):
            tree = forge.tree([dir_node(b"d", tree)])
        sides.append(tree)
    assert compare(forge, *sides)[0] == ["M " + "/d" * 2000 + "/f"]
