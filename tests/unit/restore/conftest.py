"""A forge for snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from restore_kit import Forge


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    yield forge
    forge.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"
