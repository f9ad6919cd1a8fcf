"""Which files need not be read again."""

from __future__ import annotations

from hashlib import sha256

import pytest

from holdfast.errors import OutOfSpace
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.backup.resume import ResumeJournal
from holdfast.repository.index import Index
from holdfast.repository.ingest.unchanged import UnchangedEntries
from holdfast.repository.reader import Reader
from holdfast.testing.faulty_backend import Fault, Operation, Rule
from unit.ingest.ingest_kit import Kit, changed, node, push

ENTRIES = [(b"a", b"first"), (b"d", None), (b"d/e", None), (b"d/e/b", b"second"), (b"f", b"")]
FILES = {path: node(path.rpartition(b"/")[2], size=len(content)) for path, content in ENTRIES if content is not None}


@pytest.fixture
def former(kit: Kit) -> Snapshot:
    return kit.snapshot(c=ENTRIES)


def judge(kit: Kit, former: Snapshot) -> UnchangedEntries:
    return kit.ingest().unchanged(b"c", kit.subtree(former, b"c"))


def test_what_did_not_change_is_not_wanted(kit: Kit, former: Snapshot) -> None:
    unchanged = judge(kit, former)
    for path, now in FILES.items():
        verdict = unchanged.judge(path, now)
        assert verdict.entry is not None, path
        assert verdict.size_bytes == now.size
    assert unchanged.judge(b"new", node(b"new", size=3)).entry is None


def test_the_entry_that_is_reused_is_the_one_there_was(kit: Kit, former: Snapshot) -> None:
    ingest = kit.ingest()
    unchanged, tree = ingest.unchanged(b"c", kit.subtree(former, b"c")), ingest.tree(b"c")
    for path, content in ENTRIES:
        if content is None:
            push(tree, [(path, None)])
        else:
            tree.known(path, unchanged.judge(path, FILES[path]))
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    second = ingest.commit()
    assert kit.subtree(second, b"c") == kit.subtree(former, b"c")
    assert second.summary is not None
    assert (second.summary.files_unmodified, second.summary.files_new, second.summary.dirs_new) == (3, 0, 0)


@pytest.mark.parametrize("values", [{"size": 6}, {"mtime_ns": 6}, {"ctime_ns": 8}, {"inode": 10}])
def test_what_changed_is_wanted(kit: Kit, former: Snapshot, values: dict[str, int]) -> None:
    verdict = judge(kit, former).judge(b"a", changed(FILES[b"a"], **values))
    assert verdict.entry is None
    assert verdict.known


@pytest.mark.parametrize("values", [{"inode": 0}, {"ctime_ns": 0}])
def test_what_is_no_file_of_a_file_system_is_wanted(kit: Kit, values: dict[str, int]) -> None:
    made = changed(FILES[b"a"], **values)
    ingest = kit.ingest()
    tree = ingest.tree(b"c")
    tree.file(b"a", made)
    tree.write(b"first")
    tree.end(sha256(b"first").digest(), 5)
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    snapshot = ingest.commit()
    assert judge(kit, snapshot).judge(b"a", made).entry is None


@pytest.mark.parametrize("values", [{"links": 2}, {"atime_ns": 99}, {"xattrs": ((b"user.a", b"1"),)}])
def test_new_metadata_is_written_without_reading(kit: Kit, former: Snapshot, values: dict[str, object]) -> None:
    ingest = kit.ingest()
    now = changed(FILES[b"a"], **values)
    tree = ingest.tree(b"c")
    tree.known(b"a", ingest.unchanged(b"c", kit.subtree(former, b"c")).judge(b"a", now))
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    (found,) = Reader(kit.repository, kit.index).load_tree(kit.subtree(ingest.commit(), b"c"))
    assert {name: getattr(found, name) for name in values} == values
    assert found.content is not None
    assert len(found.content) == 1


def test_what_the_index_has_lost_is_wanted(kit: Kit, former: Snapshot) -> None:
    with Index(kit.repository, private=True) as empty:
        reader = _Trees(kit, empty)
        unchanged = UnchangedEntries(reader, kit.subtree(former, b"c"), ResumeJournal(None), b"x/")
        assert unchanged.judge(b"a", FILES[b"a"]).entry is None
        assert unchanged.judge(b"d/e/b", changed(FILES[b"d/e/b"], atime_ns=1)).entry is None


class _Trees(Reader):
    """Reads trees although its index lists nothing."""

    def __init__(self, kit: Kit, index: Index) -> None:
        super().__init__(kit.repository, index)
        self._other = Reader(kit.repository, kit.index)

    def load_blob(self, kind: BlobType, blob_id: bytes) -> object:  # type: ignore[override]
        assert kind is BlobType.TREE
        return self._other.load_blob(kind, blob_id)


def test_a_former_tree_that_is_damaged_only_costs_reading(kit: Kit, former: Snapshot) -> None:
    tree = kit.subtree(former, b"c")
    ingest = kit.ingest()
    kit.storage.rules.append(Rule(Operation.LOAD, Fault.FLIP, FileKind.PACK))
    assert ingest.unchanged(b"c", tree).judge(b"a", FILES[b"a"]).entry is None
    assert ingest.unchanged(b"c", BlobId(bytes(32))).judge(b"a", FILES[b"a"]).entry is None


def test_what_an_interrupted_run_stored_is_not_read_again(kit: Kit) -> None:
    ingest = kit.ingest()
    tree = push(ingest.tree(b"c"), ENTRIES)
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    kit.storage.rules.append(
        Rule(Operation.SAVE, Fault.FAIL, FileKind.SNAPSHOT, error=lambda url, name: OutOfSpace(url=url, object=name))
    )
    with pytest.raises(OutOfSpace):
        ingest.commit()
    ingest.abort()
    kit.storage.rules.clear()
    again = kit.ingest()
    assert again.unchanged(b"c", None).judge(b"a", FILES[b"a"]).entry is not None
    assert again.unchanged(b"other", None).judge(b"a", FILES[b"a"]).entry is None
    again.abort()


def test_nodes_are_compared_by_value_where_texts_differ(kit: Kit, former: Snapshot) -> None:
    now: Node = changed(FILES[b"d/e/b"], name=b"b", user="somebody")
    assert judge(kit, former).judge(b"d/e/b", now).entry is not None
