"""Snapshots made of snapshots, without some files or with another host or time."""

from __future__ import annotations

import os
from hashlib import sha256

import msgspec
import pytest

from holdfast.errors import ContradictoryOptions, DamageError, LockLost
from holdfast.format.timestamp import GO_ZERO_NS
from holdfast.format.tree import encode_nodes
from holdfast.format.tree_slices import with_subtree
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.instant import Instant
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot, SnapshotSummary
from holdfast.policy.patterns import Excludes, Includes
from holdfast.protocols import FileKind
from holdfast.repository.blobs import Compression, seal_blob
from holdfast.repository.index import Index
from holdfast.repository.locks import acquire
from holdfast.repository.reader import Reader
from holdfast.repository.repository import Repository
from holdfast.repository.rewrite import TAG, RewriteOptions, RewriteReport, rewrite
from holdfast.repository.snapshots import load_snapshots, save_snapshot
from holdfast.repository.writer import PackWriter
from snapshot_kit import Tree, read_snapshot, store_snapshot

TREE: Tree = {
    "keep": b"kept" * 20,
    "secret": b"secret" * 30,
    "dir": {"secret": b"more secrets", "deeper": {"log.txt": b"log" * 40, "none": {}}},
    "only": {"secret": b"x"},
}


@pytest.fixture
def index(repository: Repository) -> Index:
    return Index(repository)


@pytest.fixture
def stored(repository: Repository, index: Index) -> Snapshot:
    summary = SnapshotSummary(
        backup_start=Instant(ns=1),
        backup_end=Instant(ns=2),
        files_new=4,
        total_files_processed=5,
        total_bytes_processed=1,
    )
    return store_snapshot(repository, index, TREE, tags=("t",), summary=summary)


def run(
    repository: Repository, index: Index, *snapshots: Snapshot, exclusive: bool = True, **options: object
) -> RewriteReport:
    with acquire(repository, exclusive) as lock:
        chosen = snapshots or load_snapshots(repository)
        return rewrite(repository, index, lock, chosen, RewriteOptions(**options))  # type: ignore[arg-type]


def excludes(*patterns: bytes) -> Excludes:
    return Excludes(patterns)


def only_new(repository: Repository, former: Snapshot) -> Snapshot:
    (present,) = [one for one in load_snapshots(repository) if one.id != former.id]
    return present


def test_excluded_files_are_gone_from_the_new_snapshot(repository: Repository, index: Index, stored: Snapshot) -> None:
    report = run(repository, index, excludes=excludes(b"secret"), exclusive=False)
    present = only_new(repository, stored)
    assert read_snapshot(Reader(repository, index), present) == {
        "keep": TREE["keep"],
        "dir": {"deeper": TREE["dir"]["deeper"]},  # type: ignore[index]
        "only": {},
    }
    assert read_snapshot(Reader(repository, index), stored) == TREE
    assert (report.changed[0].former, report.changed[0].present) == (stored.id, present.id)
    assert (report.changed[0].dropped, report.unchanged) == (3, 0)


def test_new_snapshot_says_where_it_comes_from(repository: Repository, index: Index, stored: Snapshot) -> None:
    run(repository, index, excludes=excludes(b"secret"))
    present = only_new(repository, stored)
    assert (present.original, present.tags, present.time) == (stored.id, ("t", TAG), stored.time)
    assert present.summary == msgspec.structs.replace(
        stored.summary, total_files_processed=2, total_bytes_processed=80 + 120
    )


def test_forgetting_leaves_only_the_new_one(repository: Repository, index: Index, stored: Snapshot) -> None:
    report = run(repository, index, excludes=excludes(b"secret"), forget=True)
    (present,) = load_snapshots(repository)
    assert (present.id, present.tags, present.original) == (report.changed[0].present, ("t",), stored.id)


def test_nothing_excluded_changes_nothing(repository: Repository, index: Index, stored: Snapshot) -> None:
    report = run(repository, index, excludes=excludes(b"absent"), forget=True)
    assert (report.changed, report.unchanged) == ((), 1)
    assert [one.id for one in load_snapshots(repository)] == [stored.id]


