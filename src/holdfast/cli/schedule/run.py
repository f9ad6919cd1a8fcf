"""`holdfast schedule run`: what units of systemd and lines of cron call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.app_output import print_summary, warn_copies, warn_problems
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.errors import ExitCode, HoldfastError, Interrupted, RunTimedOut, UsageError

if TYPE_CHECKING:
    from holdfast.policy.planned import PlannedPolicy


@app_command("run", help="Run a policy now, with its repetitions and time limit.")
@click.argument("policy", metavar="POLICY")
@click.option("--spread", is_flag=True, help="First wait the part of jitter that is this machine's.")
@pass_session
def command(session: AppSession, policy: str, spread: bool) -> None:
    """Makes the backup of a policy."""
    from holdfast.cli.schedule.policies import planned
    from holdfast.policy.schedule import spread_s
    from holdfast.runtime.host import hostname
    from holdfast.scheduler.planning import delay_s

    app = session.app()
    chosen = planned(app, (policy,))[policy]
    cancel = session.frame.cancel
    if spread:
        cancel.wait(spread_s(app.name, policy, hostname(), chosen.jitter_s))
    deadline = _Deadline(session, chosen)
    for attempt in range(chosen.retries + 1):
        cancel.raise_if_cancelled()
        try:
            with deadline:
                _attempt(session, chosen)
        except Interrupted:
            raise deadline.error or Interrupted() from None
        except HoldfastError as error:
            if attempt == chosen.retries or isinstance(error, UsageError) or error.exit_code == ExitCode.INCOMPLETE:
                raise
            wait_s = delay_s(chosen, attempt + 1)
            session.printer.warn("{detail}; next attempt in {wait}", detail=error.phrase, wait=values.duration(wait_s))
            cancel.wait(wait_s)
        else:
            return


def _attempt(session: AppSession, policy: PlannedPolicy) -> None:
    from holdfast.cli.recording import recorded
    from holdfast.operations.create import create_backup
    from holdfast.operations.requests import CreateRequest

    request = CreateRequest(
        type=policy.type, sources=policy.sources, targets=policy.targets, fallback=True, label=policy.name
    )
    with session.working() as context:
        report = recorded(session, "create", request, lambda: create_backup(context, request), policy=policy.name)
    print_summary(session.printer, report)
    warn_problems(session.printer, report.problems)
    warn_copies(session.printer, report.copies)
    session.finish(report.failure)


class _Deadline:
    """Ends the command when an attempt takes longer than the policy allows."""

    def __init__(self, session: AppSession, policy: PlannedPolicy) -> None:
        self._cancel = session.frame.cancel
        self._policy = policy
        self._timer: threading.Timer | None = None
        self.error: HoldfastError | None = None

    def _end(self) -> None:
        self.error = RunTimedOut(policy=self._policy.name, seconds=int(self._policy.timeout_s))
        self._cancel.cancel()

    def __enter__(self) -> None:
        self._timer = threading.Timer(self._policy.timeout_s, self._end)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
