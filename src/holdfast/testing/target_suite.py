"""What every target must do, as tests that anybody can run against theirs.

class TestMine(TargetSuite):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: MyTarget(tmp_path)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.model.component import Component, Form, Role
from holdfast.model.event import ignore
from holdfast.protocols.target import Target
from holdfast.testing.target_compare import KEPT, BreaksOff, assert_same, identifiers
from holdfast.testing.target_content import (
    NOON,
    database,
    digest_of,
    give,
    make_backup,
    manifest_for,
    read_back,
    small_tree,
    tables,
)
from holdfast.testing.target_suite_care import CareTests
from holdfast.testing.target_suite_content import ContentTests

_TABLES = {"comments": b'{"table": "comments", "rows": []}', "users": b'{"table": "users", "rows": [1]}'}


class TargetSuite(ContentTests, CareTests):
    """The conformance tests; sockets need not be kept."""

    @pytest.fixture
    def reopen(self) -> Callable[[], Target]:
        """Opens the target of this test; each call gives a new object for the same, at first empty, location."""
        raise pytest.UsageError("a subclass of TargetSuite must override the fixture `reopen`")

    @pytest.fixture
    def root(self) -> Path | None:
        """The folder of this machine in which everything is kept; None if there is none."""
        return None

    @pytest.fixture
    def target(self, reopen: Callable[[], Target]) -> Iterator[Target]:
        """The target, ready."""
        opened = reopen()
        opened.prepare()
        yield opened
        opened.close()

    # --- making a backup ---

    def test_what_was_stored_comes_back(self, target: Target, reopen: Callable[[], Target]) -> None:
        made = [database(b"SQLite format 3\0" + bytes(5000)), tables(_TABLES), small_tree()]
        stored = make_backup(target, made)
        again = reopen()
        (found,) = again.backups()
        assert found.manifest == stored.manifest
        assert found.manifest.total_size > 0
        assert list(found.manifest.components) == ["database", "tables", "storage"]
        for one in made:
            content = again.content(found, one.component.name)
            back = read_back(content)
            assert_same(one, back, KEPT)
            assert digest_of(back) == content.component.content_sha256 != ""
        again.close()

    def test_a_backup_is_not_listed_before_it_is_committed(self, target: Target, reopen: Callable[[], Target]) -> None:
        made = [database(b"content"), small_tree()]
        manifest = manifest_for(NOON, made)
        writer = target.begin(manifest)
        done: dict[str, Component] = {}
        for one in made:
            done[one.component.name] = give(writer.component(one.component), one)
            assert identifiers(target) == []
        stored = writer.commit(replace(manifest, components=done))
        assert stored.backup_id == manifest.backup_id
        assert identifiers(target) == identifiers(reopen()) == [manifest.backup_id]
        writer.abort()
        assert identifiers(target) == [manifest.backup_id]

    def test_an_aborted_backup_is_not_listed(self, target: Target, reopen: Callable[[], Target]) -> None:
        writer = target.begin(manifest_for(NOON, [small_tree()]))
        give(writer.component(small_tree().component), small_tree())
        writer.abort()
        writer.abort()
        assert identifiers(target) == identifiers(reopen()) == []
        stored = make_backup(target, [small_tree()])
        assert target.verify(stored, ignore) == []

    def test_a_backup_aborted_within_a_file_is_not_listed(self, target: Target) -> None:
        writer = target.begin(manifest_for(NOON, [small_tree()]))
        component = writer.component(small_tree().component)
        with contextlib.suppress(KeyError):
            give(BreaksOff(component), small_tree())
        writer.abort()
        assert identifiers(target) == []

    def test_what_a_dead_run_left_is_no_backup_and_does_no_harm(self, reopen: Callable[[], Target]) -> None:
        dead = reopen()
        dead.prepare()
        kept = make_backup(dead, [database(b"kept")])
        writer = dead.begin(manifest_for(NOON + timedelta(hours=1), [small_tree()]))
        give(writer.component(small_tree().component), small_tree())
        del writer
        living = reopen()
        living.prepare()
        assert identifiers(living) == [kept.backup_id]
        assert living.verify(living.backups()[0], ignore) == []
        stored = make_backup(living, [small_tree()], moment=NOON + timedelta(hours=1))
        assert living.verify(stored, ignore) == []
        living.close()

    def test_two_backups_in_one_second(self, target: Target) -> None:
        first = make_backup(target, [database(b"first"), small_tree(1)])
        second = make_backup(target, [database(b"second"), small_tree(2)])
        assert second.backup_id == f"{first.backup_id}_2"
        for backup, content in ((first, b"first"), (second, b"second")):
            assert [back.content for back in read_back(target.content(backup, "database"))] == [content]
            assert target.verify(backup, ignore) == []

    def test_the_newest_is_listed_first(self, target: Target) -> None:
        for hours in (5, 1, 9, 3):
            make_backup(target, [database(str(hours).encode())], moment=NOON + timedelta(hours=hours))
        listed = [backup.manifest.created_at for backup in target.backups()]
        assert listed == sorted(listed, reverse=True)
        assert len(listed) == 4

    def test_it_says_what_and_where_it_is(self, target: Target) -> None:
        stored = make_backup(target, [database(b"1")])
        assert target.name
        assert target.url
        assert stored.target == target.name
        assert stored.location
        free = target.free_bytes()
        assert free is None or free > 0

    @pytest.mark.parametrize(
        ("forms", "role"),
        [
            ((Form.NATIVE, Form.SQL, Form.CHANGES), Role.DATABASE),
            ((Form.TABLES,), Role.TABLES),
            ((Form.NATIVE, Form.CHANGES), Role.STORAGE),
            ((Form.NATIVE,), Role.COMMAND),
        ],
    )
    def test_it_takes_one_of_the_forms_that_there_are(
        self, target: Target, forms: tuple[Form, ...], role: Role
    ) -> None:
        assert target.form_for(forms, role) in forms
        assert target.form_for(forms, role) is not Form.CHANGES
