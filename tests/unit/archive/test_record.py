"""Records prove themselves, and nothing that lies in their place makes a listing fail."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.archive import record
from holdfast.archive.digest import ContentDigest
from holdfast.archive.layouts.layout import FileRow
from holdfast.model.node import NodeType
from holdfast.protocols.content import Entry
from holdfast.testing.target_content import NOON, database, manifest_for, node, small_tree, symlink

ROWS = [FileRow("a/b.db", "database", "content", 5, "0" * 64, "app%2Fx.db", "gz", "age", 9)]


def written() -> bytes:
    return record.encode({"timestamp": "x"}, manifest_for(NOON, [database(b"1"), small_tree()]), ROWS)


def test_a_record_comes_back() -> None:
    found = record.decode(written())
    assert found.manifest == manifest_for(NOON, [database(b"1"), small_tree()])
    assert list(found.files) == ROWS
    assert found.intact
    assert not found.damaged
    assert next(iter(json.loads(written()))) == "timestamp"


def test_every_changed_byte_shows(rng: random.Random) -> None:
    data = written()
    for at in {0, len(data) - 1, len(data) - 2, *(rng.randrange(len(data)) for _ in range(300))}:
        garbled = bytearray(data)
        garbled[at] ^= 1 << rng.randrange(8)
        found = record.decode(bytes(garbled))
        assert found.damaged or found.manifest is None or not found.intact, at


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_nothing_makes_it_raise(data: bytes) -> None:
    assert record.decode(data).manifest is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"[" * 100_000, b'{"holdfast": 1}', b'{"holdfast": {"backup_id": "../../etc"}}',
        b'{"holdfast": {"backup_id": "backup_2024_01_01_12_00_00", "components": 1}}',
        written().replace(b"backup_2024", b"backup_../."), written()[: len(written()) // 2],
    ],
)  # fmt: skip
def test_what_is_no_record(data: bytes) -> None:
    found = record.decode(data)
    assert found.manifest is None
    assert found.damaged


def test_a_sidecar_is_neither_a_record_nor_damaged() -> None:
    found = record.decode(b'{"checksum": "x", "holdfast": {"backup_id": "backup_2024_01_01_12_00_00"}}')
    assert found == record.Record()


def test_the_digest_of_content_is_what_it_was() -> None:
    """A stored digest must be the same in every later version."""
    digest = ContentDigest()
    digest.feed(Entry(path=b"", node=node(b"", NodeType.DIR)))
    digest.feed(Entry(path=b"a \xff\n", node=node(b"a")), bytes(range(32)), 7)
    digest.feed(Entry(path=b"s", node=node(b"s", NodeType.SOCKET)))
    digest.feed(Entry(path=b"l", node=symlink(b"l", b"to there").node))
    assert digest.hexdigest() == "432619bed9335fea9ff18d5d49f2ae124dc1171950a0bcb25475a9c5631ea7ba"
    digest.feed(Entry(path=b"x", node=node(b"x")), None)
    assert digest.hexdigest() == ""
