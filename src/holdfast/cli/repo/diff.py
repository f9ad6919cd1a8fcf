"""`holdfast repo diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import snapshot_filter
from holdfast.cli.repo.session import RepoSession

if TYPE_CHECKING:
    from holdfast.model.snapshot import Snapshot
    from holdfast.repository.diff import DiffCounts, SideCounts


@repo_command("diff", help="Show what changed between two snapshots.")
@click.argument("first", metavar="ID[:PATH]")
@click.argument("second", metavar="ID[:PATH]")
@click.option("--metadata", is_flag=True, help="Show items too of which only the metadata changed.")
@click.pass_obj
def command(session: RepoSession, first: str, second: str, metadata: bool) -> None:
    """Compares."""
    from holdfast.repository.diff import Diff
    from holdfast.repository.resolve import resolve_directory

    printer = session.printer
    with session.reading() as reader:
        everything = snapshot_filter((), (), ())
        before = resolve_directory(reader, first, everything)
        after = resolve_directory(reader, second, everything)
        printer.note(
            "Comparing snapshot {first} with {second}:", first=_short(before.snapshot), second=_short(after.snapshot)
        )
        diff = Diff(reader, before.tree, after.tree, metadata=metadata)
        for difference in diff:
            session.cancel.raise_if_cancelled()
            printer.document({"message_type": "change", "path": difference.path, "modifier": difference.modifier})
            printer.line(f"{difference.modifier:<5}{values.name(difference.path)}")
        with session.listener(statuses=False) as listener:
            counts = diff.count_blobs(listener, session.cancel)
    _print(printer, before.snapshot, after.snapshot, counts)


def _short(snapshot: Snapshot) -> str:
    return snapshot.id.hex()[:8] if snapshot.id else "-"


def _print(printer: Printer, before: Snapshot, after: Snapshot, counts: DiffCounts) -> None:
    printer.message(
        "statistics",
        source_snapshot=before.id.hex() if before.id else "",
        target_snapshot=after.id.hex() if after.id else "",
        changed_files=counts.changed_files,
        added=_document(counts.added),
        removed=_document(counts.removed),
    )
    added, removed = counts.added, counts.removed
    printer.note(
        "Files: {added} new, {removed} removed, {changed} changed.",
        added=added.files,
        removed=removed.files,
        changed=counts.changed_files,
    )
    printer.note("Folders: {added} new, {removed} removed.", added=added.dirs, removed=removed.dirs)
    printer.note("Others: {added} new, {removed} removed.", added=added.others, removed=removed.others)
    printer.note("Data blobs: {added} new, {removed} removed.", added=added.data_blobs, removed=removed.data_blobs)
    printer.note("Tree blobs: {added} new, {removed} removed.", added=added.tree_blobs, removed=removed.tree_blobs)
    printer.note(
        "Added {added}, removed {removed}.",
        added=values.size(added.size_bytes),
        removed=values.size(removed.size_bytes),
    )


def _document(side: SideCounts) -> dict[str, int]:
    return {
        "files": side.files,
        "dirs": side.dirs,
        "others": side.others,
        "data_blobs": side.data_blobs,
        "tree_blobs": side.tree_blobs,
        "bytes": side.size_bytes,
    }
