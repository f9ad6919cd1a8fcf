"""What is written down about a run: from a report or an error to the fields of a `Run`."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, cast

import msgspec

from holdfast.errors import ExitCode, HoldfastError, Interrupted
from holdfast.model.run import Run, RunState, Trigger, run_error
from holdfast.operations.reports import CreateReport, RestoreReport, plain


def new_run(app: str, operation: str, request: msgspec.Struct, at: datetime, *, trigger: Trigger, actor: str) -> Run:
    """A run that somebody asks for, waiting; its request is kept as a plain document."""
    document: dict[str, Any] = msgspec.to_builtins(request)
    return Run(
        run_id=secrets.token_hex(16),
        app=app,
        operation=operation,
        trigger=trigger,
        state=RunState.QUEUED,
        created_at=at,
        type=str(document.get("type") or "") if operation == "create" else "",
        actor=actor,
        request=document,
    )


def failed(run: Run, error: HoldfastError, at: datetime) -> Run:
    """A run that raised."""
    state = RunState.CANCELLED if isinstance(error, Interrupted) else RunState.FAILED
    return msgspec.structs.replace(run, state=state, finished_at=at, error=run_error(error))


def reported(run: Run, report: msgspec.Struct, at: datetime) -> Run:
    """A run that came to its end, with or without a failure in its report."""
    failure: HoldfastError | None = getattr(report, "failure", None)
    known: dict[str, Any] = {}
    if isinstance(report, CreateReport):
        known = {
            "backup_id": report.backup_id,
            "content_bytes": report.content_bytes,
            "stored_bytes": report.stored_bytes,
            "seconds": report.seconds,
        }
    elif isinstance(report, RestoreReport):
        known = {"backup_id": report.backup_id, "seconds": report.seconds}
    return msgspec.structs.replace(
        run,
        state=_state_of(failure),
        finished_at=at,
        error=None if failure is None else run_error(failure),
        report=cast("dict[str, object]", plain(report)),
        **known,
    )


def _state_of(failure: HoldfastError | None) -> RunState:
    if failure is None:
        return RunState.SUCCEEDED
    return RunState.PARTIAL if failure.exit_code == ExitCode.INCOMPLETE else RunState.FAILED
