"""400 days with everything that happens to machines: no run lost, none doubled, everything late told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.catalog import open_catalog
from holdfast.model.notice import Occasion
from holdfast.model.run import Run, RunState
from holdfast.policy.planned import PlannedPolicy
from holdfast.scheduler import planning
from holdfast.scheduler.ledger import Ledger
from holdfast.scheduler.loop import Scheduler
from holdfast.scheduler.memory import PolicyMemory
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.fake_ledger import FakeLedger, FakeRuns
from scheduler_world import World

ZONES = ("UTC", "Europe/Istanbul", "Asia/Tehran", "America/New_York", "Australia/Lord_Howe")
HOUR_S, DAY_S = 3600.0, 86_400.0


def policies(zone: str) -> list[PlannedPolicy]:
    """Times in the gaps and folds of the zones, one with a star, spread and repetitions."""
    return [
        PlannedPolicy(name="nightly", schedule="30 2 * * *", timezone=zone, retries=2, retry_delay_s=600),
        PlannedPolicy(name="often", schedule="15 */6 * * *", timezone=zone, jitter_s=900, timeout_s=1800),
        PlannedPolicy(name="weekly", schedule="0,45 1 * * sun", timezone=zone, retries=1),
    ]


def live(world: World, days: float, *, jumps: bool) -> None:
    """Lets days pass in which anything can happen, then two calm ones."""
    rng, end = world.rng, world.clock.monotonic() + days * DAY_S
    slept = 0.0
    # A policy counts from when a scheduler first sees it.
    world.tick(world.nodes[0])
    while world.clock.monotonic() + slept < end:
        event = rng.random()
        if event < 0.02:
            seconds = rng.choice([600.0, HOUR_S, 9 * HOUR_S, 3 * DAY_S]) * rng.random()
            slept += seconds
            world.sleep(seconds)
        elif event < 0.03:
            node = rng.choice(world.nodes)
            if node.up:
                node.kill()
                node.down_until = world.clock.monotonic() + rng.choice([5.0, 600.0, DAY_S]) * rng.random()
        elif event < 0.05:
            rng.choice(world.nodes).bomb = rng.randrange(1, 25)
        elif event < 0.06 and jumps:
            ahead = rng.choice([60.0, 2 * HOUR_S, 2 * DAY_S]) * rng.random()
            world.jump(ahead)
            for node in world.nodes:
                if node.up and rng.random() < 0.7:
                    world.tick(node)
            world.jump(-ahead)
        world.revive()
        for node in rng.sample(world.nodes, len(world.nodes)):
            if node.up:
                world.tick(node)
        world.pass_time(world.wait_s() if rng.random() < 0.9 else rng.uniform(1, HOUR_S))
    calm(world, 2)


def calm(world: World, days: float) -> None:
    """Nothing happens but what is planned."""
    world.failing = 0.0
    for node in world.nodes:
        node.down_until, node.bomb = float("-inf"), 0
    end = world.clock.monotonic() + days * DAY_S
    while world.clock.monotonic() < end:
        world.revive()
        for node in world.nodes:
            world.tick(node)
        world.pass_time(world.wait_s())


def check_400_days(world: World) -> None:
    live(world, 400, jumps=False)
    figures = world.check_all(jumped=False)
    print(figures, "begun", len(world.executed))
    assert figures["due"] > 5 * 400
    assert figures["late"] > 20
    assert figures["succeeded"] > 1000


def check_jumping(world: World, days: float) -> None:
    live(world, days, jumps=True)
    print(world.check_all(jumped=True), "begun", len(world.executed))
    for name in world.policies:
        spoken = (Occasion.OVERDUE, Occasion.RECOVERED)
        about = [notice.occasion for notice in world.told if notice.subject == name and notice.occasion in spoken]
        assert about[-1:] != [Occasion.OVERDUE], f"nobody heard that {name} is well again"


@pytest.mark.parametrize("zone", ZONES)
def test_400_days(zone: str, seed: int) -> None:
    check_400_days(World(FakeLedger(), policies(zone), random.Random(seed)))


@pytest.mark.parametrize("zone", ZONES)
def test_two_schedulers_and_clocks_that_jump(zone: str, seed: int) -> None:
    check_jumping(World(FakeLedger(), policies(zone), random.Random(seed), hosts=("a", "a")), 100)


def test_a_real_catalog(seed: int) -> None:
    rng = random.Random(seed)
    with open_catalog("sqlite://", clock=FakeClock(), key=bytes(32)) as catalog:
        check_jumping(World(catalog, policies(rng.choice(ZONES)), rng, hosts=("a", "b")), 12)


@pytest.mark.deep
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("number", range(20))
def test_many_400_days(zone: str, number: int, seed: int) -> None:
    check_400_days(World(FakeLedger(), policies(zone), random.Random(seed)))
    check_jumping(World(FakeLedger(), policies(zone), random.Random(seed + 1), hosts=("a", "a")), 400)


@pytest.mark.deep
@pytest.mark.parametrize("zone", ZONES)
def test_400_days_with_a_real_catalog(zone: str, seed: int, tmp_path: Path) -> None:
    with open_catalog("sqlite://", clock=FakeClock(), key=bytes(32)) as catalog:
        check_jumping(World(catalog, policies(zone), random.Random(seed), hosts=("a", "b")), 400)


# --- every single step -----------------------------------------------------------------------------


def eventful(world: World, bomb: int) -> int:
    """A day with a sleep over several due times, a failure and its repetition; ends a process at one step of it.

    Returns:
        How many steps there were.
    """
    world.failing, world.longest_s = 0.0, 300.0
    node = world.nodes[0]
    world.tick(node)
    world.pass_time(HOUR_S * 3)
    node.bomb, before = bomb, node.steps
    world.sleep(20 * HOUR_S)
    for round_ in range(12):
        world.failing = 1.0 if round_ == 2 else 0.0
        world.revive()
        if node.up:
            world.tick(node)
        world.pass_time(world.wait_s() if round_ % 3 else 400.0)
    steps = node.steps - before
    calm(world, 2)
    return steps


@pytest.mark.parametrize("make", [FakeLedger, lambda: open_catalog("sqlite://", clock=FakeClock(), key=bytes(32))])
def test_a_crash_at_every_step(make: Callable[[], Ledger], checkout: Path) -> None:
    steps = eventful(World(make(), policies("Asia/Tehran"), random.Random(5)), 0)
    assert steps > 60
    # The real catalog takes its time; its steps are the same, so some of them will do.
    for bomb in range(1, steps + 1, 1 if make is FakeLedger else 15):
        world = World(make(), policies("Asia/Tehran"), random.Random(5))
        eventful(world, bomb)
        assert world.check_all(jumped=False)["due"] > 10, f"step {bomb}"


def overtaken(ledger: Ledger, pause_at: int, scheduler_class: type[Scheduler] = Scheduler) -> bool:
    """One scheduler stands still before a step, longer than its lease; another goes on in its place; then it wakes.

    Returns:
        Whether it came to that step.
    """
    world = World(ledger, policies("UTC"), random.Random(7), hosts=("a", "b"), scheduler_class=scheduler_class)
    first, second = world.nodes
    world.failing, world.longest_s = 0.0, 200.0
    world.tick(first)
    world.pass_time(HOUR_S)
    world.sleep(26 * HOUR_S)
    first.steps, first.pause_at = 0, pause_at
    thread = threading.Thread(target=world.tick, args=(first,))
    thread.start()
    while thread.is_alive() and not first.paused.wait(0.01):
        pass
    came = first.paused.is_set()
    first.pause_at = 0
    if came:
        for _ in range(8):
            world.pass_time(61.0)
            world.tick(second)
        first.go_on.set()
    thread.join()
    # What it told in its last moment is told again by who took its place: there is no way to know.
    for notice in world.told:
        for due in notice.values.get("due", "").split():
            world.told_twice[notice.values["policy"], due] = 1
    calm(world, 2)
    world.check_all(jumped=False)
    return came


def test_a_scheduler_that_was_overtaken_at_any_step() -> None:
    step = 1
    while overtaken(FakeLedger(), step):
        step += 1
    assert step > 20


# --- planted bugs ----------------------------------------------------------------------------------


class Forgetful(FakeRuns):
    """Takes every run, also one that is there."""

    def add(self, run: Run) -> bool:
        self._taken.clear()
        return super().add(run)


class WithoutCatchUp(Scheduler):
    """Plans only what has become due in the last minute."""

    def _carry_out(self, policy: PlannedPolicy, action: planning.Action, now: datetime) -> None:
        if not isinstance(action, planning.Plan) or (now - action.due_at).total_seconds() < 60:
            super()._carry_out(policy, action, now)


class WithoutOverdue(Scheduler):
    """Says nothing of what did not happen."""

    def _judged(self, policy: PlannedPolicy, memory: PolicyMemory, newest: datetime, now: datetime) -> PolicyMemory:
        return memory


class WithoutMissed(Scheduler):
    """Leaves no trace of what was not caught up."""

    def _carry_out(self, policy: PlannedPolicy, action: planning.Action, now: datetime) -> None:
        if not isinstance(action, planning.Miss):
            super()._carry_out(policy, action, now)


class Careless(Scheduler):
    """Takes runs away without asking whether another process has begun them."""

    def _supersede(self, run: Run, state: RunState, now: datetime) -> None:
        self._catalog.runs.save(msgspec.structs.replace(run, state=state, finished_at=now))


@pytest.mark.parametrize(
    ("broken", "said"),
    [(WithoutCatchUp, "nothing is known"), (WithoutOverdue, "nobody heard"), (WithoutMissed, "was lost")],
)
def test_a_planted_bug_is_seen(broken: type[Scheduler], said: str, seed: int) -> None:
    world = World(FakeLedger(), policies("UTC"), random.Random(seed), scheduler_class=broken)
    with pytest.raises(AssertionError, match=said):
        check_400_days(world)


def test_a_catalog_that_takes_a_run_twice_is_seen() -> None:
    def all_steps() -> None:
        step, ledger = 1, FakeLedger()
        ledger.runs = Forgetful()
        while overtaken(ledger, step):
            step, ledger = step + 1, FakeLedger()
            ledger.runs = Forgetful()

    with pytest.raises(AssertionError, match=r"begun twice|done twice|1, 1"):
        all_steps()


class Stale(FakeRuns):
    """Answers what was so a moment ago."""

    snapshot: tuple[Run, ...] = ()

    def unfinished(self, app: str) -> list[Run]:
        return list(self.snapshot) or super().unfinished(app)


def taken_away_in_spite_of_a_claim(scheduler_class: type[Scheduler]) -> bool:
    """Whether a scheduler takes a run away that another process has begun since it looked."""
    ledger, runs = FakeLedger(), Stale()
    ledger.runs = runs
    world = World(ledger, policies("UTC"), random.Random(1), scheduler_class=scheduler_class)
    world.tick(world.nodes[0])
    world.pass_time(600)
    world.tick(world.nodes[0])
    [waiting] = runs.unfinished("shop")
    runs.snapshot = (waiting,)
    runs.claim(waiting.run_id, "elsewhere:1", world.now())
    world.pass_time(6 * HOUR_S)
    world.nodes[0].scheduler.tick(world.now())
    found = runs.get(waiting.run_id)
    assert found is not None
    return found.state is not RunState.RUNNING


def test_a_run_that_another_process_has_begun_is_not_taken_away() -> None:
    assert not taken_away_in_spite_of_a_claim(Scheduler)
    assert taken_away_in_spite_of_a_claim(Careless)
