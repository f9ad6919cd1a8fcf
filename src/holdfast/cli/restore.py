"""`holdfast restore`."""

from __future__ import annotations

import click

from holdfast.cli.app_output import print_summary
from holdfast.cli.app_session import AppSession, app_command, dry_run_option, pass_session, yes_option
from holdfast.cli.recording import recorded
from holdfast.cli.text import _
from holdfast.errors import ExitCode, UsageError


@app_command("restore", help="Bring a backup back, in place or elsewhere, all or a part.")
@click.argument("what", metavar="ID|PATH|latest")
@click.option("--from", "from_target", default="", metavar="TARGET", help="Take it from this target.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this component; repeatable.")
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table, or T:column=value; repeatable.")
@click.option("--path", "paths", multiple=True, metavar="P", help="Only this file or folder; repeatable.")
@click.option("--to", metavar="DIR|URL", help="Restore there, and leave the application alone.")
@click.option("--at", metavar="TIME", help="With latest: the newest backup not later than this.")
@click.option("--no-verify", is_flag=True, help="Do not read and compare everything first.")
@dry_run_option
@yes_option
@pass_session
def command(
    session: AppSession,
    what: str,
    from_target: str,
    only: tuple[str, ...],
    tables: tuple[str, ...],
    paths: tuple[str, ...],
    to: str | None,
    at: str | None,
    no_verify: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Restores."""
    from holdfast.cli.moments import parse_moment
    from holdfast.cli.restore_output import print_plan, print_report
    from holdfast.operations.requests import RestoreRequest
    from holdfast.operations.restore import plan_restore, run_restore

    if at is not None and what != "latest":
        raise UsageError(detail="--at goes with latest")
    zone = session.app().zone
    with session.working() as context:
        request = RestoreRequest(
            what=what,
            from_target=from_target,
            only=only,
            tables=tables,
            paths=paths,
            to=to,
            at=None if at is None else parse_moment(at, context.now(), zone, end_of_day=True),
            verify=not no_verify,
        )
        plan = plan_restore(context, request)
    print_plan(session.printer, plan, zone)
    if dry_run:
        print_summary(session.printer, plan, dry_run=True)
        return ExitCode.DONE
    if not session.agreed(_("restore this backup"), yes=yes):
        return ExitCode.FAILED
    with session.working() as context:
        report = recorded(session, "restore", plan.request, lambda: run_restore(context, plan))
    print_summary(session.printer, report, dry_run=False)
    print_report(session.printer, report, session.options.as_typed())
    session.finish(report.failure)
    return ExitCode.DONE
