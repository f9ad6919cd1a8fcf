"""`holdfast stats`."""

from __future__ import annotations

from holdfast.cli import values
from holdfast.cli.app_output import moment, warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option, type_option
from holdfast.cli.text import _


@app_command("stats", help="Add up what the targets keep.")
@type_option
@target_option
@pass_session
def command(session: AppSession, kind: str | None, targets: tuple[str, ...]) -> None:
    """Counts."""
    from holdfast.model.backup import BackupType
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import ListRequest
    from holdfast.operations.stats import backup_stats

    request = ListRequest(type=BackupType(kind) if kind else None, targets=targets)
    with session.working(statuses=False) as context:
        report = backup_stats(context, request)
    printer, zone = session.printer, session.app().zone
    printer.document(plain(report))
    printer.say("Backups: {count}", count=report.total_backups)
    printer.say("Size:    {size}", size=values.size(report.total_size))
    printer.say("Average: {size}", size=values.size(report.average_size))
    printer.say("Oldest:  {time}", time=moment(report.oldest_backup, zone))
    printer.say("Newest:  {time}", time=moment(report.newest_backup, zone))
    if report.by_type:
        rows = [
            [name, str(number), values.size(report.size_by_type.get(name, 0))]
            for name, number in report.by_type.items()
        ]
        printer.table([_("Type"), _("Backups"), _("Size")], rows, right=(1, 2))
    if report.by_target:
        rows = [[values.name(name), str(number)] for name, number in report.by_target.items()]
        printer.table([_("Target"), _("Backups")], rows, right=(1,))
    warn_copies(printer, report.unreachable)
    session.finish(report.failure)
