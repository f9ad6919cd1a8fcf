"""A repository in memory with a cache folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.repository import held_lock
from holdfast.repository.index import Index
from holdfast.testing.faulty_backend import FaultyBackend
from holdfast.testing.stand_in import standing_in
from repository_kit import new_repository
from unit.ingest.ingest_kit import Kit


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    storage = FaultyBackend(MemoryBackend("test"))
    repository = new_repository(storage)
    repository.cache_dir = tmp_path / "cache"
    repository.cache_dir.mkdir()
    # Nobody else is there to compete for a lock.
    with standing_in(held_lock, SETTLE_S=0.005), Index(repository) as index:
        made = Kit(storage, repository, index)
        yield made
        made.close()
