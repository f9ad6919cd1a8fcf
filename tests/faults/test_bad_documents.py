"""Documents that a holder of the key could have stored, by mistake or not: refused, within bounds, never a crash.

Each repository is checked in a process of its own, which says what it found, and how much memory and processor time
it took.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from forge_kit import Forge, dir_node, file_node, sample
from holdfast.backends.local import LocalBackend
from holdfast.format import zstd
from holdfast.format.index import decode_index
from holdfast.format.node import encode_node
from holdfast.format.tree import encode_tree
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.pack import Pack
from holdfast.protocols import FileKind, Handle
from repository_kit import new_repository

PROBE = """
import json, sys, time
from pathlib import Path
from holdfast.backends.local import LocalBackend
from holdfast.errors import HoldfastError
from holdfast.repository.check.report import CheckOptions
from holdfast.repository.check.run import check
from holdfast.repository.index import Index
from holdfast.repository.opening import open_repository
from holdfast.repository.reader import Reader
from holdfast.repository.snapshots import load_snapshots
from holdfast.repository.trees import walk

repository = open_repository(LocalBackend(sys.argv[1]), b"secret")
report = check(repository, None, CheckOptions(read_data=True))
walked = "whole"
try:
    with Index(repository, private=True) as index:
        index.sync(on_damage=[])
        for snapshot in load_snapshots(repository):
            for _ in walk(Reader(repository, index), snapshot.tree):
                pass
except HoldfastError as error:
    walked = error.code
# Not getrusage: its maximum includes what the process was before it became this program.
peak_kib = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({
    "codes": sorted({finding.code for finding in report.errors}),
    "details": [finding.detail for finding in report.errors][:5],
    "walked": walked,
    "memory_mib": int(peak_kib.split()[1]) / 1024,
    "seconds": time.process_time(),
}))
"""
MEMORY_MIB = 64
"""What a check of a bad document may take beyond a check of a good one of the same kind."""

SECONDS = 60


class Found(msgspec.Struct):
    """What the process said."""

    codes: set[str]
    details: list[str]
    walked: str
    memory_mib: float
    seconds: float


def probe(forge: Forge) -> Found:
    """Checks a repository in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, forge.repository.url], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=Found)


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(new_repository(LocalBackend(str(tmp_path / "repository"))))


