"""`holdfast delete`."""

from __future__ import annotations

import click

from holdfast.cli import values
from holdfast.cli.app_session import AppSession, app_command, dry_run_option, pass_session, target_option, yes_option
from holdfast.cli.recording import recorded
from holdfast.cli.text import _
from holdfast.errors import ExitCode


@app_command("delete", help="Delete backups by id.")
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@target_option
@dry_run_option
@yes_option
@pass_session
def command(session: AppSession, ids: tuple[str, ...], targets: tuple[str, ...], dry_run: bool, yes: bool) -> int:
    """Deletes."""
    from holdfast.operations.delete import apply_delete, plan_delete
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import DeleteRequest

    printer = session.printer
    with session.working(statuses=False) as context:
        plan = plan_delete(context, DeleteRequest(what=ids, targets=targets))
    for target, backups in plan.backups.items():
        for backup in backups:
            printer.note(
                "{target}: delete {backup}, {location}",
                target=target,
                backup=backup.backup_id,
                location=backup.location,
            )
    if dry_run:
        printer.document(plain(plan))
        return ExitCode.DONE
    if not session.agreed(_("delete these backups"), yes=yes):
        return ExitCode.FAILED
    with session.working(statuses=False) as context:
        request = DeleteRequest(what=ids, targets=targets)
        report = recorded(session, "delete", request, lambda: apply_delete(context, plan))
    printer.document(plain(report))
    for target, removed in report.removed.items():
        printer.say("{target}: {count} removed", target=target, count=len(removed))
    printer.note("Freed: {size}", size=values.size(report.freed_bytes))
    session.finish(report.failure)
    return ExitCode.DONE
