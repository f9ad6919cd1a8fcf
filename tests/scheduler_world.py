"""A simulated machine park for the scheduler: processes that crash, clocks that jump, machines that sleep.

Everything the scheduler writes goes through `Stepped`, which can end the process before or after any single write. Runs
are threads that stop in the middle until the simulation says that their time is over, so that everything that happens
between a run's beginning and its end can happen.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from holdfast.errors import BackendUnavailable
from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run, RunState, run_error
from holdfast.policy.planned import PlannedPolicy
from holdfast.runtime.cancel import CancelToken
from holdfast.scheduler import planning
from holdfast.scheduler.ledger import Ledger
from holdfast.scheduler.loop import Scheduler
from holdfast.scheduler.memory import memory_key, read_memory
from holdfast.testing.fake_clock import FakeClock

APP = "shop"
_WRITES = frozenset({"add", "save", "finish", "claim", "acquire", "renew", "release", "put"})
_SECOND_NS = 1_000_000_000


class Crash(BaseException):
    """The process is gone; nothing below may catch this."""


class Stepped:
    """A part of a ledger whose writes are steps: `on_step` is called before and after each, and may raise."""

    def __init__(self, inner: object, on_step: Callable[[], None]) -> None:
        self._inner = inner
        self._on_step = on_step

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if name not in _WRITES:
            return method

        def step(*args: object, **named: object) -> object:
            self._on_step()
            result = method(*args, **named)
            self._on_step()
            return result

        return step


class SteppedLedger:
    """A ledger that counts steps."""

    def __init__(self, inner: Ledger, on_step: Callable[[], None]) -> None:
        self.runs = Stepped(inner.runs, on_step)
        self.leases = Stepped(inner.leases, on_step)
        self.settings = Stepped(inner.settings, on_step)


class Work:
    """A run that goes on: a thread that waits in the middle of `execute`."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.fails = False
        self.claimed: Run | None = None
        self.parked = threading.Event()
        self.resume = threading.Event()
        self.thread: threading.Thread | None = None
        self.token = CancelToken()

    @property
    def going(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def end(self) -> None:
        """Lets it go on to its end."""
        self.resume.set()
        if self.thread is not None:
            self.thread.join()


class Node:
    """One process with a scheduler, which can be killed and started again."""

    def __init__(self, world: World, host: str) -> None:
        self.world = world
        self.host = host
        self.work: Work | None = None
        self.steps = 0
        self.pause_at = 0
        self.paused, self.go_on = threading.Event(), threading.Event()
        self.bomb = 0
        self.down_until = float("-inf")
        self.dead = False
        self.start()

    def start(self) -> None:
        """A new process: everything it knew is gone."""
        self.pid = next(self.world.pids)
        self.world.alive.add((self.host, self.pid))
        self.dead = False
        self.bomb = 0
        self.work = None
        world = self.world
        pid = self.pid
        self.scheduler = world.scheduler_class(
            SteppedLedger(world.ledger, self.step),  # type: ignore[arg-type]
            APP,
            lambda: world.policies,
            self.execute,
            self.hear,
            request=lambda policy: {"type": policy.type.value},
            clock=world.clock,
            host=self.host,
            begin=self.begin,
            alive=lambda other: (self.host, other) in world.alive,
            holder=f"{self.host}:{pid}:x",
        )

    def step(self) -> None:
        """One write is about to happen, or has happened."""
        if self.pause_at and self.steps + 1 == self.pause_at:
            self.paused.set()
            assert self.go_on.wait(20)
        if self.dead:
            raise Crash
        self.steps += 1
        if self.bomb:
            self.bomb -= 1
            if not self.bomb:
                self.dead = True
                raise Crash

    def hear(self, notice: Notice) -> None:
        if self.dead:
            raise Crash
        self.world.told.append(notice)
        self.world.tick_told.append(notice)

    def begin(self, work: Callable[[], None]) -> None:
        self.work = Work(self.world.clock.monotonic() + self.world.duration_s())

        def guarded() -> None:
            try:
                work()
            except Crash:
                self.dead = True
            finally:
                assert self.work is not None
                self.work.parked.set()

        self.work.thread = threading.Thread(target=guarded, daemon=True)
        self.work.thread.start()
        assert self.work.parked.wait(20)

    def execute(self, run: Run, token: CancelToken) -> Run:
        """What the service does: claim, work, write down."""
        work, world = self.work, self.world
        assert work is not None
        work.token = token
        runs = SteppedLedger(world.ledger, self.step).runs
        claimed = runs.claim(run.run_id, f"{self.host}:{self.pid}", world.now())
        if claimed is None:
            return world.ledger.runs.get(run.run_id) or run
        world.executed.append((run.policy, run.due_at, run.attempt))
        work.claimed = claimed
        work.fails = world.fails()
        work.parked.set()
        assert work.resume.wait(30)
        if self.dead:
            raise Crash
        state = RunState.FAILED if work.fails else RunState.SUCCEEDED
        if token.cancelled:
            state = RunState.CANCELLED
        error = run_error(BackendUnavailable(url="u", object="o", reason="r")) if state is RunState.FAILED else None
        final = msgspec.structs.replace(claimed, state=state, finished_at=world.now(), error=error)
        runs.save(final)
        return final

    def kill(self) -> None:
        """The process is gone, and what it worked on with it."""
        self.dead = True
        self.world.alive.discard((self.host, self.pid))
        if self.work is not None and self.work.going:
            self.work.end()

    @property
    def up(self) -> bool:
        return not self.dead

    @property
    def standing_still(self) -> bool:
        return self.paused.is_set() and not self.go_on.is_set()


class World:
    """Processes, a clock, a catalog, and what is known about what they did."""

    def __init__(
        self,
        ledger: Ledger,
        policies: list[PlannedPolicy],
        rng: random.Random,
        hosts: tuple[str, ...] = ("a",),
        scheduler_class: type[Scheduler] = Scheduler,
    ):
        self.ledger = ledger
        self.scheduler_class = scheduler_class
        self.policies = {policy.name: policy for policy in policies}
        self.rng = rng
        self.clock = FakeClock(ns=int(datetime(2025, 12, 1, 0, 7, tzinfo=UTC).timestamp()) * _SECOND_NS)
        self.pids = itertools.count(1001)
        self.alive: set[tuple[str, int]] = set()
        self.told: list[Notice] = []
        self.tick_told: list[Notice] = []
        self.told_twice: Counter[tuple[str, str]] = Counter()
        self.executed: list[tuple[str, datetime | None, int]] = []
        self.ahead = False
        self.failing = 0.05
        self.longest_s = 2400.0
        self.started_at = self.now()
        self.nodes = [Node(self, host) for host in hosts]

    def now(self) -> datetime:
        return self.clock.now().at()

    def duration_s(self) -> float:
        return self.rng.uniform(20, self.longest_s)

    def fails(self) -> bool:
        return self.rng.random() < self.failing

    # --- letting time pass -------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Time passes while machines are awake; runs that go on show that they live, or come to their end."""
        target = self.clock.monotonic() + seconds
        while (ending := self._next_end(target)) is not None:
            self.clock.advance(max(0.0, ending.work.ends_at - self.clock.monotonic()))
            ending.work.end()
            if ending.dead:
                self._bury(ending)
        self.clock.advance(max(0.0, target - self.clock.monotonic()))
        for node in self.nodes:
            if node.up and not node.standing_still and node.work and node.work.going and node.work.claimed:
                claimed = node.work.claimed
                self.ledger.runs.heartbeat(claimed.run_id, claimed.holder, self.now())

    def _next_end(self, target: float) -> Node | None:
        awake = [node for node in self.nodes if node.up and not node.standing_still]
        going = [node for node in awake if node.work is not None and node.work.going]
        ending = [node for node in going if node.work.ends_at <= target or node.work.token.cancelled]
        return min(ending, key=lambda node: node.work.ends_at, default=None)

    def sleep(self, seconds: float) -> None:
        """Machines are suspended: the wall clock goes on, the monotonic one and all work stand still."""
        self.jump(seconds)

    def jump(self, seconds: float) -> None:
        """The wall clock is set."""
        self.clock.set_wall(self.clock.now().ns + round(seconds * _SECOND_NS))

    # --- processes ---------------------------------------------------------------------------------

    def tick(self, node: Node) -> None:
        """One look of one scheduler, which may be its last."""
        self.tick_told = []
        with contextlib.suppress(Crash):
            node.scheduler.tick(self.now())
        if node.dead:
            self._bury(node)
        else:
            self.check(node)

    def _bury(self, node: Node) -> None:
        node.kill()
        # Whether what was told in the last moment was written down is not known, so it may be told once more.
        for notice in self.tick_told:
            for due in notice.values.get("due", "").split():
                self.told_twice[notice.values["policy"], due] += 1
        self.tick_told = []

    def wait_s(self) -> float:
        """How long nothing happens by itself."""
        now = self.now()
        waits = [21_600.0]
        for node in self.nodes:
            if node.up:
                waits.append((node.scheduler.wakes_at(now) - now).total_seconds())
                if node.work is not None and node.work.going:
                    waits.append(max(1.0, node.work.ends_at - self.clock.monotonic()))
                    waits.append(max(1.0, node.scheduler._active._timeout_s))
            else:
                waits.append(max(1.0, node.down_until - self.clock.monotonic()))
        return max(1.0, min(waits))

    def revive(self) -> None:
        """Processes whose time has come start again."""
        for node in self.nodes:
            if node.dead and self.clock.monotonic() >= node.down_until:
                node.start()

    # --- what must be so ---------------------------------------------------------------------------

    def check(self, node: Node) -> None:
        """After a look that came to its end: nothing that could begin waits, and everything due is known."""
        if not node.scheduler._leadership.fence:
            return
        now, runs = self.now(), self.ledger.runs
        unfinished = runs.unfinished(APP)
        ready = [run for run in unfinished if planning.is_ready(run, now)]
        if not any(run.state is RunState.RUNNING for run in unfinished) and not (node.work and node.work.going):
            assert not ready, f"at {now} {ready[0].policy} of {ready[0].due_at} could begin and does not"
        for policy in self.policies.values():
            memory = read_memory(self.ledger.settings.get(memory_key(APP, policy.name)))
            assert memory is not None
            newest = policy.due.previous_at_or_before(now)
            if newest > memory.since:
                states = [run.state for run in self.rows(policy, newest, newest)]
                assert states, f"at {now} nothing is known of {policy.name} of {newest}"
                assert states != [RunState.MISSED], f"at {now} {policy.name} of {newest} was given up"

    def rows(self, policy: PlannedPolicy, since: datetime, until: datetime) -> list[Run]:
        from holdfast.catalog.queries import RunFilter

        wanted = RunFilter(app=APP, policy=policy.name, due_since=since, due_until=until, limit=1_000_000)
        return self.ledger.runs.find(wanted)

    def check_all(self, *, jumped: bool) -> dict[str, int]:
        """At the end: nothing was lost, nothing doubled, everything late was told. Returns what there was."""
        now, figures = self.now(), Counter[str]()
        doubled = [one for one, times in Counter(self.executed).items() if times > 1]
        assert not doubled, f"begun twice: {doubled[:3]}"
        told = Counter(
            (notice.values["policy"], due)
            for notice in self.told
            if notice.occasion is Occasion.OVERDUE
            for due in notice.values["due"].split()
        )
        for policy in self.policies.values():
            rows = self.rows(policy, self.started_at, now)
            by_due: dict[datetime | None, list[Run]] = {}
            for run in rows:
                by_due.setdefault(run.due_at, []).append(run)
            allowed = timedelta(seconds=node_spread(self, policy) + planning.GRACE_S)
            for due in policy.due.between(self.started_at, now - allowed):
                figures["due"] += 1
                assert due in by_due, f"{policy.name} of {due} was lost"
                self._check_due(policy, due, by_due.pop(due), told, allowed, jumped, figures)
            for due in by_due:
                assert policy.due.previous_at_or_before(due) == due, f"{policy.name} was never due at {due}"
        figures["told"] = sum(told.values())
        return dict(figures)

    def _check_due(
        self,
        policy: PlannedPolicy,
        due: datetime,
        runs: list[Run],
        told: Counter[tuple[str, str]],
        allowed: timedelta,
        jumped: bool,
        figures: Counter[str],
    ) -> None:
        attempts = sorted(runs, key=lambda run: run.attempt)
        assert [run.attempt for run in attempts] == list(range(1, len(attempts) + 1))
        # A process that stood still for minutes in the middle of a run is taken for dead; it may yet end its run.
        stood_still = (
            any(node.paused.is_set() for node in self.nodes) and (policy.name, due.isoformat()) in self._lost()
        )
        successes = sum(run.state is RunState.SUCCEEDED for run in attempts)
        assert successes <= 1 + stood_still, f"{policy.name} of {due} was done twice"
        first = attempts[0]
        late = first.state is RunState.MISSED or (first.started_at is not None and first.started_at > due + allowed)
        figures[first.state.value] += 1
        figures["late"] += late
        times, key = told[policy.name, due.isoformat()], (policy.name, due.isoformat())
        if late and not (jumped and self._before_beginning(policy, due)):
            assert times >= 1, f"nobody heard that {policy.name} of {due} was overdue"
        if not late and not jumped:
            assert times == 0, f"{policy.name} of {due} was called overdue and was not"
        assert times <= 1 + self.told_twice[key], f"{policy.name} of {due} was told {times} times"

    def _lost(self) -> set[tuple[str, str]]:
        lost = [notice for notice in self.told if notice.code == "run-lost"]
        return {(notice.values["policy"], notice.values["due_at"]) for notice in lost}

    def _before_beginning(self, policy: PlannedPolicy, due: datetime) -> bool:
        memory = read_memory(self.ledger.settings.get(memory_key(APP, policy.name)))
        return memory is None or due <= memory.since


def node_spread(world: World, policy: PlannedPolicy) -> float:
    """The largest spread of a policy on any host."""
    return max(node.scheduler._spread_s(policy) for node in world.nodes)
