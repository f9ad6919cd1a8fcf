"""One scheduler, step by step: catching up, repeating, time limits, cancelling, ending, taking over."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from holdfast.catalog import Catalog, open_catalog
from holdfast.catalog.queries import RunFilter
from holdfast.errors import Interrupted
from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run, RunState, Trigger
from holdfast.policy.planned import PlannedPolicy
from holdfast.runtime.cancel import CancelToken
from holdfast.scheduler import planning
from holdfast.scheduler.loop import Scheduler
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.fake_ledger import FakeLedger

APP = "shop"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_S = 3600.0


class Rig:
    """A scheduler over a real catalog, with runs that end at once as told."""

    def __init__(self, catalog: Catalog, **more: object) -> None:
        self.catalog = catalog
        self.clock = FakeClock(ns=int(START.timestamp()) * 10**9)
        self.policy = PlannedPolicy(name="nightly", schedule="0 2 * * *", **more)  # type: ignore[arg-type]
        self.policies = {"nightly": self.policy}
        self.outcomes: list[RunState] = []
        self.told: list[Notice] = []
        self.alive = True
        self.refuses = False
        self.holding = threading.Event()
        self.holding.set()
        self.begun = threading.Event()
        self.threads: list[threading.Thread] = []
        self.scheduler = self.another()

    def another(self, host: str = "here") -> Scheduler:
        return Scheduler(
            self.catalog, APP, lambda: self.policies, self.execute, self.told.append, request=lambda _policy: {},
            clock=self.clock, host=host, begin=self.begin, alive=lambda _pid: self.alive,
        )  # fmt: skip

    def begin(self, work: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work)
        self.threads.append(thread)
        thread.start()
        if self.holding.is_set():
            thread.join(20)

    def execute(self, run: Run, cancel: CancelToken) -> Run:
        if self.refuses:
            raise Interrupted
        claimed = self.catalog.runs.claim(run.run_id, "here:77", self.now())
        assert claimed is not None
        self.begun.set()
        while not self.holding.wait(0.01) and not cancel.cancelled:
            pass
        state = (
            RunState.CANCELLED if cancel.cancelled else self.outcomes.pop(0) if self.outcomes else RunState.SUCCEEDED
        )
        final = msgspec.structs.replace(claimed, state=state, finished_at=self.now())
        self.catalog.runs.save(final)
        return final

    def now(self) -> datetime:
        return self.clock.now().at()

    def tick(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.scheduler.tick(self.now())

    def runs(self) -> list[Run]:
        found = self.catalog.runs.find(RunFilter(app=APP, policy="nightly", limit=1000))
        return sorted(found, key=lambda run: (run.due_at, run.attempt))

    def states(self) -> list[str]:
        return [run.state.value for run in self.runs()]

    def heard(self) -> list[str]:
        return [notice.occasion.value for notice in self.told]


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with open_catalog("sqlite://", clock=FakeClock(), key=bytes(32)) as opened:
        yield opened


@pytest.fixture
def rig(catalog: Catalog) -> Iterator[Rig]:
    one = Rig(catalog, retries=2, retry_delay_s=600)
    one.tick()
    yield one
    one.holding.set()
    for thread in one.threads:
        thread.join(20)


def test_a_new_policy_does_not_make_up_for_the_past(rig: Rig) -> None:
    assert rig.runs() == []
    assert rig.scheduler.wakes_at(rig.now()) == START + timedelta(hours=2)


def test_after_a_sleep_there_is_one_run_for_the_newest(rig: Rig) -> None:
    rig.tick(10 * 24 * HOUR_S + 5 * HOUR_S)
    assert rig.states() == ["missed"] * 10 + ["succeeded"]
    assert rig.heard() == ["overdue"]
    assert (rig.told[0].values["count"], rig.told[0].values["first_due_at"]) == ("11", "2026-01-01T02:00:00+00:00")
    rig.tick(60)
    rig.tick(60)
    assert rig.heard() == ["overdue", "recovered"]
    assert rig.runs()[-1].due_at == START + timedelta(days=10, hours=2)


def test_ten_years_asleep_leave_as_many_traces_as_are_of_use(rig: Rig) -> None:
    rig.tick(3650 * 24 * HOUR_S)
    assert rig.catalog.runs.last(APP, policy="nightly", states=(RunState.SUCCEEDED,)) is not None
    assert len(rig.catalog.runs.find(RunFilter(app=APP, policy="nightly", limit=5000))) == planning.MOST_MISSED + 1


def test_failures_are_repeated_with_longer_and_longer_waits(rig: Rig) -> None:
    rig.outcomes = [RunState.FAILED] * 3
    rig.tick(2 * HOUR_S)
    for _ in range(3 * 60):
        rig.tick(60)
    assert rig.states() == ["failed"] * 3
    began = [run.started_at for run in rig.runs()]
    assert [run.attempt for run in rig.runs()] == [1, 2, 3]
    assert began[1] - began[0] == timedelta(seconds=600)
    assert began[2] - began[1] == timedelta(seconds=1200)
    assert rig.heard() == []


def test_the_first_good_run_after_failures_is_told_once(rig: Rig) -> None:
    rig.outcomes = [RunState.FAILED] * 3 + [RunState.PARTIAL]
    for _ in range(4 * 24):
        rig.tick(HOUR_S)
    assert rig.states() == ["failed"] * 3 + ["partial", "succeeded", "succeeded"]
    assert rig.heard() == ["recovered"]


def test_a_partial_backup_is_not_repeated(rig: Rig) -> None:
    rig.outcomes = [RunState.PARTIAL]
    for _ in range(30):
        rig.tick(HOUR_S / 4)
    assert rig.states() == ["partial"]


def test_waits_do_not_grow_for_ever() -> None:
    policy = PlannedPolicy(name="n", schedule="daily", retries=100, retry_delay_s=300)
    assert [planning.delay_s(policy, time) for time in (1, 2, 3, 50, 100)] == [300, 600, 1200, 21_600, 21_600]


def test_a_run_that_takes_too_long_is_ended_and_has_failed(catalog: Catalog) -> None:
    rig = Rig(catalog, timeout_s=1800)
    rig.tick()
    rig.holding.clear()
    rig.tick(2 * HOUR_S)
    assert rig.begun.wait(20)
    rig.tick(1799)
    assert rig.states() == ["running"]
    rig.tick(2)
    rig.threads[0].join(20)
    assert rig.states() == ["failed"]
    [run] = rig.runs()
    assert run.error is not None
    assert run.error.code == "run-timed-out"
    assert [(notice.occasion, notice.code) for notice in rig.told] == [(Occasion.FAILURE, "run-timed-out")]


def test_a_run_that_is_cancelled_is_not_repeated(rig: Rig) -> None:
    rig.holding.clear()
    rig.tick(2 * HOUR_S)
    assert rig.begun.wait(20)
    assert not rig.scheduler.cancel("f" * 32)
    assert rig.scheduler.cancel(rig.runs()[0].run_id)
    rig.threads[0].join(20)
    rig.holding.set()
    rig.tick(HOUR_S)
    assert rig.states() == ["cancelled"]
    assert not rig.scheduler.cancel(rig.runs()[0].run_id)


def test_ending_waits_then_stops_and_the_next_start_repeats(rig: Rig) -> None:
    rig.holding.clear()
    rig.tick(2 * HOUR_S)
    assert rig.begun.wait(20)
    rig.scheduler.close(0.05)
    assert rig.states() == ["cancelled"]
    rig.holding.set()
    rig.scheduler = rig.another()
    rig.tick(10)
    assert rig.states() == ["cancelled", "succeeded"]


def test_the_loop_ends_when_it_is_told_to(rig: Rig) -> None:
    stop = CancelToken()
    thread = threading.Thread(target=rig.scheduler.serve, args=(stop,))
    thread.start()
    stop.cancel()
    thread.join(20)
    assert not thread.is_alive()
    assert rig.catalog.leases.holder(f"scheduler:{APP}", rig.now()) is None


def test_a_catalog_that_is_away_ends_nothing(rig: Rig) -> None:
    rig.catalog.close()
    stop = CancelToken()
    thread = threading.Thread(target=rig.scheduler.serve, args=(stop,))
    thread.start()
    stop.wait(0.1)
    assert thread.is_alive()
    stop.cancel()
    thread.join(20)
    assert not thread.is_alive()


def test_a_process_that_is_gone_is_noticed_at_once_and_another_only_after_minutes(catalog: Catalog) -> None:
    rig = Rig(catalog)
    rig.tick()
    rig.tick(2 * HOUR_S)
    [run] = rig.runs()
    for holder in ("here:77", "elsewhere:77"):
        crashed = msgspec.structs.replace(run, state=RunState.RUNNING, holder=holder, finished_at=None)
        catalog.runs.save(crashed)
        rig.alive = holder != "here:77"
        rig.tick(1)
        if holder == "elsewhere:77":
            assert rig.states()[0] == "running"
            rig.tick(100)
            rig.tick(100)
        assert rig.states()[0] == "lost"
        assert rig.told[-1].code == "run-lost"


def test_a_clock_that_jumps_does_not_make_others_look_dead(catalog: Catalog) -> None:
    rig = Rig(catalog)
    rig.tick()
    rig.tick(2 * HOUR_S)
    [run] = rig.runs()
    catalog.runs.save(msgspec.structs.replace(run, state=RunState.RUNNING, holder="elsewhere:77", finished_at=None))
    rig.tick(1)
    rig.clock.set_wall(rig.clock.now().ns + int(5 * HOUR_S) * 10**9)
    rig.tick(1)
    assert rig.states() == ["running"]


def test_only_one_schedules_and_another_takes_over(rig: Rig) -> None:
    other = rig.another("there")
    for _ in range(3):
        rig.clock.advance(20)
        other.tick(rig.now())
        rig.tick()
    lease = rig.catalog.leases.holder(f"scheduler:{APP}", rig.now())
    assert lease is not None
    assert lease.holder.startswith("here:")
    rig.clock.advance(61)
    other.tick(rig.now())
    taken = rig.catalog.leases.holder(f"scheduler:{APP}", rig.now())
    assert taken is not None
    assert (taken.holder.startswith("there:"), taken.fence) == (True, lease.fence + 1)
    rig.tick()
    assert rig.scheduler._leadership.fence == 0


def test_a_lease_from_a_clock_that_was_ahead_does_not_last(rig: Rig) -> None:
    """Ten years ahead a scheduler renews its lease, then the clock is put right and the scheduler dies."""
    rig.clock.set_wall(rig.clock.now().ns + int(3650 * 24 * HOUR_S) * 10**9)
    rig.tick()
    rig.clock.set_wall(int(START.timestamp() + HOUR_S) * 10**9)
    other = rig.another("there")
    for _ in range(5):
        rig.clock.advance(20)
        other.tick(rig.now())
    taken = rig.catalog.leases.holder(f"scheduler:{APP}", rig.now())
    assert taken is not None
    assert taken.holder.startswith("there:")
    assert taken.expires_at <= rig.now() + timedelta(seconds=60)


def test_a_policy_that_is_gone_takes_its_queue_with_it(rig: Rig) -> None:
    rig.policies["nightly"] = msgspec.structs.replace(rig.policy, jitter_s=3600.0)
    rig.tick(2 * HOUR_S)
    assert rig.states() == ["queued"]
    rig.policies["nightly"] = msgspec.structs.replace(rig.policy, enabled=False)
    rig.tick(60)
    assert rig.states() == ["cancelled"]


def test_another_schedule_begins_now(rig: Rig) -> None:
    rig.tick(26 * HOUR_S)
    rig.policies["nightly"] = msgspec.structs.replace(rig.policy, schedule="hourly")
    before = len(rig.runs())
    rig.tick(600)
    assert len(rig.runs()) == before
    rig.tick(HOUR_S)
    assert len(rig.runs()) == before + 1


def test_a_spread_longer_than_the_period_does_not_starve(catalog: Catalog) -> None:
    rig = Rig(catalog, jitter_s=100 * HOUR_S)
    rig.policies["nightly"] = msgspec.structs.replace(rig.policy, schedule="hourly")
    rig.tick()
    for _ in range(24):
        rig.tick(HOUR_S / 4)
    assert rig.states().count("succeeded") >= 4
    assert rig.heard() == []


def test_what_was_asked_for_by_hand_is_left_alone(rig: Rig) -> None:
    asked = Run(run_id="a" * 32, app=APP, operation="create", trigger=Trigger.REQUEST, state=RunState.QUEUED,
                created_at=rig.now())  # fmt: skip
    rig.catalog.runs.add(asked)
    rig.tick(1)
    found = rig.catalog.runs.get("a" * 32)
    assert found is not None
    assert found.state is RunState.QUEUED
    assert not rig.begun.is_set()


def test_a_run_that_is_stopped_before_it_began_waits(rig: Rig) -> None:
    rig.refuses = True
    rig.tick(2 * HOUR_S)
    assert rig.states() == ["queued"]


# --- the fake ledger ---------------------------------------------------------------------------------


def test_the_fake_ledger_does_what_the_catalog_does(catalog: Catalog, rng: random.Random) -> None:
    fake = FakeLedger()
    ids = [f"{number:032x}" for number in range(12)]

    def moment() -> datetime:
        return START + timedelta(hours=rng.randrange(6))

    for _ in range(400):
        run = Run(
            run_id=rng.choice(ids), app=rng.choice(["a", "b"]), operation="create", trigger=Trigger.SCHEDULE,
            state=rng.choice(list(RunState)), created_at=moment(), policy=rng.choice(["p", "q"]), due_at=moment(),
            attempt=rng.randrange(1, 3), holder=rng.choice(["", "h", "i"]),
        )  # fmt: skip
        at, holder, ttl = moment(), rng.choice(["h", "i"]), rng.choice([60.0, 7200.0])
        wanted = RunFilter(app="a", policy="p", due_since=moment(), due_until=moment() + timedelta(hours=2), limit=5)
        there = fake.runs.get(run.run_id)
        same_key = there is not None and msgspec.structs.replace(
            there, state=run.state, created_at=run.created_at, holder=run.holder
        )
        for name, arguments in [
            ("add", (run,)),
            ("claim", (run.run_id, holder, at)),
            ("finish", (same_key,) if same_key else None),
            ("save", (same_key,) if same_key else None),
            ("heartbeat", (run.run_id, holder, at)),
            ("find", (wanted,)),
            ("unfinished", ("a",)),
            ("last_due", ("a", "p")),
            ("last", ("a",)),
            ("get", (run.run_id,)),
        ]:
            if arguments is not None and rng.random() < 0.5:
                assert getattr(fake.runs, name)(*arguments) == getattr(catalog.runs, name)(*arguments), name
        states = (RunState.FAILED, RunState.QUEUED)
        assert fake.runs.last("a", policy="p", states=states) == catalog.runs.last("a", policy="p", states=states)
        lease = fake.leases.holder("l", at)
        assert lease == catalog.leases.holder("l", at)
        if lease is not None and rng.random() < 0.5:
            assert fake.leases.renew(lease, ttl, at) == catalog.leases.renew(lease, ttl, at)
        if lease is not None and rng.random() < 0.2:
            fake.leases.release(lease)
            catalog.leases.release(lease)
        assert fake.leases.acquire("l", holder, ttl, at) == catalog.leases.acquire("l", holder, ttl, at)
