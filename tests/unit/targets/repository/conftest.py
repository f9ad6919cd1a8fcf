"""A place for one repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.repository import held_lock
from holdfast.testing.stand_in import standing_in
from unit.targets.repository.target_kit import Places


@pytest.fixture(autouse=True)
def locks_settle_quickly() -> Iterator[None]:
    """Nobody competes for a lock here but through the same file system, which shows each file at once."""
    with standing_in(held_lock, SETTLE_S=0.005):
        yield


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A repository that is empty."""
    return Places(tmp_path).init()
