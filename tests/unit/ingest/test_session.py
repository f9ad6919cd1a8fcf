"""Whole snapshots: the order of what is stored, the proof before the commit, and the end of those that fail."""

from __future__ import annotations

import random
import threading

import pytest

from holdfast.errors import DamageError, FormatError, Interrupted, LockLost
from holdfast.model.node import NodeType
from holdfast.protocols import FileKind, Handle
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.ingest import session
from holdfast.repository.ingest.session import Ingest
from holdfast.repository.snapshots import load_snapshots
from holdfast.repository.writer import PackWriter
from holdfast.testing.faulty_backend import Fault, Operation, Rule
from holdfast.testing.stand_in import standing_in
from unit.ingest.ingest_kit import Kit, node, push


def filled(kit: Kit, rng: random.Random) -> Ingest:
    """A snapshot that lacks nothing but its commit."""
    ingest = kit.ingest()
    tree = push(ingest.tree(b"c"), [(b"a", rng.randbytes(100_000)), (b"b", rng.randbytes(10)), (b"d", None)])
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    ingest.put_file(node(b"manifest.json"), b"{}")
    return ingest


def test_packs_are_stored_before_the_index_and_that_before_the_snapshot(kit: Kit, rng: random.Random) -> None:
    ingest = filled(kit, rng)
    ingest.commit()
    saved = [handle.kind for operation, handle in kit.storage.calls if operation is Operation.SAVE]
    order = [kind for kind in saved if kind in (FileKind.PACK, FileKind.INDEX, FileKind.SNAPSHOT)]
    first_index, snapshot = order.index(FileKind.INDEX), order.index(FileKind.SNAPSHOT)
    assert FileKind.PACK not in order[first_index:]
    assert snapshot == len(order) - 1


def test_the_snapshot_says_what_was_asked_for(kit: Kit, rng: random.Random) -> None:
    filled(kit, rng).commit()
    (snapshot,) = load_snapshots(kit.repository)
    assert (snapshot.paths, snapshot.tags, snapshot.hostname) == (("/app",), ("app:app",), "host")
    assert snapshot.summary is not None
    assert snapshot.summary.files_new == 2
    assert snapshot.summary.total_bytes_processed == 100_010
    content = kit.content(snapshot)
    assert sorted(content) == ["c", "manifest.json"]
    assert check(kit.repository, None, CheckOptions(read_data=True)).whole


def test_trees_may_be_filled_by_threads_of_their_own(kit: Kit, rng: random.Random) -> None:
    ingest = kit.ingest()
    contents = {b"t%d" % number: rng.randbytes(1_500_000) for number in range(3)}

    def fill(name: bytes) -> None:
        tree = push(ingest.tree(name), [(b"a", contents[name]), (b"b", contents[name][:5000])])
        ingest.put(node(name, NodeType.DIR), tree.finish())

    threads = [threading.Thread(target=fill, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = kit.content(ingest.commit())
    assert found == {name.decode(): {"a": content, "b": content[:5000]} for name, content in contents.items()}


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.TRUNCATE])
def test_a_pack_that_was_not_stored_is_noticed_before_the_commit(kit: Kit, rng: random.Random, fault: Fault) -> None:
    ingest = filled(kit, rng)
    kit.storage.rules.append(Rule(Operation.SAVE, fault, FileKind.PACK, times=1))
    with pytest.raises(DamageError):
        ingest.commit()
    ingest.abort()
    assert load_snapshots(kit.repository) == []


def test_a_pack_of_an_earlier_snapshot_that_is_gone_is_noticed(kit: Kit, rng: random.Random) -> None:
    content = rng.randbytes(1000)
    kit.snapshot(c=[(b"a", content)])
    pack = next(pack for pack in kit.index.packs() if not pack.blobs[0].type)
    kit.repository.backend.remove(Handle(FileKind.PACK, pack.id.hex()))
    ingest = kit.ingest()
    tree = push(ingest.tree(b"c"), [(b"b", content)])
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    with pytest.raises(DamageError, match="it is not there"):
        ingest.commit()


def test_an_index_file_that_vanished_meanwhile_stops_the_commit(kit: Kit, rng: random.Random) -> None:
    kit.snapshot(c=[(b"a", b"1")])
    ingest = filled(kit, rng)
    kit.repository.remove(FileKind.INDEX, next(kit.repository.names(FileKind.INDEX)))
    with pytest.raises((LockLost, DamageError)):
        ingest.commit()
    assert len(load_snapshots(kit.repository)) == 1


def test_a_lost_lock_stops_the_commit(kit: Kit, rng: random.Random) -> None:
    ingest = filled(kit, rng)
    kit.locks[-1].release()
    with pytest.raises(LockLost):
        ingest.commit()
    assert load_snapshots(kit.repository) == []


def test_what_an_aborted_run_stored_is_listed_for_the_next(kit: Kit, rng: random.Random) -> None:
    ingest = kit.ingest()
    block = rng.randbytes(1_000_000)
    tree = ingest.tree(b"c")
    tree.file(b"a", node(b"a", size=100_000_000))
    for number in range(60):
        tree.write(number.to_bytes(8, "big") + block)
    ingest.abort()
    ingest.abort()
    assert load_snapshots(kit.repository) == []
    with Index(kit.repository, private=True) as fresh:
        fresh.sync()
        assert fresh.blob_count()
    with pytest.raises(Interrupted):
        ingest.commit()


def test_two_entries_of_one_name_are_refused(kit: Kit) -> None:
    ingest = kit.ingest()
    ingest.put_file(node(b"a"), b"1")
    with pytest.raises(FormatError, match="another one of that name"):
        ingest.put(node(b"a", NodeType.DIR), ingest.tree(b"a").finish())


def test_planted_a_writer_that_flushes_too_late_is_noticed(kit: Kit, rng: random.Random) -> None:
    with standing_in(session, PackWriter=_FlushesNothing):
        ingest = filled(kit, rng)
        with pytest.raises(DamageError):
            ingest.commit()
    assert load_snapshots(kit.repository) == []


class _FlushesNothing(PackWriter):
    """Keeps back what is left over."""

    def flush(self) -> None:
        """Claims to."""
