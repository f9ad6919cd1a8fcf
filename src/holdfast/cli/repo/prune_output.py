"""What a prune did, or would do, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.text import _

if TYPE_CHECKING:
    from holdfast.repository.prune.options import PruneStats, Tally
    from holdfast.repository.prune.run import PruneReport


def print_prune(printer: Printer, report: PruneReport, *, stream: TextIO | None = None) -> None:
    """Prints a report.

    Args:
        printer: where to.
        report: what was done.
        stream: where to with --json, if another document has standard output for itself.
    """
    stats = report.stats
    printer.message("summary", stream=stream, **_document(report))
    if not printer.quiet:
        _print_table(printer, stats)
    printer.detail(
        1,
        "Packs: {used} wholly used, {partly} partly used, {unused} not used, {unlisted} in no index.",
        used=stats.packs_used,
        partly=stats.packs_partly_used,
        unused=stats.packs_unused,
        unlisted=stats.packs_unreferenced,
    )
    if report.dry_run:
        printer.note(
            "Packs to repack: {repack}, to delete: {remove}. To free: {size}.",
            repack=stats.packs_repacked,
            remove=stats.packs_removed + stats.packs_unreferenced,
            size=values.size(stats.freed_bytes),
        )
        return
    printer.note(
        "Packs repacked: {repack}, deleted: {remove}. Freed: {size}.",
        repack=stats.packs_repacked,
        remove=report.packs_removed,
        size=values.size(stats.freed_bytes),
    )


def _print_table(printer: Printer, stats: PruneStats) -> None:
    unlisted = stats.unreferenced_bytes
    remaining = stats.total_bytes - stats.freed_bytes
    rows = [
        _row(_("used"), stats.used),
        _row(_("duplicate"), stats.duplicate),
        _row(_("unused"), stats.unused),
        [_("in no index"), "", values.size(unlisted)],
        _row(_("to delete"), stats.removed),
        _row(_("to repack"), stats.repacked),
        _row(_("dropped by repacking"), stats.dropped),
        [_("remaining"), "", values.size(remaining)],
        [_("remaining unused"), "", values.size(stats.remaining_unused_bytes)],
    ]
    printer.table(["", _("Blobs"), _("Size")], rows, right=(1, 2))


def _row(title: str, tally: Tally) -> list[str]:
    return [title, str(tally.blobs), values.size(tally.size_bytes)]


def _document(report: PruneReport) -> dict[str, object]:
    stats = report.stats
    return {
        "dry_run": report.dry_run,
        "used": stats.used,
        "duplicate": stats.duplicate,
        "unused": stats.unused,
        "to_delete": stats.removed,
        "to_repack": stats.repacked,
        "repack_drops": stats.dropped,
        "total_bytes": stats.total_bytes,
        "freed_bytes": stats.freed_bytes,
        "remaining_unused_bytes": stats.remaining_unused_bytes,
        "unreferenced_bytes": stats.unreferenced_bytes,
        "uncompressed_bytes": stats.uncompressed_bytes,
        "packs_kept": stats.packs_kept,
        "packs_repacked": stats.packs_repacked,
        "packs_to_delete": stats.packs_removed + stats.packs_unreferenced,
        "packs_removed": report.packs_removed,
        "copied_blobs": report.copied_blobs,
        "copied_bytes": report.copied_bytes,
        "failed": len(report.failed),
    }
