"""What `holdfast rotate` and `holdfast cleanup` share: plan, show, ask, apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli import values
from holdfast.cli.app_output import print_retention, warn_copies
from holdfast.cli.app_session import AppSession
from holdfast.cli.recording import recorded
from holdfast.cli.text import _
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from holdfast.operations.requests import RetentionRequest


def apply_rules(session: AppSession, request: RetentionRequest, *, dry_run: bool, yes: bool) -> int:
    """Shows what retention would do, and does it once that is agreed to. Returns the exit status."""
    from holdfast.operations.reports import plain
    from holdfast.operations.retention import apply_retention, plan_retention

    printer = session.printer
    with session.working(statuses=False) as context:
        plans = plan_retention(context, request)
    for target, plan in plans.plans.items():
        print_retention(printer, target, plan, dry_run=dry_run)
    for target, reason in plans.skipped.items():
        printer.note("Target {target}: nothing to do: {reason}", target=target, reason=reason)
    warn_copies(printer, plans.unreachable)
    removable = sum(len(plan.remove) for plan in plans.plans.values())
    if dry_run:
        printer.document(plain(plans))
        return ExitCode.DONE
    if removable and not session.agreed(_("delete these backups"), yes=yes):
        return ExitCode.FAILED
    with session.working(statuses=False) as context:
        report = recorded(session, "rotate", request, lambda: apply_retention(context, plans))
    printer.document(plain(report))
    for result in report.results:
        printer.say(
            "{target}: {count} removed, {size} freed",
            target=result.target,
            count=len(result.removed),
            size=values.size(result.freed_bytes),
        )
    session.finish(report.failure)
    return ExitCode.DONE
