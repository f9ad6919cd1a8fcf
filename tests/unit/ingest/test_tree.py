"""Trees made of entries that are pushed."""

from __future__ import annotations

import os
import random
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.errors import FormatError, OutOfSpace, SealVerificationFailed, TargetError
from holdfast.format import mode as go_mode
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.protocols import FileKind
from holdfast.repository.backup.chunker import DATABASE_CHUNK_BYTES
from holdfast.repository.backup.nodes import other_node, read_xattrs
from holdfast.repository.backup.report import BackupOptions
from holdfast.repository.backup.run import backup
from holdfast.repository.ingest.files import INLINE_BYTES
from holdfast.repository.ingest.tree import TreeIngest
from holdfast.repository.locks import acquire
from holdfast.repository.reader import Reader
from holdfast.runtime.host import group_name, user_name
from holdfast.testing.faulty_backend import Fault, Operation, Rule
from unit.ingest.ingest_kit import Kit, node, push, push_file

SIZES = (0, 1, 2048, INLINE_BYTES, INLINE_BYTES + 1, 512 * 1024, 512 * 1024 + 1, 3_000_000)


@pytest.mark.parametrize("known_size", [True, False])
def test_files_of_every_size(kit: Kit, rng: random.Random, known_size: bool) -> None:
    contents = {b"f%02d" % number: rng.randbytes(size) for number, size in enumerate(SIZES)}
    ingest = kit.ingest()
    tree = ingest.tree(b"c")
    for name, content in contents.items():
        push_file(tree, name, content, known_size=known_size)
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    snapshot = ingest.commit()
    assert kit.content(snapshot)["c"] == {name.decode(): content for name, content in contents.items()}
    nodes = Reader(kit.repository, kit.index).load_tree(kit.subtree(snapshot, b"c"))
    assert [one.size for one in nodes] == list(SIZES)


def test_folders_nest_and_are_left_by_themselves(kit: Kit) -> None:
    entries = [(b"a", None), (b"a/b", None), (b"a/b/c", b"1"), (b"a/d", b"2"), (b"e", None), (b"f", b"3")]
    snapshot = kit.snapshot(one=entries, two=[])
    assert kit.content(snapshot) == {"one": {"a": {"b": {"c": b"1"}, "d": b"2"}, "e": {}, "f": b"3"}, "two": {}}


