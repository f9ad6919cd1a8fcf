"""A run: one execution of an operation, planned or asked for, from the moment it is due to its outcome."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from holdfast.errors import HoldfastError, Phrase


class Trigger(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    REQUEST = "request"
    COMMAND = "command"


class RunState(StrEnum):
    """Where a run is. `lost`: the process that ran it ended without a word. `missed`: too old to be caught up."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    MISSED = "missed"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to such a run."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


class RunError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, as it was raised: `code` is stable, `message` and `hint` are English, rendered.

    Attributes:
        context: values of the error's template as texts, so that the error can be told in another language.
    """

    code: str
    message: str
    hint: str = ""
    exit_code: int = 1
    context: dict[str, str] = {}


def run_error(error: HoldfastError) -> RunError:
    """An error as a run keeps it. A context never holds a secret; see `holdfast.errors`."""
    return RunError(
        code=error.code,
        message=str(error),
        hint=str(Phrase(error.hint, error.context)),
        exit_code=error.exit_code,
        context={name: str(value) for name, value in error.context.items()},
    )


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution.

    Attributes:
        run_id: 32 hexadecimal digits, random.
        operation: `create`, `restore`, `verify`, `rotate`, `cleanup`, `delete`, `hold`, `release`, `export`.
        type: of the backup, for `create`; empty otherwise.
        policy: the policy it belongs to; empty if it was asked for by hand.
        actor: who asked: a token's id, a user of this machine, or empty for the scheduler.
        attempt: 1 for the first; a repetition is a run of its own with the same policy and `due_at`.
        due_at: when the schedule wanted it, before any spread; None if it was asked for by hand.
        not_before: when it may start; later than `due_at` by the spread, or by the wait before a repetition.
        holder: which process runs it; `host:pid:start`.
        heartbeat_at: when that process was last known to work on it.
        request, report: as plain documents.
        seconds: by stage, in order.
    """

    run_id: str
    app: str
    operation: str
    trigger: Trigger
    state: RunState
    created_at: datetime
    type: str = ""
    policy: str = ""
    actor: str = ""
    attempt: int = 1
    due_at: datetime | None = None
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    holder: str = ""
    backup_id: str = ""
    content_bytes: int = 0
    stored_bytes: int = 0
    seconds: dict[str, float] = {}
    request: dict[str, object] = {}
    report: dict[str, object] = {}
    error: RunError | None = None

    @property
    def duration_s(self) -> float | None:
        """How long it took; None while it has not finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to run things for an application, for a time. `fence` grows with every holder and never repeats."""

    name: str
    holder: str
    fence: int
    expires_at: datetime
