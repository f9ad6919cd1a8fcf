"""An empty repository in memory under a clock that stands still."""

from __future__ import annotations

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.repository.repository import Repository
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend("test")


@pytest.fixture
def repository(backend: MemoryBackend, clock: FakeClock) -> Repository:
    return new_repository(backend, clock=clock)