def test_rewriting_again_changes_nothing(repository: Repository, index: Index, stored: Snapshot) -> None:
    del stored
    run(repository, index, excludes=excludes(b"secret"), forget=True)
    assert run(repository, index, excludes=excludes(b"secret"), forget=True).changed == ()


def test_only_included_files_stay(repository: Repository, index: Index, stored: Snapshot) -> None:
    run(repository, index, includes=Includes([b"log.txt", b"/only"]))
    assert read_snapshot(Reader(repository, index), only_new(repository, stored)) == {
        "dir": {"deeper": {"log.txt": TREE["dir"]["deeper"]["log.txt"]}},  # type: ignore[index]
        "only": TREE["only"],
    }


def test_empty_directories_stay_if_they_are_included(repository: Repository, index: Index, stored: Snapshot) -> None:
    run(repository, index, includes=Includes([b"none"]))
    present = read_snapshot(Reader(repository, index), only_new(repository, stored))
    assert present == {"dir": {"deeper": {"none": {}}}}


def test_snapshot_without_anything_included_is_left_alone(
    repository: Repository, index: Index, stored: Snapshot
) -> None:
    report = run(repository, index, includes=Includes([b"absent"]), forget=True)
    assert (report.changed, report.unchanged) == ((), 1)
    assert [one.id for one in load_snapshots(repository)] == [stored.id]


def test_host_and_time_can_be_replaced(repository: Repository, index: Index, stored: Snapshot) -> None:
    time = Instant(ns=77 * 10**9, offset_s=3600)
    run(repository, index, new_host="other", new_time=time)
    present = only_new(repository, stored)
    assert (present.hostname, present.time, present.tree) == ("other", time, stored.tree)
    assert present.summary == stored.summary


def test_summary_is_added_where_there_is_none(repository: Repository, index: Index) -> None:
    bare = store_snapshot(repository, index, TREE)
    run(repository, index, snapshot_summary=True)
    summary = only_new(repository, bare).summary
    assert summary is not None
    assert (summary.total_files_processed, summary.backup_start.ns) == (5, GO_ZERO_NS)
    assert run(repository, index, only_new(repository, bare), snapshot_summary=True).changed == ()


def test_dry_run_stores_nothing(repository: Repository, index: Index, stored: Snapshot) -> None:
    before = {kind: set(repository.names(kind)) for kind in (FileKind.PACK, FileKind.INDEX, FileKind.SNAPSHOT)}
    report = run(repository, index, excludes=excludes(b"secret"), forget=True, dry_run=True, exclusive=False)
    assert [(one.former, one.present) for one in report.changed] == [(stored.id, None)]
    assert {kind: set(repository.names(kind)) for kind in before} == before


def test_snapshots_share_what_has_been_filtered(repository: Repository, index: Index) -> None:
    for number in range(3):
        store_snapshot(repository, index, TREE | {"own": b"%d" % number}, time_ns=number)
    run(repository, index, excludes=excludes(b"secret"), forget=True)
    trees = [read_snapshot(Reader(repository, index), one) for one in load_snapshots(repository)]
    assert [tree["own"] for tree in trees] == [b"0", b"1", b"2"]
    assert all("secret" not in tree for tree in trees)


# --- what other writers put into trees -----------------------------------------------------------


def store_tree(repository: Repository, index: Index, plaintext: bytes) -> BlobId:
    tree_id = BlobId(sha256(plaintext).digest())
    with PackWriter(repository, index) as writer:
        if writer.claim(BlobType.TREE, tree_id):
            sealed = seal_blob(repository.sealer(), BlobType.TREE, plaintext, Compression.AUTO)
            writer.add(BlobType.TREE, tree_id, *sealed)
        writer.flush()
    return tree_id


def save_root(repository: Repository, tree: BlobId) -> Snapshot:
    return save_snapshot(repository, Snapshot(time=Instant(ns=0), tree=tree, paths=("/x",)))


