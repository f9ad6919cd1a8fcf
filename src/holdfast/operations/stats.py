"""Adds up what targets keep."""

from __future__ import annotations

from collections import Counter

from holdfast.operations.choice import chosen_targets, stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.list_backups import first_error, merged
from holdfast.operations.reports import StatsReport
from holdfast.operations.requests import ListRequest

_MIB = 1 << 20


def backup_stats(context: AppContext, request: ListRequest) -> StatsReport:
    """Totals. A backup that several targets have is one backup; the bytes of all its copies count."""
    found, unreachable = stored_backups(chosen_targets(context, request.targets))
    backups = merged(found, request.type)
    sizes = [sum(copy.manifest.total_size for copy in backup.copies) for backup in backups]
    size_by_type: Counter[str] = Counter()
    by_target: Counter[str] = Counter(dict.fromkeys(found, 0))
    for backup, size_bytes in zip(backups, sizes, strict=True):
        size_by_type[backup.type.value] += size_bytes
        by_target.update(copy.target for copy in backup.copies)
    total = sum(sizes)
    return StatsReport(
        total_backups=len(backups),
        total_size=total,
        total_size_mb=round(total / _MIB, 2),
        average_size=total // len(backups) if backups else 0,
        by_type=dict(Counter(backup.type.value for backup in backups)),
        size_by_type=dict(size_by_type),
        by_target=dict(by_target),
        oldest_backup=backups[-1].created_at if backups else None,
        newest_backup=backups[0].created_at if backups else None,
        unreachable=unreachable,
        failure=first_error(unreachable),
    )
