"""Small repositories for tests, with keys that cost nothing to try."""

from __future__ import annotations

from holdfast.backends.memory import MemoryBackend
from holdfast.model.key import KdfParameters
from holdfast.protocols import Backend
from holdfast.repository.opening import init_repository
from holdfast.repository.repository import Repository
from holdfast.runtime.clock import Clock

CHEAP = KdfParameters(n=2, r=1, p=1)


def new_repository(
    backend: Backend | None = None,
    *,
    password: bytes = b"secret",
    version: int = 2,
    repository_id: bytes | None = None,
    chunker_polynomial: int | None = None,
    clock: Clock | None = None,
) -> Repository:
    """An empty repository, in memory unless a backend is given."""
    return init_repository(
        backend or MemoryBackend("test"),
        password,
        version=version,
        repository_id=repository_id,
        chunker_polynomial=chunker_polynomial,
        parameters=CHEAP,
        allow_weak=True,
        clock=clock,
    )
