"""A dump as a file: what is said of it is what was done."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.archive.digest import ContentDigest
from holdfast.errors import DamageError
from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.node import Node, NodeType
from holdfast.protocols import Entry
from holdfast.sources.content_file import file_report, proved_blocks, write_new


class Dump:
    """One file, of which a hash is known or not."""

    def __init__(self, stored: bytes, backed_up: bytes | None) -> None:
        self._stored = stored
        digest = ContentDigest()
        if backed_up is not None:
            digest.feed(self._entry(), sha256(backed_up).digest(), len(backed_up))
        self.component = Component(
            name="database",
            kind="postgresql",
            role=Role.DATABASE,
            form=Form.NATIVE,
            shape=Shape.FILE,
            file_name="shop.dump",
            content_sha256="" if backed_up is None else digest.hexdigest(),
        )

    def _entry(self) -> Entry:
        return Entry(
            path=b"shop.dump",
            node=Node(name=b"shop.dump", type=NodeType.FILE, size=len(self._stored)),
            open=lambda: io.BytesIO(self._stored),
        )

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        del paths
        yield self._entry()


def nothing() -> None:
    """Nobody cancels."""


@pytest.mark.parametrize(("backed_up", "checks"), [(b"rows", ("content compared",)), (None, ())])
def test_only_what_was_compared_is_said_to_be(tmp_path: Path, backed_up: bytes | None, checks: tuple[str, ...]) -> None:
    dump, path = Dump(b"rows", backed_up), tmp_path / "shop.dump"
    size_bytes = write_new(path, proved_blocks(dump, nothing))
    assert path.read_bytes() == b"rows"
    assert file_report(path, size_bytes, dump).checks == checks


def test_other_content_gets_no_name(tmp_path: Path) -> None:
    with pytest.raises(DamageError):
        write_new(tmp_path / "shop.dump", proved_blocks(Dump(b"r0ws", b"rows"), nothing))
    assert list(tmp_path.iterdir()) == []
