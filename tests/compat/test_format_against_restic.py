"""Trees written by restic, read by our format code and written again: not one byte may differ."""

from __future__ import annotations

import hashlib
import os
import socket
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.reference import Restic
from holdfast.format import config, envelope, index, kdf, key_file, pack, snapshot, tree, zstd
from holdfast.format.seal import Sealer
from holdfast.model.blob import BlobType
from holdfast.model.node import Node, NodeType


def open_sealer(repo: Path, password: bytes) -> Sealer:
    (stored,) = (repo / "keys").iterdir()
    key = key_file.decode(stored.read_bytes())
    return Sealer(key_file.unwrap(key, kdf.derive(password, key.salt, key.kdf)))


def tree_plaintexts(repo: Path, sealer: Sealer) -> Iterator[bytes]:
    """Every tree blob of a repository, found through its index and checked against the header of its pack."""
    for stored in (repo / "index").iterdir():
        for listed in index.decode_index(envelope.unwrap(sealer.open(stored.read_bytes()), 2)):
            data = (repo / "data" / listed.id.hex()[:2] / listed.id.hex()).read_bytes()
            length = pack.header_length(data, len(data))
            assert pack.decode_header(sealer.open_range(data, len(data) - 4 - length, length)) == sorted(
                listed.blobs, key=lambda blob: blob.offset
            )
            assert len(data) == pack.pack_bytes(listed.blobs)
            for blob in listed.blobs:
                if blob.type is BlobType.TREE:
                    opened = sealer.open_range(data, blob.offset, blob.length)
                    plaintext = zstd.decompress_exact(opened, blob.raw_length) if blob.raw_length else opened
                    assert hashlib.sha256(plaintext).digest() == blob.id
                    yield plaintext


def make_names(folder: Path) -> set[bytes]:
    """Names holding every code point that old and new Unicode tables agree on, and bytes that are no UTF-8."""
    codes = [
        code for code in range(1, 0x110000)
        if not 0xD800 <= code <= 0xDFFF and code != 0x2F and unicodedata.ucd_3_2_0.category(chr(code)) != "Cn"
        and not 0xE000 <= code <= 0xF8FF and not 0xF0010 <= code <= 0x10FFF0
    ]  # fmt: skip
    names = {
        f"{start:06d}{''.join(map(chr, codes[start : start + 60]))}".encode() for start in range(0, len(codes), 60)
    }
    names |= {bytes((byte,)) + b"x" for byte in range(0x80, 0x100)} | {b"\xe2\x80", b"a\xf0\x9f\x98b", b"\xed\xa0\x80"}
    for name in names:
        os.close(os.open(os.path.join(os.fsencode(folder), name), os.O_CREAT | os.O_WRONLY, 0o644))
    return names


def make_kinds(folder: Path) -> None:
    """One entry of each kind, with unusual modes, times, links and contents."""
    (folder / "file").write_bytes(b"content" * 1000)
    (folder / "file").chmod(0o6750)
    os.link(folder / "file", folder / "other name")
    os.utime(folder / "file", ns=(-1, 1_700_000_000_100_000_000))
    (folder / "empty").touch()
    (folder / "sticky").mkdir()
    (folder / "sticky").chmod(0o1777)
    (folder / "group").mkdir()
    (folder / "group").chmod(0o2750)
    (folder / "link").symlink_to('../<file> & "é"\t')
    os.mkfifo(folder / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))


def read_back(restic: Restic, tmp_path: Path, source: Path) -> tuple[list[bytes], Sealer, Path]:
    repo = tmp_path / "repo"
    restic.run("init", repo=repo)
    restic.run("backup", source, repo=repo)
    sealer = open_sealer(repo, restic.password.encode())
    return list(tree_plaintexts(repo, sealer)), sealer, repo


def assert_written_alike(plaintexts: list[bytes]) -> dict[bytes, Node]:
    """Every tree comes out of our encoder as restic wrote it; gives all nodes by name."""
    found: dict[bytes, Node] = {}
    for plaintext in plaintexts:
        decoded = tree.decode_tree(plaintext)
        assert tree.encode_nodes(decoded) == plaintext
        data, subtrees = tree.references(plaintext)
        assert data == [item for node in decoded for item in node.content or ()]
        assert subtrees == [node.subtree for node in decoded if node.subtree]
        found |= {node.name: node for node in decoded}
    return found


def test_every_name_is_quoted_alike(restic: Restic, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    names = make_names(source)
    plaintexts, _, _ = read_back(restic, tmp_path, source)
    assert names <= assert_written_alike(plaintexts).keys()


def test_every_kind_of_node_is_written_alike(restic: Restic, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    make_kinds(source)
    plaintexts, sealer, repo = read_back(restic, tmp_path, source)
    found = assert_written_alike(plaintexts)
    kinds = {name: node.type for name, node in found.items()}
    assert kinds[b"file"] is NodeType.FILE
    assert kinds[b"link"] is NodeType.SYMLINK
    assert kinds[b"fifo"] is NodeType.FIFO
    assert found[b"link"].linktarget == '../<file> & "é"\t'.encode()
    assert found[b"file"].mtime_ns == 1_700_000_000_100_000_000
    assert config.decode(sealer.open((repo / "config").read_bytes())).version == 2
    (stored,) = (repo / "snapshots").iterdir()
    document = envelope.unwrap(sealer.open(stored.read_bytes()), 2)
    assert snapshot.encode(snapshot.decode(document)) == document


def test_link_targets_that_are_no_text_are_written_alike(newest_restic: Restic, tmp_path: Path) -> None:
    if not newest_restic.at_least("0.16"):
        pytest.skip("restic before 0.16 loses such targets")
    source = tmp_path / "source"
    source.mkdir()
    os.symlink(b"to\xff<\x80\n", os.fsencode(source / "link"))
    plaintexts, _, _ = read_back(newest_restic, tmp_path, source)
    assert assert_written_alike(plaintexts)[b"link"].linktarget == b"to\xff<\x80\n"
