"""Runs: planned, at work and finished."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
import sqlalchemy as sa

from holdfast.catalog.columns import plain
from holdfast.catalog.queries import RunFilter
from holdfast.catalog.schema import runs
from holdfast.catalog.storage import Storage
from holdfast.model.run import Run, RunState

_UNFINISHED = tuple(state.value for state in RunState if not state.finished)
_NEWEST_FIRST = (runs.c.created_at.desc(), runs.c.run_id.desc())


class Runs:
    """The runs of a catalog. Every call is a transaction of its own; see `Storage.write` for what it promises."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, run: Run) -> bool:
        """Adds a run.

        INVARIANT: of one application and policy there is one run with the same `due_at` and `attempt`, whoever adds it
        first; this is what keeps two schedulers from doing a thing twice.

        Returns:
            False, and nothing is changed, if there is such a run, or one with the same id.
        """
        return self.add_many([run]) == 1

    def add_many(self, added: Collection[Run]) -> int:
        """Adds runs as `add` does, all in one transaction; returns how many are new."""
        statement = self._storage.insert(runs).on_conflict_do_nothing().returning(runs.c.run_id)
        with self._storage.write() as connection:
            new = [connection.execute(statement.values(_values(run))).first() is not None for run in added]
        return sum(new)

    def get(self, run_id: str) -> Run | None:
        """One run by its id."""
        return self._one(sa.select(runs).where(runs.c.run_id == run_id))

    def save(self, run: Run) -> None:
        """Writes a whole run, new or in place of the one with its id, whoever runs it. See `finish`."""
        with self._storage.write() as connection:
            self._storage.upsert(connection, runs, [_values(run)], [runs.c.run_id])

    def finish(self, run: Run) -> bool:
        """Writes a whole run, if `run.holder` still runs it.

        Returns:
            False, and nothing is changed, if the run was meanwhile ended, marked as lost or taken by another process.
        """
        mine = (runs.c.run_id == run.run_id, runs.c.holder == run.holder, runs.c.state == RunState.RUNNING.value)
        return self._changes(sa.update(runs).where(*mine).values(_values(run)))

    def claim(self, run_id: str, holder: str, at: datetime) -> Run | None:
        """Takes a queued run: it is running, by this holder, from now on.

        Returns:
            The run as it is now; None if there is no such run or it is not queued any more.
        """
        values = {"state": RunState.RUNNING.value, "holder": holder, "started_at": at, "heartbeat_at": at}
        waiting = (runs.c.run_id == run_id, runs.c.state == RunState.QUEUED.value)
        with self._storage.write() as connection:
            row = connection.execute(sa.update(runs).where(*waiting).values(values).returning(runs)).mappings().first()
        return None if row is None else _run(row)

    def heartbeat(self, run_id: str, holder: str, at: datetime) -> bool:
        """Notes that a process still works on its run; False if it is not its run any more."""
        mine = (runs.c.run_id == run_id, runs.c.holder == holder, runs.c.state == RunState.RUNNING.value)
        return self._changes(sa.update(runs).where(*mine).values(heartbeat_at=at))

    def find(self, wanted: RunFilter) -> list[Run]:
        """Runs that a filter lets through, newest first."""
        statement = sa.select(runs).where(*_conditions(wanted)).order_by(*_NEWEST_FIRST).limit(wanted.limit)
        if wanted.before:
            last = sa.select(runs.c.created_at).where(runs.c.run_id == wanted.before).scalar_subquery()
            same = sa.and_(runs.c.created_at == last, runs.c.run_id < wanted.before)
            statement = statement.where(sa.or_(runs.c.created_at < last, same))
        return self._all(statement)

    def unfinished(self, app: str) -> list[Run]:
        """Runs of an application that are queued or running, oldest first."""
        statement = sa.select(runs).where(runs.c.app == app, runs.c.state.in_(_UNFINISHED))
        return self._all(statement.order_by(runs.c.created_at, runs.c.run_id))

    def last(
        self, app: str, *, policy: str | None = None, operation: str | None = None, states: Collection[RunState] = ()
    ) -> Run | None:
        """The newest run of an application, of a policy, an operation and in one of these states if they are given."""
        operations = (operation,) if operation is not None else ()
        found = self.find(RunFilter(app=app, policy=policy, operations=operations, states=tuple(states), limit=1))
        return found[0] if found else None

    def last_due(self, app: str, policy: str) -> datetime | None:
        """The newest `due_at` that a policy has a run for, in whatever state."""
        statement = sa.select(sa.func.max(runs.c.due_at, type_=runs.c.due_at.type))
        with self._storage.read() as connection:
            moment: datetime | None = connection.scalar(statement.where(runs.c.app == app, runs.c.policy == policy))
        return moment

    def _one(self, statement: sa.Select[*tuple[object, ...]]) -> Run | None:
        with self._storage.read() as connection:
            row = connection.execute(statement).mappings().first()
        return None if row is None else _run(row)

    def _all(self, statement: sa.Select[*tuple[object, ...]]) -> list[Run]:
        with self._storage.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [_run(row) for row in rows]

    def _changes(self, statement: sa.Update) -> bool:
        with self._storage.write() as connection:
            return connection.execute(statement.returning(runs.c.run_id)).first() is not None


def _conditions(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.app:
        conditions.append(runs.c.app == wanted.app)
    if wanted.policy is not None:
        conditions.append(runs.c.policy == wanted.policy)
    if wanted.operations:
        conditions.append(runs.c.operation.in_(wanted.operations))
    if wanted.states:
        conditions.append(runs.c.state.in_([state.value for state in wanted.states]))
    if wanted.since is not None:
        conditions.append(runs.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.created_at < wanted.until)
    if wanted.due_since is not None:
        conditions.append(runs.c.due_at >= wanted.due_since)
    if wanted.due_until is not None:
        conditions.append(runs.c.due_at <= wanted.due_until)
    return conditions


def _values(run: Run) -> dict[str, object]:
    return msgspec.structs.asdict(run)


def _run(row: sa.RowMapping) -> Run:
    return msgspec.convert(plain(row), Run)
