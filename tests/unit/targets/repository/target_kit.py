"""Repositories for tests of the target, with keys that cost nothing to try."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from holdfast.backends.local import LocalBackend
from holdfast.backends.options import BackendOptions
from holdfast.backends.registry import open_backend
from holdfast.protocols import Backend
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.secret import Secret
from holdfast.targets.repository import RepositoryTarget
from holdfast.targets.repository_access import BackendOpener
from holdfast.targets.repository_options import RepositoryOptions
from holdfast.testing.faulty_backend import FaultyBackend
from repository_kit import new_repository

PASSWORD = "geheim"


@dataclass
class Places:
    """A folder for a repository and for what an application keeps beside it."""

    base: Path
    clock: Clock = field(default_factory=SystemClock)

    @property
    def repository(self) -> Path:
        return self.base / "repository"

    @property
    def state(self) -> Path:
        return self.base / "state"

    def init(self) -> Places:
        """Makes the repository."""
        new_repository(LocalBackend(str(self.repository)), password=PASSWORD.encode()).close()
        return self

    def target(
        self, *, name: str = "offsite", app: str = "app", opener: BackendOpener = open_backend, **options: Any
    ) -> RepositoryTarget:
        """Opens the target anew."""
        values: dict[str, Any] = {"url": "repository", "password": Secret(PASSWORD.encode())} | options
        chosen = RepositoryOptions(**values)
        return RepositoryTarget(name, chosen, self.base, app, self.state, self.clock, opener=opener)


def faulty(storages: list[FaultyBackend]) -> BackendOpener:
    """Opens storages that misbehave when told to, and nothing repeats what they fail at; each is put on the list."""

    def opener(url: str, *, options: BackendOptions) -> Backend:
        storages.append(FaultyBackend(open_backend(url, options=replace(options, retry_deadline_s=0))))
        return storages[-1]

    return opener
