"""A place for one repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.targets.repository.target_kit import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A repository that is empty."""
    return Places(tmp_path).init()
