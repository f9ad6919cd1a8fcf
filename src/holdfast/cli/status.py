"""`holdfast status`."""

from __future__ import annotations

import click

from holdfast.cli import values
from holdfast.cli.app_output import age, moment, warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.text import _


@app_command("status", help="Say how fresh the backups of each source are.")
@click.option("--max-age", metavar="DURATION", help="How old the newest may be, such as 24h; by default the objective.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeatable.")
@pass_session
def command(session: AppSession, max_age: str | None, sources: tuple[str, ...]) -> None:
    """Tells how old backups are."""
    from holdfast.cli.moments import parse_seconds
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import StatusRequest
    from holdfast.operations.status import backup_status

    limit = None if max_age is None else parse_seconds(max_age)
    with session.working(statuses=False) as context:
        report = backup_status(context, StatusRequest(max_age_s=limit, sources=sources))
    printer, zone = session.printer, session.app().zone
    printer.document(plain(report))
    rows = [
        [
            values.name(source.source),
            moment(source.newest_at, zone),
            age(source.age_s),
            source.backup_id or "-",
            _("too old") if source.late else _("never") if source.newest_at is None else _("fresh"),
            _("verified") if source.verified else _("checksums only") if source.checked_only else "",
        ]
        for source in report.sources
    ]
    printer.table([_("Source"), _("Newest"), _("Age"), _("Backup"), _("State"), ""], rows)
    warn_copies(printer, report.unreachable)
    session.finish(report.failure)
