"""`holdfast repo restore`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.restore_options import pattern_options, read_restore_options
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import RestoreDamaged, RestoreIncomplete

if TYPE_CHECKING:
    from holdfast.repository.restore.report import RestoreReport


@repo_command("restore", help="Restore a snapshot, or part of it, into a folder.")
@click.argument("snapshot", metavar="ID[:PATH]")
@click.option("-t", "--target", required=True, metavar="DIR", help="Folder to restore into.")
@pattern_options
@click.option(
    "--overwrite",
    type=click.Choice(["always", "if-changed", "if-newer", "never"]),
    default="always",
    help="Which existing files to replace.",
)
@click.option("--delete", is_flag=True, help="Delete files in the folder that the snapshot does not have.")
@click.option("--sparse", is_flag=True, help="Write runs of zeros as holes.")
@click.option("--verify", is_flag=True, help="Read everything again afterwards and compare.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and write nothing.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    /,
    snapshot: str,
    target: str,
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
    **given: Any,
) -> None:
    """Restores."""
    from holdfast.policy.selection import split_subfolder
    from holdfast.repository.resolve import resolve_snapshot
    from holdfast.repository.restore.run import restore_snapshot

    name, subfolder = split_subfolder(snapshot)
    options = read_restore_options(given, subfolder)
    pool = session.workers()
    repository = session.open()
    with (
        session.reading_lock(repository),
        session.index(repository) as index,
        session.listener() as listener,
    ):
        found = resolve_snapshot(repository, name, snapshot_filter(host, tag, path), listener)
        index.sync(listener)
        report = restore_snapshot(
            repository, index, found, os.fsencode(target), options, listener, session.cancel, pool
        )
    short_id = found.id.hex()[:8] if found.id else "-"
    _print(session.printer, report, short_id, target, dry_run=options.dry_run)
    if report.damaged:
        raise RestoreDamaged(count=report.problem_count, snapshot=short_id)
    if report.problem_count:
        raise RestoreIncomplete(count=report.problem_count, snapshot=short_id)


def _print(printer: Printer, report: RestoreReport, snapshot: str, target: str, *, dry_run: bool) -> None:
    total = report.files + report.dirs + report.others + report.hard_links + report.skipped
    printer.message(
        "summary",
        dry_run=dry_run,
        seconds_elapsed=int(report.duration_s),
        total_files=total,
        files_restored=total - report.unchanged - report.skipped,
        files_skipped=report.unchanged + report.skipped,
        files_deleted=report.deleted,
        files_verified=report.verified,
        total_bytes=report.restored_bytes,
        bytes_restored=report.restored_bytes,
        ignored=report.ignored,
        problems=report.problem_count,
    )
    what = {"snapshot": snapshot, "target": os.fsencode(target), "files": total - report.unchanged - report.skipped}
    size, duration = values.size(report.restored_bytes), values.duration(report.duration_s)
    if dry_run:
        printer.note("Would restore snapshot {snapshot} to {target}. Items: {files}, {size}.", size=size, **what)
    else:
        printer.note(
            "Restored snapshot {snapshot} to {target} in {duration}. Items: {files}, {size}.",
            size=size,
            duration=duration,
            **what,
        )
    if report.unchanged or report.skipped:
        printer.note(
            "Right already: {unchanged}. Kept as they were: {kept}.",
            unchanged=report.unchanged,
            kept=report.skipped,
        )
    if report.deleted:
        if dry_run:
            printer.note("Would delete what the snapshot does not have: {count}.", count=report.deleted)
        else:
            printer.note("Deleted what the snapshot does not have: {count}.", count=report.deleted)
    if report.verified:
        printer.note("Files verified: {count}.", count=report.verified)
    if report.ignored:
        printer.detail(1, "Owners, modes and attributes that this user cannot set here: {count}.", count=report.ignored)
