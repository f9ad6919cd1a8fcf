"""What tests of rows share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.model.event import ignore
from holdfast.protocols import DumpRequest, LoadRequest


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Path]:
    """Makes empty folders."""
    made: list[Path] = []

    def make() -> Path:
        made.append(tmp_path / f"folder-{len(made)}")
        made[-1].mkdir(mode=0o700)
        return made[-1]

    return make


@pytest.fixture
def dump_request(fresh: Callable[[], Path]) -> Callable[..., DumpRequest]:
    """Makes requests to dump, each with a scratch folder of its own."""

    def make(base: Path | None = None, state: Path | None = None) -> DumpRequest:
        return DumpRequest(scratch=fresh(), listener=ignore, cancelled=lambda: None, base=base, state=state)

    return make


@pytest.fixture
def load_request(fresh: Callable[[], Path]) -> Callable[..., LoadRequest]:
    """Makes requests to load, each with a scratch folder of its own."""

    def make(**more: object) -> LoadRequest:
        given: dict[str, object] = {"scratch": fresh(), "listener": ignore, "cancelled": lambda: None}
        return LoadRequest(stamp="20240101_120000", **given, **more)  # type: ignore[arg-type]

    return make
