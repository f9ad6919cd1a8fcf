"""The conformance suite of targets, run against repositories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.protocols.target import Target
from holdfast.testing.target_content import make_backup, small_tree
from holdfast.testing.target_suite import TargetSuite
from unit.targets.repository.target_kit import Places


class TestRepository(TargetSuite):
    @pytest.fixture
    def reopen(self, places: Places) -> Callable[[], Target]:
        return places.target

    @pytest.fixture
    def root(self, places: Places) -> Path:
        return places.repository

    def test_state_is_kept_beside_a_component(self, target: Target, tmp_path: Path) -> None:
        """Every backup in a repository is complete: there is nothing to compare with."""
        stored = make_backup(target, [small_tree()._replace(state=b"state")], state=tmp_path / "state.in")
        assert not target.keeps_changes
        assert not target.state(stored, "storage", tmp_path / "state.out")
        assert not (tmp_path / "state.out").exists()
