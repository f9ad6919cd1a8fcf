"""`holdfast export`."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli import values
from holdfast.cli.app_output import print_summary
from holdfast.cli.app_session import AppSession, app_command, pass_session


@app_command("export", help="Write a backup into one self-contained file, with a recovery sheet.")
@click.argument("what", metavar="ID|PATH|latest")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.zip", help="Where to; by default ID.zip."
)
@click.option("--from", "from_target", default="", metavar="TARGET", help="Take it from this target.")
@pass_session
def command(session: AppSession, what: str, output: Path | None, from_target: str) -> None:
    """Exports."""
    from holdfast.operations.export import export_backup
    from holdfast.operations.requests import ExportRequest

    with session.working() as context:
        report = export_backup(context, ExportRequest(what=what, output=output, from_target=from_target))
    print_summary(session.printer, report)
    session.printer.say("{digest}  {path}", digest=report.sha256, path=report.path)
    session.printer.note(
        "Exported backup {backup}, {size}.", backup=report.backup_id, size=values.size(report.size_bytes)
    )