@pytest.fixture(scope="module")
def usual_mib(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The memory that a check of a small whole repository takes."""
    forge = Forge(new_repository(LocalBackend(str(tmp_path_factory.mktemp("usual") / "repository"))))
    sample(forge)
    found = probe(forge)
    assert (found.codes, found.walked) == (set(), "whole")
    return found.memory_mib


def document(forge: Forge, kind: FileKind, payload: bytes) -> None:
    """Stores a document sealed with the key, whatever is in it."""
    sealed = bytes(forge.repository.sealer().seal(payload, os.urandom(16)))
    forge.repository.backend.save(Handle(kind, sha256(sealed).hexdigest()), [sealed])


def blob(forge: Forge, kind: BlobType, frame: bytes, raw_length: int, blob_id: bytes) -> BlobId:
    """Puts a compressed blob into the next pack whose length and id are whatever is said."""
    sealed = bytes(forge.repository.sealer().seal(frame, os.urandom(16)))
    forge.waiting.append((kind, BlobId(blob_id), sealed, raw_length))
    return BlobId(blob_id)


# --- index entries -------------------------------------------------------------------------------


def relist(forge: Forge, change: Callable[[str], str]) -> None:
    """Replaces the index file by one whose text was changed."""
    [name] = forge.repository.names(FileKind.INDEX)
    text = forge.repository.load_unpacked(FileKind.INDEX, name).decode()
    forge.repository.remove(FileKind.INDEX, name)
    changed = change(text)
    assert changed != text
    document(forge, FileKind.INDEX, changed.encode())


IMPOSSIBLE = {
    "negative offset": '"offset":-1',
    "offset of 2^63": f'"offset":{2**63}',
    "offset beyond the pack": '"offset":1000000',
    "offset of nearly 4 GiB": f'"offset":{2**32 - 1}',
    "offset as a fraction": '"offset":0.5',
    "offset of a million digits": '"offset":' + "9" * 1_000_000,
    "offset that is no number": '"offset":NaN',
    "overlap": '"offset":1',
}


@pytest.mark.parametrize("entry", IMPOSSIBLE.values(), ids=list(IMPOSSIBLE))
def test_impossible_index_entries(forge: Forge, usual_mib: float, entry: str) -> None:
    sample(forge)
    relist(forge, lambda text: text.replace('"offset":0', entry))
    found = probe(forge)
    assert found.codes & {"index-damaged", "index-impossible"}
    assert found.memory_mib < usual_mib + MEMORY_MIB


@pytest.mark.parametrize("length", [-1, 0, 31, 2**32, 2**63, 10**100])
def test_impossible_lengths(forge: Forge, usual_mib: float, length: int) -> None:
    sample(forge)
    relist(forge, lambda text: text.replace('"length":', f'"length":{length},"ignored":', 1))
    found = probe(forge)
    assert found.codes & {"index-damaged", "index-impossible"}
    assert found.memory_mib < usual_mib + MEMORY_MIB


def test_a_length_of_four_gigabytes_is_never_allocated(forge: Forge, usual_mib: float) -> None:
    sample(forge)
    relist(forge, lambda text: text.replace('"length":', f'"length":{2**32 - 1000},"ignored":', 1))
    found = probe(forge)
    assert found.codes
    assert found.memory_mib < usual_mib + MEMORY_MIB


# --- documents -----------------------------------------------------------------------------------

NASTY = {
    "nested": b'{"packs":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested elsewhere": b'{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b',"packs":[]}',
    "a long number": b'{"packs":' + b"9" * 1_000_000 + b"}",
    "no number": b'{"packs":[NaN]}',
    "a lone surrogate": b'{"packs":[{"id":"\\ud800","blobs":[]}]}',
    "no UTF-8": b'{"packs":[{"id":"\xff\xfe","blobs":[]}]}',
    "an array": b"[]",
    "empty": b"",
    "unknown envelope": b"\x07abc",
    "cut": b'{"packs":[',
    "a short id": b'{"packs":[{"id":"00","blobs":[]}]}',
}


@pytest.mark.parametrize("payload", NASTY.values(), ids=list(NASTY))
def test_nasty_documents(forge: Forge, usual_mib: float, payload: bytes) -> None:
    sample(forge)
    document(forge, FileKind.INDEX, payload)
    document(forge, FileKind.SNAPSHOT, payload.replace(b'"packs"', b'"time"'))
    found = probe(forge)
    assert found.codes >= {"snapshot-damaged"}
    # Fields nobody knows are skipped, and a number or text in them matters to nobody.
    assert "index-damaged" in found.codes or payload == NASTY["nested elsewhere"]
    assert found.memory_mib < usual_mib + MEMORY_MIB


@pytest.mark.parametrize("kind", [FileKind.INDEX, FileKind.SNAPSHOT])
def test_a_document_that_inflates(forge: Forge, usual_mib: float, kind: FileKind) -> None:
    sample(forge)
    document(forge, kind, b"\x02" + inflating(1 << 30))
    found = probe(forge)
    assert found.codes == {"index-damaged" if kind is FileKind.INDEX else "snapshot-damaged"}
    assert found.memory_mib < usual_mib + MEMORY_MIB


def inflating(size: int) -> bytes:
    """A frame of zeros, made of repeated blocks: 4 bytes for each 128 KiB."""
    block = 128 << 10
    count = size // block
    header = b"\x28\xb5\x2f\xfd\x00\x58"
    body = struct.pack("<I", block << 3 | 2)[:3] + b"\0"
    last = struct.pack("<I", block << 3 | 3)[:3] + b"\0"
    return header + body * (count - 1) + last


def test_the_inflating_frame_is_what_it_says() -> None:
    assert zstd.decompress(inflating(1 << 20), 1 << 20) == bytes(1 << 20)


# --- blobs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw_length", [1000, 8 << 20])
def test_a_blob_that_inflates_beyond_its_length(forge: Forge, usual_mib: float, raw_length: int) -> None:
    data = blob(forge, BlobType.DATA, inflating(1 << 30), raw_length, b"\1" * 32)
    forge.finish(forge.tree([file_node(b"f", [data], raw_length)]))
    found = probe(forge)
    assert found.codes == {"pack-damaged"}
    assert found.memory_mib < usual_mib + MEMORY_MIB


@pytest.mark.parametrize("kind", list(BlobType))
def test_a_blob_that_says_it_has_four_gigabytes(forge: Forge, usual_mib: float, kind: BlobType) -> None:
    huge = (1 << 32) - 1
    name = blob(forge, kind, inflating(1 << 32), huge, b"\1" * 32)
    entry = dir_node(b"d", name) if kind is BlobType.TREE else file_node(b"f", [name], huge)
    forge.finish(forge.tree([entry]))
    found = probe(forge)
    assert "pack-damaged" in found.codes
    assert found.memory_mib < usual_mib + MEMORY_MIB


def test_a_window_of_two_gigabytes(forge: Forge, usual_mib: float) -> None:
    frame = b"\x28\xb5\x2f\xfd\x00\xa8" + struct.pack("<I", 100 << 3 | 3)[:3] + b"a"
    data = blob(forge, BlobType.DATA, frame, 100, sha256(b"a" * 100).digest())
    forge.finish(forge.tree([file_node(b"f", [data], 100)]))
    found = probe(forge)
    assert found.codes == {"pack-damaged"}
    assert found.memory_mib < usual_mib + MEMORY_MIB


def test_a_blob_of_the_wrong_type(forge: Forge) -> None:
    content = encode_tree([])
    data = forge.data(content)
    forge.finish(forge.tree([dir_node(b"confused", data), file_node(b"fine", [data], len(content))]))
    found = probe(forge)
    assert found.codes == {"blob-missing"}
    assert found.walked == "blob-not-found"


def test_a_blob_under_another_name(forge: Forge) -> None:
    data = forge.blob(BlobType.DATA, b"content", name=b"\1" * 32)
    forge.finish(forge.tree([file_node(b"f", [data], 7)]))
    assert probe(forge).codes == {"pack-damaged"}


def test_an_index_that_exchanges_types(forge: Forge) -> None:
    sample(forge)
    [name] = forge.repository.names(FileKind.INDEX)
    packs = decode_index(forge.repository.load_unpacked(FileKind.INDEX, name))
    forge.repository.remove(FileKind.INDEX, name)
    exchanged = [
        Pack(pack.id, tuple(msgspec.structs.replace(one, type=BlobType(1 - one.type)) for one in pack.blobs))
        for pack in packs
    ]
    forge.index(exchanged)
    found = probe(forge)
    assert {"blob-missing", "index-disagrees"} <= found.codes
    assert found.walked == "blob-not-found"


# --- trees ---------------------------------------------------------------------------------------


def test_a_tree_that_contains_itself(forge: Forge) -> None:
    own = b"\1" * 32
    forge.blob(BlobType.TREE, encode_tree([encode_node(dir_node(b"loop", own))]), name=own)
    forge.finish(own)
    found = probe(forge)
    # Its hash cannot be its name, so it is not even opened as a tree.
    assert found.codes == {"tree-damaged", "pack-damaged"}
    assert found.walked == "hash-mismatch"
    assert found.seconds < SECONDS


def test_trees_that_multiply(forge: Forge) -> None:
    """Forty levels that each hold the next one twice are 2^40 paths, and forty trees."""
    tree = forge.tree([forge.file(b"f", b"content")])
    for _ in range(40):
        tree = forge.tree([dir_node(b"a", tree), dir_node(b"b", tree)])
    forge.pack()
    forge.index()
    forge.snapshot(tree)
    done = check_only(forge)
    assert done.codes == set()
    assert done.seconds < SECONDS


def check_only(forge: Forge) -> Found:
    """A check in a process of its own, without walking all paths."""
    program = PROBE.partition("walked = ")[0] + "walked = ''\n# Not" + PROBE.partition("# Not")[2]
    command = [sys.executable, "-c", program, forge.repository.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return Found(**{**json.loads(done.stdout), "codes": set(json.loads(done.stdout)["codes"])})


def test_a_tree_of_a_hundred_thousand_levels(forge: Forge, usual_mib: float) -> None:
    tree = forge.tree([])
    for _ in range(100_000):
        tree = forge.tree([dir_node(b"d", tree)])
    forge.finish(tree)
    found = check_only(forge)
    assert found.codes == set()
    assert found.memory_mib < usual_mib + 3 * MEMORY_MIB
    assert found.seconds < SECONDS


@pytest.mark.parametrize("names", [[b"b", b"a"], [b"a", b"a"]], ids=["unsorted", "twice"])
def test_names_out_of_order(forge: Forge, names: list[bytes]) -> None:
    forge.finish(forge.tree([file_node(name, [], 0) for name in names]))
    assert probe(forge).codes == {"tree-damaged"}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\u0000b", "../../etc/passwd"])
def test_names_that_lead_elsewhere(forge: Forge, name: str) -> None:
    forge.finish(forge.raw_tree(('{"nodes":[{"name":"' + name + '","type":"file","content":[]}]}').encode()))
    found = probe(forge)
    assert found.codes == {"tree-damaged"}
    assert found.walked == "format"


def test_a_directory_of_very_many_entries(forge: Forge, usual_mib: float) -> None:
    """Memory follows the size of the largest directory: some ten times its text."""
    node = '{"name":"%07d","type":"file","content":[]}'
    text = '{"nodes":[' + ",".join([node % number for number in range(200_000)]) + "]}"
    forge.finish(forge.raw_tree(text.encode()))
    found = check_only(forge)
    assert found.codes == set()
    assert found.memory_mib < usual_mib + 10 * len(text) / (1 << 20)


def test_a_file_of_very_many_pieces(forge: Forge, usual_mib: float) -> None:
    piece = forge.data(b"x")
    text = '{"nodes":[{"name":"f","type":"file","size":300000,"content":[' + ",".join([f'"{piece.hex()}"'] * 300_000)
    forge.finish(forge.raw_tree((text + "]}]}").encode()))
    found = probe(forge)
    assert found.codes == set()
    assert found.memory_mib < usual_mib + 10 * len(text) / (1 << 20)
