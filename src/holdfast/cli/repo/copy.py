"""`holdfast repo copy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.options import read_source, source_options
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import CopyIncomplete

if TYPE_CHECKING:
    from holdfast.repository.copy import CopyReport


@repo_command("copy", help="Copy snapshots from another repository.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@source_options
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
    """Copies snapshots."""
    from holdfast.repository.copy import CopyOptions, copy
    from holdfast.repository.resolve import select_snapshots

    source = session.open_source(read_source(given))
    target = session.open()
    options = CopyOptions(compression=session.compression(), pack_bytes=session.pack_bytes())
    with (
        session.reading_lock(source),
        session.lock(target) as lock,
        session.index(source) as source_index,
        session.index(target) as target_index,
        session.listener() as listener,
    ):
        source_index.sync(listener)
        target_index.sync(listener)
        # Oldest first: an interrupted copy is then a shorter history, and not one with holes.
        chosen = select_snapshots(source, ids, snapshot_filter(host, tag, path), listener)
        chosen.sort(key=lambda snapshot: snapshot.time.ns)
        report = copy(
            source,
            source_index,
            target,
            target_index,
            lock,
            chosen,
            options,
            listener=listener,
            cancel=session.cancel,
        )
    _print(session.printer, report)
    if report.failed:
        raise CopyIncomplete(count=len(report.failed), url=source.url)


def _print(printer: Printer, report: CopyReport) -> None:
    for copied in report.snapshots:
        names = {"snapshot": copied.source.hex()[:8], "copy": copied.target.hex()[:8]}
        printer.message(
            "copied" if copied.new else "skipped",
            source_snapshot_id=copied.source.hex(),
            snapshot_id=copied.target.hex(),
        )
        if copied.new:
            printer.note("Copied snapshot {snapshot} as {copy}.", **names)
        else:
            printer.note("Snapshot {snapshot} is there already as {copy}.", **names)
    for failure in report.failed:
        printer.message("failed", source_snapshot_id=failure.source.hex(), code=failure.code, message=failure.detail)
    printer.message(
        "summary",
        copied=sum(copied.new for copied in report.snapshots),
        skipped=sum(not copied.new for copied in report.snapshots),
        failed=len(report.failed),
        copied_blobs=report.copied_blobs,
        copied_bytes=report.copied_bytes,
    )
    printer.note("Blobs added: {count}, {size}.", count=report.copied_blobs, size=values.size(report.copied_bytes))
