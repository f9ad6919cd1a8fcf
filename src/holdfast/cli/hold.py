"""`holdfast hold`."""

from __future__ import annotations

import click

from holdfast.cli.app_output import warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option
from holdfast.cli.recording import recorded


@app_command("hold", help="Keep a backup whatever retention says.")
@click.argument("what", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why it must stay.")
@target_option
@pass_session
def command(session: AppSession, what: str, reason: str, targets: tuple[str, ...]) -> None:
    """Holds."""
    from holdfast.operations.hold import hold_backup
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import HoldRequest

    with session.working(statuses=False) as context:
        request = HoldRequest(what=what, reason=reason, targets=targets)
        report = recorded(session, "hold", request, lambda: hold_backup(context, request))
    session.printer.document(plain(report))
    warn_copies(session.printer, report.copies)
    session.printer.note("Backup {backup} is held: {why}", backup=report.backup_id, why=reason)
    session.finish(report.failure)
