"""`holdfast list`."""

from __future__ import annotations

from holdfast.cli.app_output import print_backups, warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option, type_option


@app_command("list", help="List backups, the newest first.")
@type_option
@target_option
@pass_session
def command(session: AppSession, kind: str | None, targets: tuple[str, ...]) -> None:
    """Lists."""
    from holdfast.model.backup import BackupType
    from holdfast.operations.list_backups import list_backups
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import ListRequest

    request = ListRequest(type=BackupType(kind) if kind else None, targets=targets)
    with session.working(statuses=False) as context:
        listing = list_backups(context, request)
    session.printer.document(plain(listing))
    print_backups(session.printer, listing.backups, session.app().zone)
    warn_copies(session.printer, listing.unreachable)
    session.finish(listing.failure)
