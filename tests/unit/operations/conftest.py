"""One small application in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unit.operations.app import App


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., App]:
    """Makes applications whose state lies in a temporary folder."""
    return lambda **parts: App(tmp_path / "state", **parts)


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    """A database, a folder and a configuration, and two archives."""
    return make_app()
