"""`holdfast doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.output import Printer, count
from holdfast.cli.text import _, render
from holdfast.errors import ExitCode

if TYPE_CHECKING:
    from holdfast.operations.doctor_report import Finding
    from holdfast.operations.reports import FinishedHooks

_COLORS = {"ok": "green", "note": "blue", "warning": "yellow", "error": "red"}


@app_command("doctor", help="Look for what will make the next backup or restore fail.")
@click.option("--finish-hooks", is_flag=True, help="First run the hooks that a run that was killed left out.")
@pass_session
def command(session: AppSession, finish_hooks: bool) -> int:
    """Looks around."""
    from holdfast.operations import due_hooks
    from holdfast.operations.doctor import examine
    from holdfast.operations.reports import FinishedHooks, plain

    with session.working(statuses=False) as context:
        finished = due_hooks.finish_hooks(context) if finish_hooks else FinishedHooks()
        report = examine(context)
    printer = session.printer
    document = {"healthy": report.healthy, "findings": plain(report.findings)}
    printer.document({**document, "hooks": plain(finished)} if finish_hooks else document)
    if finish_hooks:
        _print_hooks(printer, finished)
    for finding in report.findings:
        _print(printer, finding)
    errors = sum(finding.level == "error" for finding in report.findings)
    printer.line(count(errors, "{count} thing must be put right.", "{count} things must be put right."))
    return ExitCode.DONE if report.healthy else ExitCode.FAILED


def _print_hooks(printer: Printer, finished: FinishedHooks) -> None:
    for hook in finished.ran:
        printer.note("Ran the hook {hook}.", hook=hook)
    for hook in finished.gone:
        printer.warn("the hook {hook} is not in the configuration any more and was not run", hook=hook)
    for error in finished.failed:
        printer.warn("{detail}", detail=error.phrase)
    if not finished.ran and not finished.gone:
        printer.note("No hook is due.")


def _print(printer: Printer, finding: Finding) -> None:
    if printer.quiet and finding.level in ("ok", "note"):
        return
    words = {"ok": _("ok"), "note": _("note"), "warning": _("warning"), "error": _("error")}
    word = printer.paint(words.get(finding.level, finding.level), _COLORS.get(finding.level, "white"), printer.out)
    found = {"subject": finding.subject, "detail": finding.detail}
    printer.line(f"{word}  {render('{subject}: {detail}' if finding.detail else '{subject}', found)}")
    if finding.hint and finding.level != "ok":
        printer.say("    {detail}", detail=finding.hint)
