"""`holdfast release`."""

from __future__ import annotations

import click

from holdfast.cli.app_output import warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option
from holdfast.cli.recording import recorded


@app_command("release", help="Let retention decide about a held backup again.")
@click.argument("what", metavar="ID")
@target_option
@pass_session
def command(session: AppSession, what: str, targets: tuple[str, ...]) -> None:
    """Releases."""
    from holdfast.operations.hold import release_backup
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import HoldRequest

    with session.working(statuses=False) as context:
        request = HoldRequest(what=what, targets=targets)
        report = recorded(session, "release", request, lambda: release_backup(context, request))
    session.printer.document(plain(report))
    warn_copies(session.printer, report.copies)
    session.printer.note("Backup {backup} is no longer held.", backup=report.backup_id)
    session.finish(report.failure)
