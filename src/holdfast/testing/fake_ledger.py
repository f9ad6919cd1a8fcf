"""A catalog in memory, as far as the scheduler needs one. A test holds it against the real one."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.catalog.queries import RunFilter
from holdfast.model.run import Lease, Run, RunState

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class FakeRuns:
    """Runs in a dictionary."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_id: dict[str, Run] = {}
        self._taken: set[tuple[str, str, datetime, int]] = set()
        self._by_due: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
        self._open: set[str] = set()
        self._by_age: dict[tuple[str, str], list[tuple[datetime, str]]] = {}

    def add(self, run: Run) -> bool:
        """Adds a run, once for each due time and attempt."""
        with self._lock:
            if run.run_id in self.by_id:
                return False
            if run.due_at is not None:
                key = (run.app, run.policy, run.due_at, run.attempt)
                if key in self._taken:
                    return False
                self._taken.add(key)
                bisect.insort(self._by_due.setdefault((run.app, run.policy), []), (run.due_at, run.run_id))
            self._write(run)
            return True

    def _write(self, run: Run) -> None:
        ages, there = self._by_age.setdefault((run.app, run.policy), []), self.by_id.get(run.run_id)
        if there is not None and there.created_at != run.created_at:
            ages.remove((there.created_at, run.run_id))
        if there is None or there.created_at != run.created_at:
            bisect.insort(ages, (run.created_at, run.run_id))
        self.by_id[run.run_id] = run
        (self._open.discard if run.state.finished else self._open.add)(run.run_id)

    def get(self, run_id: str) -> Run | None:
        """One run."""
        return self.by_id.get(run_id)

    def save(self, run: Run) -> None:
        """Writes a whole run; one that is new is added."""
        if not self.add(run):
            with self._lock:
                self._write(run)

    def finish(self, run: Run) -> bool:
        """Writes a whole run if its holder still runs it."""
        with self._lock:
            there = self.by_id.get(run.run_id)
            mine = there is not None and there.state is RunState.RUNNING and there.holder == run.holder
            if mine:
                self._write(run)
            return mine

    def claim(self, run_id: str, holder: str, at: datetime) -> Run | None:
        """Takes a queued run."""
        with self._lock:
            run = self.by_id.get(run_id)
            if run is None or run.state is not RunState.QUEUED:
                return None
            taken = {"state": RunState.RUNNING, "holder": holder, "started_at": at, "heartbeat_at": at}
            claimed = self.by_id[run_id] = msgspec.structs.replace(run, **taken)
            return claimed

    def heartbeat(self, run_id: str, holder: str, at: datetime) -> bool:
        """Notes a sign of life."""
        run = self.by_id.get(run_id)
        return run is not None and self.finish(msgspec.structs.replace(run, holder=holder, heartbeat_at=at))

    def find(self, wanted: RunFilter) -> list[Run]:
        """Runs, newest first."""
        found = [run for run in self._candidates(wanted) if _fits(run, wanted)]
        found.sort(key=lambda run: (run.created_at, run.run_id), reverse=True)
        return found[: wanted.limit]

    def _candidates(self, wanted: RunFilter) -> list[Run]:
        due = self._by_due.get((wanted.app, wanted.policy or ""), [])
        if wanted.due_since is None or wanted.due_until is None:
            return list(self.by_id.values())
        first = bisect.bisect_left(due, (wanted.due_since, ""))
        last = bisect.bisect_right(due, (wanted.due_until, "g"))
        return [self.by_id[run_id] for _, run_id in due[first:last]]

    def unfinished(self, app: str) -> list[Run]:
        """Runs that are queued or running, oldest first."""
        found = [run for run in map(self.by_id.__getitem__, self._open) if run.app == app]
        return sorted(found, key=lambda run: (run.created_at, run.run_id))

    def last(
        self, app: str, *, policy: str | None = None, operation: str | None = None, states: Collection[RunState] = ()
    ) -> Run | None:
        """The newest run."""
        if policy is None:
            operations = (operation,) if operation is not None else ()
            found = self.find(RunFilter(app=app, operations=operations, states=tuple(states), limit=1))
            return found[0] if found else None
        newest_first = (self.by_id[run_id] for _, run_id in reversed(self._by_age.get((app, policy), [])))
        fitting = (run for run in newest_first if not states or run.state in states)
        return next((run for run in fitting if operation in (None, run.operation)), None)

    def last_due(self, app: str, policy: str) -> datetime | None:
        """The newest due time."""
        due = self._by_due.get((app, policy))
        return due[-1][0] if due else None


class FakeLeases:
    """Leases in a dictionary."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Lease] = {}

    def acquire(self, name: str, holder: str, ttl_s: float, at: datetime) -> Lease | None:
        """Takes a lease that nobody holds."""
        with self._lock:
            there = self._rows.get(name)
            if there is not None and there.holder != holder and there.expires_at > at:
                return None
            mine = there is not None and there.holder == holder and there.expires_at > at
            fence = (0 if there is None else there.fence) + (not mine)
            lease = Lease(name=name, holder=holder, fence=fence, expires_at=at + timedelta(seconds=ttl_s))
            self._rows[name] = lease
            return lease

    def renew(self, lease: Lease, ttl_s: float, at: datetime) -> Lease | None:
        """Holds it for longer."""
        with self._lock:
            there = self._rows.get(lease.name)
            if there is None or (there.holder, there.fence) != (lease.holder, lease.fence):
                return None
            self._rows[lease.name] = msgspec.structs.replace(there, expires_at=at + timedelta(seconds=ttl_s))
            return self._rows[lease.name]

    def release(self, lease: Lease) -> None:
        """Gives it back."""
        with self._lock:
            there = self._rows.get(lease.name)
            if there is not None and (there.holder, there.fence) == (lease.holder, lease.fence):
                self._rows[lease.name] = msgspec.structs.replace(there, holder="", expires_at=_LONG_AGO)

    def holder(self, name: str, at: datetime) -> Lease | None:
        """The lease as somebody holds it."""
        there = self._rows.get(name)
        return there if there is not None and there.holder and there.expires_at > at else None


class FakeSettings:
    """Documents in a dictionary."""

    def __init__(self) -> None:
        self._documents: dict[str, object] = {}

    def get(self, key: str) -> object | None:
        """One document."""
        return self._documents.get(key)

    def put(self, key: str, value: object) -> None:
        """Writes one, as JSON would keep it."""
        self._documents[key] = msgspec.json.decode(msgspec.json.encode(value))


class FakeLedger:
    """Satisfies `holdfast.scheduler.ledger.Ledger`."""

    def __init__(self) -> None:
        self.runs = FakeRuns()
        self.leases = FakeLeases()
        self.settings = FakeSettings()


def _fits(run: Run, wanted: RunFilter) -> bool:
    return (
        (not wanted.app or run.app == wanted.app)
        and (wanted.policy is None or run.policy == wanted.policy)
        and (not wanted.operations or run.operation in wanted.operations)
        and (not wanted.states or run.state in wanted.states)
        and (wanted.since is None or run.created_at >= wanted.since)
        and (wanted.until is None or run.created_at < wanted.until)
        and (wanted.due_since is None or (run.due_at is not None and run.due_at >= wanted.due_since))
        and (wanted.due_until is None or (run.due_at is not None and run.due_at <= wanted.due_until))
    )
