"""Which of several schedulers plans for an application: the one that holds the lease."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.model.run import Lease
from holdfast.runtime.clock import Clock
from holdfast.scheduler.ledger import LeaseLedger

LEASE_TTL_S = 60.0


class Leadership:
    """Holds the lease while it can.

    A lease ends at a time of the wall clock. If that clock was ahead when a holder that has died since renewed it, the
    end may be years away; so a lease that nobody renews for its length, as the monotonic clock measures it, counts as
    ended whatever it says.
    """

    def __init__(self, leases: LeaseLedger, app: str, holder: str, clock: Clock) -> None:
        self._leases = leases
        self._name = f"scheduler:{app}"
        self._holder = holder
        self._clock = clock
        self._lease: Lease | None = None
        self._seen: tuple[Lease, float] | None = None

    @property
    def fence(self) -> int:
        """Grows with every holder; 0 while we are not it."""
        return self._lease.fence if self._lease is not None else 0

    def hold(self, now: datetime) -> bool:
        """Renews or takes the lease. Returns whether it is ours."""
        if self._lease is not None:
            self._lease = self._leases.renew(self._lease, LEASE_TTL_S, now)
        if self._lease is None:
            self._lease = self._leases.acquire(self._name, self._holder, LEASE_TTL_S, now) or self._taken_over(now)
        return self._lease is not None

    def _taken_over(self, now: datetime) -> Lease | None:
        other = self._leases.holder(self._name, now)
        if other is None:
            return None
        if self._seen is None or self._seen[0] != other:
            self._seen = (other, self._clock.monotonic())
            return None
        if self._clock.monotonic() - self._seen[1] <= LEASE_TTL_S:
            return None
        taken = self._leases.acquire(self._name, self._holder, LEASE_TTL_S, other.expires_at + timedelta(seconds=1))
        return None if taken is None else self._leases.renew(taken, LEASE_TTL_S, now)

    def give_back(self) -> None:
        """Lets others plan at once."""
        if self._lease is not None:
            self._leases.release(self._lease)
            self._lease = None