def test_bytes_of_what_stays_survive(repository: Repository, index: Index) -> None:
    """Field order, spaces, unknown fields, times with offsets and odd escapes stay as their writer put them."""
    below = store_tree(repository, index, encode_nodes([Node(name=b"gone", type=NodeType.SYMLINK, linktarget=b"x")]))
    odd = [
        b'{"type" : "file", "name":"a<b", "mtime":"2020-01-01T00:00:00.100+02:00", "unknown":[1,  2], "content":[]}',
        b'{"name":"b","type":"dir","mode":2147484141,"subtree" : "%s","later":true}' % below.hex().encode(),
        b'{"name":"gone","type":"file","content":[]}',
    ]
    root = store_tree(repository, index, b'{"nodes":[' + b",".join(odd) + b"]}\n")
    former = save_root(repository, root)
    run(repository, index, excludes=excludes(b"gone"))
    plaintext = bytes(Reader(repository, index).load_blob(BlobType.TREE, only_new(repository, former).tree))
    empty = sha256(b'{"nodes":[]}\n').hexdigest().encode()
    present = odd[1].replace(b'"subtree" : "' + below.hex().encode(), b'"subtree":"' + empty)
    assert plaintext == b'{"nodes":[' + odd[0] + b"," + present + b"]}\n"


@pytest.mark.parametrize("text", [b'{"name":"d"}', b'{"subtree":"aa","x":{"subtree":"aa"}}'])
def test_text_that_does_not_say_its_subtree_once_is_not_edited(text: bytes) -> None:
    assert with_subtree(text, "aa", b"b" * 32) is None


def test_name_that_looks_like_a_field_is_left_alone() -> None:
    former = b'{"name":"\\"subtree\\":\\"aa\\"","type":"dir","subtree":"aa"}'
    present = with_subtree(former, "aa", b"b" * 32)
    assert present == b'{"name":"\\"subtree\\":\\"aa\\"","type":"dir","subtree":"' + b"62" * 32 + b'"}'


def test_very_deep_trees(repository: Repository, index: Index) -> None:
    tree = store_tree(repository, index, encode_nodes([Node(name=b"gone", type=NodeType.FIFO)]))
    for _ in range(2000):
        tree = store_tree(repository, index, encode_nodes([Node(name=b"d", type=NodeType.DIR, subtree=tree)]))
    former = save_root(repository, tree)
    assert run(repository, index, excludes=excludes(b"gone")).changed[0].dropped == 1
    assert only_new(repository, former).tree != tree


def test_unreadable_tree_changes_nothing(repository: Repository, index: Index, stored: Snapshot) -> None:
    lost = BlobId(os.urandom(32))
    root = store_tree(repository, index, encode_nodes([Node(name=b"d", type=NodeType.DIR, subtree=lost)]))
    save_root(repository, root)
    before = {one.id for one in load_snapshots(repository)}
    with pytest.raises(DamageError):
        run(repository, index, excludes=excludes(b"secret"), forget=True)
    assert {one.id for one in load_snapshots(repository)} == before
    assert stored.id in before


# --- refusals ------------------------------------------------------------------------------------


def test_excluding_and_including_at_once_is_refused(repository: Repository, index: Index) -> None:
    with pytest.raises(ContradictoryOptions):
        run(repository, index, excludes=excludes(b"a"), includes=Includes([b"b"]))


def test_forgetting_needs_an_exclusive_lock(repository: Repository, index: Index, stored: Snapshot) -> None:
    with pytest.raises(ValueError, match="exclusive"):
        run(repository, index, excludes=excludes(b"secret"), forget=True, exclusive=False)
    assert [one.id for one in load_snapshots(repository)] == [stored.id]


def test_lost_lock_leaves_snapshots_as_they_are(repository: Repository, index: Index, stored: Snapshot) -> None:
    with acquire(repository, True) as lock:
        lock.release()
        options = RewriteOptions(excludes=excludes(b"secret"), forget=True)
        with pytest.raises(LockLost):
            rewrite(repository, index, lock, [stored], options)
    assert [one.id for one in load_snapshots(repository)] == [stored.id]
