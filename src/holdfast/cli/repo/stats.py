"""`holdfast repo stats`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.session import RepoSession

if TYPE_CHECKING:
    from holdfast.repository.stats import Stats

_MODES = ["restore-size", "files-by-contents", "blobs-per-file", "raw-data"]


@repo_command("stats", help="Count files, bytes and savings.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--mode", type=click.Choice(_MODES), default="restore-size", help="What to count.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    ids: Sequence[str],
    mode: str,
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
) -> None:
    """Counts."""
    from holdfast.repository.resolve import select_snapshots
    from holdfast.repository.stats import StatsMode, stats

    with session.reading() as reader, session.listener(statuses=False) as listener:
        chosen = select_snapshots(reader.repository, ids, snapshot_filter(host, tag, path), listener)
        result = stats(reader, chosen, StatsMode(mode), listener, session.cancel)
    session.printer.document(_document(result))
    _print(session.printer, result)


def _document(result: Stats) -> dict[str, object]:
    document: dict[str, object] = {"total_size": result.size_bytes}
    if result.mode.value == "raw-data":
        document |= {
            "total_uncompressed_size": result.uncompressed_bytes,
            "compression_ratio": result.compression_ratio,
            "compression_progress": result.compression_progress_percent,
            "compression_space_saving": result.compression_saving_percent,
        }
    else:
        document["total_file_count"] = result.files
    if result.mode.value in ("raw-data", "blobs-per-file"):
        document["total_blob_count"] = result.blobs
    return {**document, "snapshots_count": result.snapshots}


def _print(printer: Printer, result: Stats) -> None:
    printer.say("Snapshots looked at: {count}", count=result.snapshots)
    if result.mode.value != "raw-data":
        printer.say("Files: {count}", count=result.files)
    if result.mode.value in ("raw-data", "blobs-per-file"):
        printer.say("Blobs: {count}", count=result.blobs)
    printer.say("Size: {size}", size=values.size(result.size_bytes))
    if result.mode.value == "raw-data":
        printer.say("Size without compression: {size}", size=values.size(result.uncompressed_bytes))
        printer.say(
            "Compression: {ratio} times smaller, {saving} saved, {progress} of the data compressed",
            ratio=f"{result.compression_ratio:.2f}",
            saving=values.percent(result.compression_saving_percent, 100),
            progress=values.percent(result.compression_progress_percent, 100),
        )
