"""`holdfast verify`."""

from __future__ import annotations

import click

from holdfast.cli.app_output import print_summary, sentence, warn_problems
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option
from holdfast.cli.recording import recorded
from holdfast.errors import ContradictoryOptions, UsageError


@app_command("verify", help="Read a backup again and compare every checksum and count.")
@click.argument("what", metavar="[ID|PATH|latest]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every backup.")
@target_option
@pass_session
def command(session: AppSession, what: str | None, everything: bool, targets: tuple[str, ...]) -> None:
    """Verifies."""
    from holdfast.operations.requests import VerifyRequest
    from holdfast.operations.verify import verify_backups

    if what and everything:
        raise ContradictoryOptions(first="ID", second="--all")
    if not what and not everything:
        raise UsageError(detail="name a backup to verify, or give --all")
    with session.working() as context:
        request = VerifyRequest(what=what or "all", targets=targets)
        report = recorded(session, "verify", request, lambda: verify_backups(context, request))
    printer = session.printer
    print_summary(printer, report)
    for copy in report.copies:
        named = {"backup": copy.backup_id, "target": copy.target}
        if copy.error is not None:
            printer.warn("backup {backup} in {target}: {detail}", detail=sentence(copy.error), **named)
        elif copy.problems:
            printer.say("Damaged: {backup} in {target}", **named)
            warn_problems(printer, copy.problems, where=copy.backup_id)
        elif copy.opened:
            printer.note("Whole: {backup} in {target}", **named)
        else:
            printer.say("Checked by checksum only, not opened: {backup} in {target}", **named)
    session.finish(report.failure)