def test_a_stream_of_a_database_is_cut_at_its_pages(kit: Kit, rng: random.Random) -> None:
    content = b"SQLite format 3\0" + (4096).to_bytes(2, "big") + rng.randbytes(2_000_000 - 18)
    snapshot = kit.snapshot(database=[(b"app.db", content)])
    (found,) = Reader(kit.repository, kit.index).load_tree(kit.subtree(snapshot, b"database"))
    assert found.content is not None
    assert len(found.content) == -(-len(content) // DATABASE_CHUNK_BYTES)
    assert found.content[1] == sha256(content[DATABASE_CHUNK_BYTES : 2 * DATABASE_CHUNK_BYTES]).digest()


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_a_spoiled_file_is_left_out_and_nothing_else(kit: Kit, rng: random.Random, size: int) -> None:
    ingest = kit.ingest()
    tree = push(ingest.tree(b"c"), [(b"a", b"before")])
    tree.file(b"b", node(b"b", size=2 * size))
    tree.write(rng.randbytes(size))
    tree.spoil()
    push(tree, [(b"c", b"after")])
    ingest.put(node(b"c", NodeType.DIR), tree.finish())
    assert kit.content(ingest.commit())["c"] == {"a": b"before", "c": b"after"}


def test_the_same_trees_as_the_engine_makes_of_the_same_files(kit: Kit, tmp_path: Path, rng: random.Random) -> None:
    source = tmp_path / "source"
    (source / "inner" / "deep").mkdir(parents=True)
    (source / "inner" / "link").symlink_to("nowhere")
    for number, size in enumerate(SIZES):
        (source / ("inner" if number % 2 else ".") / f"f{number}").write_bytes(rng.randbytes(size))
    made = _backed_up(kit, source)
    pushed = kit.ingest()
    tree = pushed.tree(b"c")
    _walk(tree, source, b"")
    pushed.put(node(b"c", NodeType.DIR), tree.finish())
    assert kit.subtree(pushed.commit(), b"c") == _tree_at(kit, made, source)


def _backed_up(kit: Kit, source: Path) -> Snapshot:
    with acquire(kit.repository, False) as lock:
        kit.index.sync()
        report = backup(kit.repository, kit.index, lock, [str(source)], BackupOptions())
    assert report.snapshot is not None
    return report.snapshot


def _tree_at(kit: Kit, snapshot: Snapshot, source: Path) -> BlobId:
    tree: BlobId | None = snapshot.tree
    for part in source.parts[1:]:
        assert tree is not None
        tree = next(
            one.subtree for one in Reader(kit.repository, kit.index).load_tree(tree) if one.name.decode() == part
        )
    assert tree is not None
    return tree


def _walk(tree: TreeIngest, folder: Path, prefix: bytes) -> None:
    for path in sorted(folder.iterdir(), key=lambda one: os.fsencode(one.name)):
        name, inner = os.fsencode(path.name), prefix + os.fsencode(path.name)
        status = path.lstat()
        if path.is_symlink():
            tree.other(inner, other_node(name, status, os.fsencode(path), with_atime=False))
        elif path.is_dir():
            tree.directory(inner, other_node(name, status, os.fsencode(path), with_atime=False))
            _walk(tree, path, inner + b"/")
        else:
            tree.file(inner, _file_node(name, status, path))
            content = path.read_bytes()
            tree.write(content)
            tree.end(sha256(content).digest(), len(content))


def _file_node(name: bytes, status: os.stat_result, path: Path) -> Node:
    return Node(
        name=name,
        type=NodeType.FILE,
        mode=go_mode.from_stat(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        user=user_name(status.st_uid),
        group=group_name(status.st_gid),
        inode=status.st_ino,
        device_id=status.st_dev,
        size=status.st_size,
        links=status.st_nlink,
        xattrs=read_xattrs(os.fsencode(path)),
    )


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entries",
    [
        [(b"b", b""), (b"a", b"")],
        [(b"a", b""), (b"a", b"")],
        [(b"a/b", b"")],
        [(b"a", None), (b"b", None), (b"a/c", b"")],
        [(b"a", b""), (b"a/b", b"")],
    ],
)
def test_entries_out_of_order_are_refused(kit: Kit, entries: list[tuple[bytes, bytes | None]]) -> None:
    with pytest.raises(FormatError):
        push(kit.ingest().tree(b"c"), entries)


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_a_length_that_was_not_written_is_refused(kit: Kit, size: int) -> None:
    tree = kit.ingest().tree(b"c")
    tree.file(b"a", node(b"a", size=size))
    tree.write(bytes(size))
    with pytest.raises(FormatError, match="bytes were written"):
        tree.end(sha256(bytes(size)).digest(), size + 1)


@pytest.mark.parametrize("size", [10, 100_000])
def test_bytes_that_are_not_those_of_the_source_are_refused(kit: Kit, size: int) -> None:
    tree = kit.ingest().tree(b"c")
    tree.file(b"a", node(b"a", size=size))
    tree.write(bytes(size))

    def end() -> None:
        tree.end(sha256(b"something else").digest(), size)
        tree.finish()

    with pytest.raises(SealVerificationFailed):
        end()


def test_a_file_without_content_is_refused(kit: Kit) -> None:
    tree = kit.ingest().tree(b"c")
    tree.file(b"a", node(b"a", size=1))
    with pytest.raises(FormatError, match="its content was not given"):
        tree.finish()
    with pytest.raises(FormatError, match="its content was not given"):
        tree.file(b"b", node(b"b"))


@pytest.mark.parametrize("size", [2_000, 200_000, 80_000_000])
def test_a_full_storage_stops_the_pushing(kit: Kit, rng: random.Random, size: int) -> None:
    ingest = kit.ingest()
    tree = ingest.tree(b"c")
    kit.storage.rules.append(Rule(Operation.SAVE, Fault.FAIL, FileKind.PACK, error=_full))
    block = rng.randbytes(1_000_000)

    def make() -> None:
        _push_until_refused(tree, size, block)
        ingest.put(node(b"c", NodeType.DIR), tree.finish())
        ingest.commit()

    with pytest.raises(TargetError):
        make()
    ingest.abort()
    assert not list(kit.repository.names(FileKind.SNAPSHOT))


def _full(url: str, name: str) -> OutOfSpace:
    return OutOfSpace(url=url, object=name)


def _push_until_refused(tree: TreeIngest, size: int, block: bytes) -> None:
    tree.file(b"a", node(b"a", size=size))
    digest, position = sha256(), 0
    while position < size:
        piece = position.to_bytes(8, "big") + block[: min(len(block), size - position) - 8]
        digest.update(piece)
        tree.write(piece)
        position += len(piece)
    tree.end(digest.digest(), size)


def test_equal_content_is_stored_once(kit: Kit, rng: random.Random) -> None:
    content = rng.randbytes(100_000)
    kit.snapshot(one=[(b"a", content), (b"b", content)], two=[(b"a", content)])
    assert sum(1 for _ in kit.index.ids(BlobType.DATA)) == 1
