"""Says how fresh backups are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.errors import BackupTooOld, HoldfastError, Phrase, UnknownName, joined
from holdfast.model.backup import Outcome, StoredBackup
from holdfast.operations.choice import stored_backups
from holdfast.operations.context import AppContext
from holdfast.operations.list_backups import first_error, unreadable
from holdfast.operations.reports import SourceStatus, StatusReport
from holdfast.operations.requests import StatusRequest


def backup_status(context: AppContext, request: StatusRequest) -> StatusReport:
    """The age of each source's newest good backup: whole, and not known to be damaged.

    An age that cannot be true, because the backup lies in the future, counts as late: the clock is wrong somewhere,
    and nobody knows how old the backup is.
    """
    for name in request.sources:
        if name not in context.sources:
            raise UnknownName(what="source", name=name, known=", ".join(context.sources) or "none")
    found, unreachable = stored_backups(context.targets.values())
    unreadable(context, context.targets.values())
    names = [name for name in context.sources if not request.sources or name in request.sources]
    sources = tuple(_status(context, request, name, found) for name in names)
    return StatusReport(sources=sources, unreachable=unreachable, failure=_failure(sources) or first_error(unreachable))


def _status(
    context: AppContext, request: StatusRequest, name: str, found: Mapping[str, Sequence[StoredBackup]]
) -> SourceStatus:
    limit = request.max_age_s
    if limit is None:
        limit = context.max_age_s.get(name, context.max_age_s.get(""))
    good = [stored for backups in found.values() for stored in backups if _is_good(stored, name)]
    if not good:
        return SourceStatus(source=name, max_age_s=limit, late=limit is not None)
    newest = max(good, key=lambda stored: (stored.manifest.created_at, stored.marks.verified_at is not None))
    age_s = (context.now() - newest.manifest.created_at).total_seconds()
    return SourceStatus(
        source=name,
        backup_id=newest.backup_id,
        newest_at=newest.manifest.created_at,
        age_s=age_s,
        max_age_s=limit,
        verified=newest.marks.verified_at is not None,
        checked_only=newest.marks.checked_only,
        late=limit is not None and not 0 <= age_s <= limit,
    )


def _is_good(stored: StoredBackup, name: str) -> bool:
    component = stored.manifest.components.get(name)
    if component is None or stored.marks.damaged_at is not None:
        return False
    return stored.manifest.outcome is Outcome.COMPLETE or not component.problems


def _failure(sources: Sequence[SourceStatus]) -> HoldfastError | None:
    late = [source for source in sources if source.late]
    if not late:
        return None
    return BackupTooOld(what=joined("; ", [_described(source) for source in late]))


def _described(source: SourceStatus) -> Phrase:
    if source.age_s is None or source.max_age_s is None:
        return Phrase("there is no good backup of {source}", {"source": source.source})
    if source.age_s < 0:
        return Phrase("the newest backup of {source} lies in the future", {"source": source.source})
    hours, allowed = source.age_s / 3600, source.max_age_s / 3600
    return Phrase(
        "the newest backup of {source} is {hours} hours old, and {allowed} hours are allowed",
        {"source": source.source, "hours": f"{hours:.1f}", "allowed": f"{allowed:g}"},
    )
