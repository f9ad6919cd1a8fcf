"""Runs an operation for a request: waits for its end, or answers at once with a run to follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from holdfast.errors import HoldfastError
from holdfast.model.run import Run
from holdfast.runtime.translation import N_
from holdfast.server.replies import failure, language_of, success
from holdfast.server.site import Site, outcome_of

STARTED = N_("It was begun; follow the run.")


def act(
    site: Site,
    request: Request,
    operation: str,
    wanted: msgspec.Struct,
    action: str,
    answer: Callable[[Any], Response],
    subject: str = "",
) -> Response:
    """Runs an operation and answers.

    Args:
        operation: its name; see `holdfast.service.operations`.
        wanted: its request.
        action: as the audit log calls it.
        answer: makes the answer out of the operation's report, if it was carried out.
        subject: what it is about, for the audit log.
    """
    actor = f"token:{site.token(request).token_id}"
    try:
        run = site.service.start(operation, wanted, actor=actor)
    except HoldfastError as error:
        site.write(request, action, subject=subject, outcome=outcome_of(error))
        raise
    if _follows(request):
        site.write(request, action, subject=subject, outcome="begun", detail={"run": run.run_id})
        place = {"Location": f"/api/v1/runs/{run.run_id}", "Preference-Applied": "respond-async"}
        return success(request, STARTED, {"run_id": run.run_id, "state": run.state.value}, status=202, headers=place)
    outcome = site.service.outcome(run.run_id)
    made = subject or outcome.run.backup_id
    site.write(request, action, subject=made, outcome=outcome_of(outcome.error), detail={"run": run.run_id})
    if outcome.error is not None:
        return failure(outcome.error, language_of(request), _remains(outcome.run))
    return answer(outcome.report)


def _follows(request: Request) -> bool:
    """Whether somebody would rather follow the run than wait for its end."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(one.partition(";")[0].strip() == "respond-async" for one in preferences)


def _remains(run: Run) -> dict[str, object]:
    """What there is although something failed: the run, and the id of a backup that lacks something."""
    return {"run_id": run.run_id, **({"backup_id": run.backup_id} if run.backup_id else {})}
