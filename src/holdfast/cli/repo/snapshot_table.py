"""Snapshots as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from holdfast.cli import values
from holdfast.cli.output import Printer, count
from holdfast.cli.text import _

if TYPE_CHECKING:
    from holdfast.model.snapshot import Snapshot
    from holdfast.policy.grouping import GroupKey


def describe(key: GroupKey) -> str:
    """What the snapshots of a group share."""
    parts = [key.hostname, ", ".join(key.paths), ", ".join(key.tags)]
    return "; ".join(part for part in parts if part) or "*"


def print_table(
    printer: Printer,
    snapshots: Sequence[Snapshot],
    *,
    compact: bool = False,
    reasons: Mapping[bytes, Sequence[str]] | None = None,
) -> None:
    """Prints a line or more for each snapshot.

    Args:
        printer: where to.
        snapshots: in the order wanted.
        compact: without sizes, and with the first path only.
        reasons: why each of them is kept, by id.
    """
    header = [_("ID"), _("Time"), _("Host"), _("Tags"), *([_("Reasons")] if reasons else []), _("Paths")]
    rows: list[list[str]] = []
    for snapshot in snapshots:
        assert snapshot.id is not None
        paths = [values.name(path) for path in snapshot.paths]
        row = [
            snapshot.id.hex()[:8],
            values.moment(snapshot.time),
            values.name(snapshot.hostname),
            "\n".join(map(values.name, snapshot.tags)),
            *(["\n".join(map(_, reasons.get(snapshot.id, ())))] if reasons else []),
            paths[0] if compact and paths else "\n".join(paths),
        ]
        if not compact:
            row.append(values.size(snapshot.summary.total_bytes_processed) if snapshot.summary else "")
        rows.append(row)
    if not compact:
        header.append(_("Size"))
    printer.table(header, rows, right=() if compact else (len(header) - 1,))
    printer.line(count(len(rows), "{count} snapshot", "{count} snapshots"))
