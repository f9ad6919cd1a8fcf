"""What the scheduler needs of a catalog. `holdfast.catalog.catalog.Catalog` has it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from holdfast.catalog.queries import RunFilter
from holdfast.model.run import Lease, Run, RunState


class RunLedger(Protocol):
    """Runs; every call is durable and whole, or raises."""

    def add(self, run: Run) -> bool:
        """Adds a run. INVARIANT: False if its policy has one with the same `due_at` and `attempt`."""
        ...

    def get(self, run_id: str) -> Run | None:
        """One run."""
        ...

    def save(self, run: Run) -> None:
        """Writes a whole run."""
        ...

    def finish(self, run: Run) -> bool:
        """Writes a whole run if its holder still runs it; False otherwise."""
        ...

    def claim(self, run_id: str, holder: str, at: datetime) -> Run | None:
        """Takes a queued run; None if it is not queued any more."""
        ...

    def find(self, wanted: RunFilter) -> list[Run]:
        """Runs, those that were created last first."""
        ...

    def unfinished(self, app: str) -> list[Run]:
        """Runs that are queued or running."""
        ...

    def last(
        self, app: str, *, policy: str | None = None, operation: str | None = None, states: Collection[RunState] = ()
    ) -> Run | None:
        """The newest run."""
        ...

    def last_due(self, app: str, policy: str) -> datetime | None:
        """The newest `due_at` of a policy's runs."""
        ...


class LeaseLedger(Protocol):
    """Leases; see `holdfast.catalog.leases`."""

    def acquire(self, name: str, holder: str, ttl_s: float, at: datetime) -> Lease | None:
        """Takes a lease that nobody holds at that moment."""
        ...

    def renew(self, lease: Lease, ttl_s: float, at: datetime) -> Lease | None:
        """Holds it for longer; None if it is lost."""
        ...

    def release(self, lease: Lease) -> None:
        """Gives it back."""
        ...

    def holder(self, name: str, at: datetime) -> Lease | None:
        """The lease as somebody holds it at a moment."""
        ...


class SettingLedger(Protocol):
    """Documents by name."""

    def get(self, key: str) -> object | None:
        """One document; None if it was never put."""
        ...

    def put(self, key: str, value: object) -> None:
        """Writes one."""
        ...


class Ledger(Protocol):
    """A catalog, as far as the scheduler uses it."""

    @property
    def runs(self) -> RunLedger:
        """Runs."""
        ...

    @property
    def leases(self) -> LeaseLedger:
        """Leases."""
        ...

    @property
    def settings(self) -> SettingLedger:
        """Documents by name."""
        ...
