"""`holdfast repo rewrite`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Printer, count
from holdfast.cli.repo.backup_options import instant
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.restore_options import pattern_options, read_patterns, refuse_both_patterns
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.repository.rewrite import RewriteOptions, RewriteReport


@repo_command("rewrite", help="Remove files from snapshots, or change what they say.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@pattern_options
@click.option("--new-host", metavar="NAME", help="Host name to record instead.")
@click.option("--new-time", metavar="TIME", help="Time to record instead, such as 2026-01-31 23:59:00.")
@click.option("-s", "--snapshot-summary", is_flag=True, help="Add counts of files and bytes where there are none.")
@click.option("--forget", is_flag=True, help="Remove the former snapshots after writing new ones.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    /,
    ids: Sequence[str],
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
    **given: Any,
) -> None:
    """Rewrites snapshots."""
    from holdfast.repository.resolve import select_snapshots
    from holdfast.repository.rewrite import rewrite

    options = _options(given)
    repository = session.open()
    exclusive = options.forget and not options.dry_run
    with (
        session.lock(repository, exclusive=exclusive) as lock,
        session.index(repository) as index,
        session.listener() as listener,
    ):
        index.sync(listener)
        chosen = select_snapshots(repository, ids, snapshot_filter(host, tag, path), listener)
        report = rewrite(repository, index, lock, chosen, options, listener=listener, cancel=session.cancel)
    _print(session.printer, report, options)


def _options(given: dict[str, Any]) -> RewriteOptions:
    from holdfast.policy.patterns import Excludes, Includes
    from holdfast.repository.rewrite import RewriteOptions

    refuse_both_patterns(given)
    excludes = Excludes(read_patterns(given, "exclude"), read_patterns(given, "iexclude"))
    includes = Includes(read_patterns(given, "include"), read_patterns(given, "iinclude"))
    options = RewriteOptions(
        excludes=excludes or None,
        includes=includes or None,
        new_host=given["new_host"],
        new_time=instant(given["new_time"]),
        snapshot_summary=given["snapshot_summary"],
        forget=given["forget"],
        dry_run=given["dry_run"],
    )
    if not (excludes or includes or options.new_host or options.new_time or options.snapshot_summary):
        raise UsageError(
            detail="say what to change: --exclude, --include, --new-host, --new-time or --snapshot-summary"
        )
    return options


def _print(printer: Printer, report: RewriteReport, options: RewriteOptions) -> None:
    for changed in report.changed:
        former, present = changed.former.hex(), changed.present.hex() if changed.present else ""
        printer.message("changed", old_snapshot_id=former, new_snapshot_id=present, dropped=changed.dropped)
        named = {"snapshot": former[:8], "new": present[:8], "count": changed.dropped}
        if options.dry_run:
            printer.note("Snapshot {snapshot} would be saved again. Left out: {count}.", **named)
        elif options.forget:
            printer.note("Snapshot {snapshot} was replaced by {new}. Left out: {count}.", **named)
        else:
            printer.note("Snapshot {snapshot} was saved as {new}. Left out: {count}.", **named)
    number = len(report.changed)
    printer.message("summary", dry_run=options.dry_run, changed_snapshots=number, unchanged_snapshots=report.unchanged)
    if printer.quiet:
        return
    if options.dry_run:
        printer.line(count(number, "{count} snapshot would be changed.", "{count} snapshots would be changed."))
    else:
        printer.line(count(number, "{count} snapshot was changed.", "{count} snapshots were changed."))
