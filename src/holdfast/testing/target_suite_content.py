"""The part of the conformance suite of targets that looks at content."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from holdfast.errors import ComponentNotFound
from holdfast.model.event import ignore
from holdfast.model.node import NodeType
from holdfast.protocols.target import Target
from holdfast.testing.target_compare import KEPT, assert_same
from holdfast.testing.target_content import (
    Item,
    Made,
    database,
    directory,
    file,
    make_backup,
    read_back,
    small_tree,
    special,
    tables,
    tree,
    zoo,
)

_TABLES = {"comments": b'{"table": "comments", "rows": []}', "users": b'{"table": "users", "rows": [1]}'}
_BIG_BYTES = 64 * 1024 * 1024


class ContentTests:
    """What was stored comes back."""

    # --- content ---

    def test_every_kind_of_entry_and_name(self, target: Target) -> None:
        made = zoo()
        stored = make_backup(target, [made])
        assert_same(made, read_back(target.content(stored, "storage")), KEPT)
        assert target.verify(stored, ignore) == []

    def test_a_socket_does_no_harm(self, target: Target) -> None:
        plain = small_tree()
        socket = special(b"storage/s", NodeType.SOCKET)
        made = Made(plain.component, [*plain.items[:-2], socket, *plain.items[-2:]])
        stored = make_backup(target, [made])
        assert_same(
            plain,
            [one for one in read_back(target.content(stored, "storage")) if one.node.type is not NodeType.SOCKET],
            KEPT,
        )

    @pytest.mark.parametrize("items", [[], [directory(b"storage")], [file(b"storage", b"")]])
    def test_next_to_nothing(self, target: Target, items: list[Item]) -> None:
        made = tree(items)
        stored = make_backup(target, [made])
        assert_same(made, read_back(target.content(stored, "storage")), KEPT)
        assert target.verify(stored, ignore) == []

    def test_many_entries(self, target: Target) -> None:
        files = [file(f"d{number % 20:02d}/{number:05d}".encode(), str(number).encode()) for number in range(1500)]
        folders = [directory(f"d{number:02d}".encode()) for number in range(20)]
        made = tree(sorted([*files, *folders], key=lambda item: item.path.split(b"/")))
        stored = make_backup(target, [made])
        assert_same(made, read_back(target.content(stored, "storage")), KEPT)

    def test_a_big_file(self, target: Target) -> None:
        pattern = random.Random(3).randbytes(4096)  # noqa: S311 - test data
        content = pattern * (_BIG_BYTES // len(pattern))
        stored = make_backup(target, [tree([file(b"big", content)])])
        back = read_back(target.content(stored, "storage"), [b"big"])
        assert back[-1].content == content

    def test_some_paths_with_the_directories_that_lead_there(self, target: Target) -> None:
        stored = make_backup(target, [small_tree()])
        content = target.content(stored, "storage")
        assert [back.path for back in read_back(content, [b"storage/images"])] == [
            b"", b"storage", b"storage/images", b"storage/images/1.bin", b"storage/images/2.bin",
        ]  # fmt: skip
        assert [back.path for back in read_back(content, [b"storage/a.txt", b"storage/videos/clip.mp4"])] == [
            b"", b"storage", b"storage/a.txt", b"storage/videos", b"storage/videos/clip.mp4",
        ]  # fmt: skip
        assert [back.path for back in read_back(content, [b"storage/image"])] in ([], [b""], [b"", b"storage"])

    def test_one_of_several_files(self, target: Target) -> None:
        stored = make_backup(target, [tables(_TABLES)])
        back = read_back(target.content(stored, "tables"), [b"users.json"])
        assert [(one.path, one.content) for one in back if one.path] == [(b"users.json", _TABLES["users"])]

    def test_a_link_alone_has_the_content(self, target: Target) -> None:
        stored = make_backup(target, [zoo()])
        back = read_back(target.content(stored, "storage"), [b"zoo/second link"])
        assert back[-1].path == b"zoo/second link"
        assert back[-1].content == b"shared"

    def test_content_need_not_be_read(self, target: Target) -> None:
        stored = make_backup(target, [small_tree()])
        listed = [entry.path for entry in target.content(stored, "storage").entries()]
        assert listed == [item.path for item in small_tree().items]
        assert next(target.content(stored, "storage").entries()).path == b""

    def test_a_component_that_is_not_there(self, target: Target) -> None:
        stored = make_backup(target, [database(b"1")])
        with pytest.raises(ComponentNotFound):
            target.content(stored, "storage")

    def test_a_file_that_could_not_be_read_to_its_end_spoils_nothing_else(self, target: Target) -> None:
        items = [file(b"a", b"before"), file(b"b", b"broken" * 50_000, spoiled=True), file(b"c", b"after")]
        stored = make_backup(target, [tree(items)])
        back = {one.path: one.content for one in read_back(target.content(stored, "storage"))}
        assert back[b"a"] == b"before"
        assert back[b"c"] == b"after"
        assert target.verify(stored, ignore) == []

    def test_state_is_kept_beside_a_component(self, target: Target, tmp_path: Path) -> None:
        kept, into = small_tree()._replace(state=b"what to compare with"), tmp_path / "state.out"
        stored = make_backup(target, [kept, database(b"1")], state=tmp_path / "state.in")
        assert target.state(stored, "storage", into)
        assert into.read_bytes() == b"what to compare with"
        assert not target.state(stored, "database", tmp_path / "none")
