"""What the scheduler says to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from holdfast.model.notice import Notice, Occasion
from holdfast.model.run import Run

MOST_NAMED = 20
"""How many due times a notice names at most: the newest."""


def overdue(app: str, policy: str, late: Sequence[datetime], now: datetime) -> Notice:
    """Runs that did not begin in time: one notice for all of them, each due time told once."""
    values = {
        "policy": policy,
        "due_at": late[-1].isoformat(),
        "first_due_at": late[0].isoformat(),
        "count": str(len(late)),
        "due": " ".join(due.isoformat() for due in late[-MOST_NAMED:]),
    }
    return Notice(occasion=Occasion.OVERDUE, app=app, at=now, subject=policy, values=values)


def recovered(app: str, policy: str, run: Run, now: datetime) -> Notice:
    """A policy that was in trouble has a good run again."""
    values = {"policy": policy, "due_at": run.due_at.isoformat() if run.due_at else ""}
    return Notice(occasion=Occasion.RECOVERED, app=app, at=now, subject=policy, run_id=run.run_id, values=values)


def failure(app: str, run: Run, now: datetime) -> Notice:
    """A run failed in a way that only the scheduler knows of."""
    error = run.error
    values = {"policy": run.policy, "due_at": run.due_at.isoformat() if run.due_at else "", "attempt": str(run.attempt)}
    if error is None:
        return Notice(occasion=Occasion.FAILURE, app=app, at=now, subject=run.policy, run_id=run.run_id, values=values)
    return Notice(
        occasion=Occasion.FAILURE,
        app=app,
        at=now,
        subject=run.policy or run.operation,
        run_id=run.run_id,
        values=values,
        code=error.code,
        message=error.message,
        hint=error.hint,
        context=error.context,
    )
