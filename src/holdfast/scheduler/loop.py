"""The scheduler: looks at what is due, writes it down, begins it, and says what did not happen."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from holdfast.catalog.queries import RunFilter
from holdfast.errors import HoldfastError, RunLost
from holdfast.model.notice import Notice
from holdfast.model.run import Run, RunState, Trigger, run_error
from holdfast.policy.planned import PlannedPolicy
from holdfast.policy.schedule import spread_s
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.host import hostname, pid_alive, process_id
from holdfast.scheduler import planning, telling
from holdfast.scheduler.active import ActiveRun, Begin, Execute, in_thread
from holdfast.scheduler.leadership import Leadership
from holdfast.scheduler.ledger import Ledger
from holdfast.scheduler.memory import PolicyMemory, followed, memory_key, read_memory
from holdfast.scheduler.watching import Watch

LOGGER = logging.getLogger("holdfast")

LONGEST_WAIT_S = 20.0
"""How long it sleeps at most: the lease must be renewed, and a clock that jumps be noticed."""

_ENDING_S = 60.0
_ENDED = (RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED, RunState.LOST)
_UNJUDGED = 2 * planning.MOST_MISSED


class Scheduler:
    """Runs the policies of one application. Several may share a catalog: one of them plans, and the others wait.

    Args:
        catalog: where runs, leases and what it remembers are kept.
        app: the application's name.
        policies: those there are at the moment, by name; may change.
        execute: see `holdfast.scheduler.active.Execute`.
        notify: tells people; must not take long and must not raise.
        clock: tells the time.
        host: the name of this machine, which decides about the spread.
        request: what is asked of the operation for a run of a policy, as a plain document.
        begin: runs something in a thread.
        alive: whether a process of this machine runs.
        holder: names this process in leases.
    """

    def __init__(
        self,
        catalog: Ledger,
        app: str,
        policies: Callable[[], Mapping[str, PlannedPolicy]],
        execute: Execute,
        notify: Callable[[Notice], None],
        *,
        request: Callable[[PlannedPolicy], dict[str, object]],
        clock: Clock | None = None,
        host: str = "",
        begin: Begin = in_thread,
        alive: Callable[[int], bool] = pid_alive,
        holder: str = "",
    ) -> None:
        self._catalog = catalog
        self._app = app
        self._policies = policies
        self._execute = execute
        self._notify = notify
        self._request = request
        self._clock = clock or SystemClock()
        self._host = host or hostname()
        self._begin = begin
        self._holder = holder or f"{self._host}:{process_id()}:{secrets.token_hex(4)}"
        self._leadership = Leadership(catalog.leases, app, self._holder, self._clock)
        self._watch = Watch(self._host, alive, self._clock)
        self._active: ActiveRun | None = None
        self._memories: dict[str, PolicyMemory] = {}
        self._fence = 0

    # --- the loop ----------------------------------------------------------------------------------

    def serve(self, stop: CancelToken, *, grace_s: float = 30.0) -> None:
        """Works until it is told to stop. Then begins nothing new, and gives what runs so long to end."""
        while not stop.cancelled:
            try:
                now = self.now()
                self.tick(now)
                wait_s = (self.wakes_at(now) - now).total_seconds()
            except HoldfastError as error:
                # The catalog is away or damaged: without it nothing is certain, so nothing is begun; it is tried again.
                LOGGER.error("the scheduler cannot work: %s", error)
                wait_s = LONGEST_WAIT_S
            stop.wait(min(max(wait_s, 0.2), LONGEST_WAIT_S))
        self.close(grace_s)

    def watch(self, stop: CancelToken) -> None:
        """Begins nothing; only finds runs whose process has ended, until it is told to stop."""
        while not stop.cancelled:
            try:
                self._without_lost(self._catalog.runs.unfinished(self._app), self.now())
            except HoldfastError as error:
                LOGGER.error("runs that were lost cannot be found: %s", error)
            stop.wait(LONGEST_WAIT_S)

    def close(self, grace_s: float) -> None:
        """Waits for the run that goes on, then stops it so that it is repeated at the next start."""
        active = self._active
        if active is not None and not active.wait(grace_s):
            active.stop()
            active.wait(_ENDING_S)
        try:
            self._leadership.give_back()
        except HoldfastError as error:
            LOGGER.warning("the lease of the scheduler was not given back: %s", error)

    def now(self) -> datetime:
        """The present, in UTC."""
        return self._clock.now().at()

    def cancel(self, run_id: str) -> bool:
        """Ends a run that this scheduler has begun, for good. Returns whether there is one."""
        active = self._active
        if active is None or active.over or active.run.run_id != run_id:
            return False
        active.cancel()
        return True

    def tick(self, now: datetime) -> None:
        """Does everything that is to be done at this moment."""
        if self._active is not None:
            self._active.check_time()
            self._active = None if self._active.over else self._active
        if not self._leadership.hold(now):
            return
        if self._leadership.fence != self._fence:
            self._fence, self._memories = self._leadership.fence, {}
        policies = {name: policy for name, policy in self._policies().items() if policy.enabled}
        unfinished = self._without_lost(self._catalog.runs.unfinished(self._app), now)
        planned = [run for run in unfinished if run.state is RunState.QUEUED and run.trigger is Trigger.SCHEDULE]
        for run in planned:
            if run.policy not in policies:
                self._supersede(run, RunState.CANCELLED, now)
        for policy in policies.values():
            self._look_after(policy, [run for run in planned if run.policy == policy.name], now)
        if not any(run.state is RunState.RUNNING for run in unfinished):
            self._start(policies, now)

    def wakes_at(self, now: datetime) -> datetime:
        """When something may be to do next, if nothing unforeseen happens."""
        policies = {name: policy for name, policy in self._policies().items() if policy.enabled}
        moments = [policy.due.next_after(now) for policy in policies.values()]
        waiting = [run for run in self._catalog.runs.unfinished(self._app) if run.state is RunState.QUEUED]
        moments += [run.not_before for run in waiting if run.not_before is not None and run.not_before > now]
        moments += [late for run in waiting if (late := self._late_at(run, policies)) is not None and late > now]
        return min(moments, default=now + timedelta(days=1))

    def _late_at(self, run: Run, policies: Mapping[str, PlannedPolicy]) -> datetime | None:
        if run.due_at is None or run.policy not in policies:
            return None
        spread = self._spread_s(policies[run.policy])
        return run.due_at + timedelta(seconds=spread + planning.GRACE_S + 1)

    # --- one policy --------------------------------------------------------------------------------

    def _look_after(self, policy: PlannedPolicy, queued: Sequence[Run], now: datetime) -> None:
        kept = self._memories.get(policy.name)
        if kept is None:
            kept = read_memory(self._catalog.settings.get(memory_key(self._app, policy.name)))
        memory = followed(kept, policy, now)
        if memory != kept:
            self._remember(policy, memory)
        facts = self._facts(policy, memory, queued, now)
        for action in planning.plan(facts, now):
            self._carry_out(policy, action, now)
        judged = self._judged(policy, memory, facts.newest, now)
        if judged != memory:
            self._remember(policy, judged)
        self._memories.setdefault(policy.name, memory)

    def _remember(self, policy: PlannedPolicy, memory: PolicyMemory) -> None:
        # INVARIANT: while the lease is ours, what we know counts: another scheduler that stood still since before may
        # yet write down what it knew then.
        self._memories[policy.name] = memory
        self._catalog.settings.put(memory_key(self._app, policy.name), msgspec.to_builtins(memory))

    def _facts(
        self, policy: PlannedPolicy, memory: PolicyMemory, queued: Sequence[Run], now: datetime
    ) -> planning.PolicyFacts:
        newest = policy.due.previous_at_or_before(now)
        at_newest = self._find(policy, due_since=newest, due_until=newest)
        return planning.PolicyFacts(
            policy=policy,
            memory=memory,
            spread_s=self._spread_s(policy),
            last_due=newest if at_newest else self._catalog.runs.last_due(self._app, policy.name),
            newest=newest,
            at_newest=at_newest,
            queued=queued,
        )

    def _judged(self, policy: PlannedPolicy, memory: PolicyMemory, newest: datetime, now: datetime) -> PolicyMemory:
        """Says what is overdue and what has recovered. Returns what is to be remembered.

        INVARIANT: people are told before it is written down that they were. A crash in between tells them twice;
        the other order could tell them never.
        """
        later = memory.judged + timedelta(microseconds=1)
        unjudged = self._find(policy, due_since=later, due_until=now) if memory.judged < newest else []
        verdict = planning.judge(memory, unjudged, self._spread_s(policy), now)
        if verdict.late:
            if not self._leadership.hold(self.now()):
                return memory
            self._notify(telling.overdue(self._app, policy.name, verdict.late, now))
        trouble = verdict.late[-1] if verdict.late else memory.trouble
        last = self._catalog.runs.last(self._app, policy=policy.name, states=_ENDED)
        if last is not None and last.due_at is not None:
            if last.state is not RunState.SUCCEEDED:
                trouble = max(trouble or last.due_at, last.due_at)
            elif trouble is not None and last.due_at >= trouble:
                self._notify(telling.recovered(self._app, policy.name, last, now))
                trouble = None
        return msgspec.structs.replace(memory, judged=verdict.judged, trouble=trouble)

    def _find(self, policy: PlannedPolicy, *, due_since: datetime, due_until: datetime) -> list[Run]:
        wanted = RunFilter(app=self._app, policy=policy.name, due_since=due_since, due_until=due_until, limit=_UNJUDGED)
        return self._catalog.runs.find(wanted)

    def _spread_s(self, policy: PlannedPolicy) -> float:
        return spread_s(self._app, policy.name, self._host, policy.jitter_s)

    # --- writing it down ---------------------------------------------------------------------------

    def _carry_out(self, policy: PlannedPolicy, action: planning.Action, now: datetime) -> None:
        runs = self._catalog.runs
        match action:
            case planning.Miss(due_at=due_at):
                runs.add(msgspec.structs.replace(self._new(policy, due_at, now), state=RunState.MISSED))
            case planning.Plan(due_at=due_at, attempt=attempt, not_before=not_before):
                new = self._new(policy, due_at, now)
                runs.add(msgspec.structs.replace(new, attempt=attempt, not_before=not_before))
            case planning.Revive(run=run, not_before=not_before):
                again = msgspec.structs.replace(run, state=RunState.QUEUED, created_at=now, not_before=not_before)
                runs.save(msgspec.structs.replace(again, finished_at=None, holder=""))
            case planning.Supersede(run=run, state=state):
                self._supersede(run, state, now)

    def _supersede(self, run: Run, state: RunState, now: datetime) -> None:
        # SAFETY: whoever claims a run has it; a scheduler that was asleep cannot take away one that runs elsewhere.
        taken = self._catalog.runs.claim(run.run_id, self._holder, now)
        if taken is not None:
            self._catalog.runs.save(
                msgspec.structs.replace(taken, state=state, started_at=None, finished_at=now, heartbeat_at=None)
            )

    def _new(self, policy: PlannedPolicy, due_at: datetime, now: datetime) -> Run:
        return Run(
            run_id=secrets.token_hex(16),
            app=self._app,
            operation="create",
            trigger=Trigger.SCHEDULE,
            state=RunState.QUEUED,
            created_at=now,
            type=policy.type.value,
            policy=policy.name,
            due_at=due_at,
            request=self._request(policy),
        )

    def _without_lost(self, unfinished: Sequence[Run], now: datetime) -> list[Run]:
        """Marks runs that nobody works on any more as lost. Returns the others."""
        ours = {self._active.run.run_id} if self._active is not None else set[str]()
        lost = {run.run_id: run for run in self._watch.lost(unfinished, ours)}
        for run in lost.values():
            error = run_error(RunLost(run=run.run_id, holder=run.holder or "-"))
            ended = msgspec.structs.replace(run, state=RunState.LOST, finished_at=now, error=error)
            self._notify(telling.failure(self._app, ended, now))
            if run.state is RunState.QUEUED:
                self._catalog.runs.claim(run.run_id, run.holder, now)
            # One that ends at this very moment keeps the end it wrote down itself.
            self._catalog.runs.finish(ended)
        return [run for run in unfinished if run.run_id not in lost]

    def _start(self, policies: Mapping[str, PlannedPolicy], now: datetime) -> None:
        """Begins the next run, if none goes on here."""
        if self._active is not None:
            return
        run = planning.next_to_start(self._catalog.runs.unfinished(self._app), policies, now)
        if run is None:
            return
        active = self._active = ActiveRun(run, policies[run.policy].timeout_s, self._clock)
        self._begin(lambda: active.work(self._execute, self._catalog.runs, self._failed))

    def _failed(self, run: Run) -> None:
        self._notify(telling.failure(self._app, run, self.now()))
