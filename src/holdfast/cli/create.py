"""`holdfast create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.app_output import print_retention, print_summary, warn_copies, warn_problems
from holdfast.cli.app_session import TYPES, AppSession, app_command, dry_run_option, pass_session, target_option
from holdfast.cli.output import count
from holdfast.cli.recording import recorded
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.operations.reports import CreateReport


@app_command("create", help="Make a backup.")
@click.option("--type", "kind", type=click.Choice(TYPES), default="full", help="What to back up; by default all of it.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeatable.")
@target_option
@click.option("--since", metavar="TIME", help="With --type incremental: what changed since then.")
@click.option("--no-compress", is_flag=True, help="Leave everything in archives uncompressed.")
@click.option("--accept-empty", multiple=True, metavar="NAME", help="This source may have become empty; repeatable.")
@dry_run_option
@pass_session
def command(
    session: AppSession,
    kind: str,
    sources: tuple[str, ...],
    targets: tuple[str, ...],
    since: str | None,
    no_compress: bool,
    accept_empty: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Makes a backup."""
    from holdfast.app import Overrides
    from holdfast.cli.moments import parse_moment
    from holdfast.model.backup import BackupType
    from holdfast.operations.create import create_backup
    from holdfast.operations.requests import CreateRequest

    if since is not None and kind != BackupType.INCREMENTAL.value:
        raise UsageError(detail="--since goes with --type incremental")
    overrides = Overrides(compression="", compress_databases=False) if no_compress else Overrides()
    with session.working(overrides=overrides) as context:
        zone = session.app().zone
        request = CreateRequest(
            type=BackupType(kind),
            sources=sources,
            targets=targets,
            since=None if since is None else parse_moment(since, context.now(), zone),
            # The first one of a schedule must not fail for want of a full one; who names a moment means it.
            fallback=since is None,
            dry_run=dry_run,
            accept_empty=accept_empty,
        )
        report = (
            create_backup(context, request)
            if dry_run
            else recorded(session, "create", request, lambda: create_backup(context, request))
        )
    print_summary(session.printer, report)
    _print(session, report)
    session.finish(report.failure)


def _print(session: AppSession, report: CreateReport) -> None:
    printer = session.printer
    warn_problems(printer, report.problems)
    warn_copies(printer, report.copies)
    if report.dry_run:
        printer.say(
            "Would back up {sources}, about {size}.",
            sources=", ".join(component.name for component in report.components),
            size=values.size(report.estimated_bytes),
        )
        return
    for component in report.components:
        files = count(component.file_count, "{count} file", "{count} files")
        size = values.size(component.content_bytes)
        printer.note("{source}: {files}, {size}", source=component.name, files=files, size=size)
    for copy in report.copies:
        if copy.stored is not None:
            printer.note(
                "{target}: {size} at {location}",
                target=copy.target,
                size=values.size(copy.stored.manifest.total_size),
                location=copy.stored.location,
            )
    for result in report.retention:
        if result.plan is not None and result.removed and printer.verbosity:
            print_retention(printer, result.target, result.plan, dry_run=False)
        elif result.removed:
            printer.note("{target}: removed {backups}", target=result.target, backups=", ".join(result.removed))
    printer.note(
        "Backup {backup} was made in {duration}.",
        backup=report.backup_id,
        duration=values.duration(sum(report.seconds.values())),
    )
