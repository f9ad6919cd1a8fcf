"""What reports are made from, and sums over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

import msgspec

from holdfast.model.backup import StoredBackup
from holdfast.model.run import Run, RunState
from holdfast.reports.figures import Counts, DayFigures, Head, Kept, RunLine
from holdfast.reports.periods import Period, days_in


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report looks at.

    Attributes:
        runs: of the time in question, and more; in any order.
        copies: what the targets keep now.
        free_bytes: how much more fits, by target; None where nobody can tell.
        now: when the report is made.
        zone: in which days are counted.
    """

    app: str
    runs: Sequence[Run]
    copies: Sequence[StoredBackup]
    now: datetime
    free_bytes: Mapping[str, int | None] = {}
    zone: tzinfo = UTC

    def head(self, period: Period) -> Head:
        """What is common to all reports."""
        zone = str(self.zone)
        return Head(app=self.app, since=period.since, until=period.until, made_at=self.now, zone=zone)

    def within(self, period: Period, *operations: str) -> list[Run]:
        """Runs of a period, the oldest first; only those of some operations, if any is named."""
        found = [
            run
            for run in self.runs
            if run.app == self.app and period.holds(moment_of(run)) and (not operations or run.operation in operations)
        ]
        return sorted(found, key=lambda run: (moment_of(run), run.run_id))

    def kept(self) -> Kept:
        """What the targets keep now."""
        moments = [copy.manifest.created_at for copy in self.copies]
        stored = sum(copy.manifest.total_size for copy in self.copies)
        backups = len({copy.backup_id for copy in self.copies})
        return Kept(
            backups=backups,
            copies=len(self.copies),
            stored_bytes=stored,
            average_bytes=round(stored / len(self.copies)) if self.copies else 0,
            oldest_at=min(moments, default=None),
            newest_at=max(moments, default=None),
            held=len({copy.backup_id for copy in self.copies if copy.marks.held}),
            damaged=len({copy.backup_id for copy in self.copies if copy.marks.damaged_at is not None}),
        )

    def by_day(self, runs: Sequence[Run], period: Period) -> tuple[DayFigures, ...]:
        """Runs by the day on which they began, days without any included."""
        days = {day: list[Run]() for day in days_in(period, self.zone)}
        for run in runs:
            days[moment_of(run).astimezone(self.zone).date()].append(run)
        return tuple(
            DayFigures(
                day=day,
                counts=counted(found),
                content_bytes=sum(run.content_bytes for run in found),
                stored_bytes=sum(run.stored_bytes for run in found),
            )
            for day, found in days.items()
        )


def moment_of(run: Run) -> datetime:
    """The moment by which a run belongs to a day: when it began, or was due, or was asked for."""
    return run.started_at or run.due_at or run.created_at


def counted(runs: Iterable[Run]) -> Counts:
    """Runs by what became of them."""
    states = Counter(run.state for run in runs)
    return Counts(
        succeeded=states[RunState.SUCCEEDED],
        partial=states[RunState.PARTIAL],
        failed=states[RunState.FAILED],
        lost=states[RunState.LOST],
        missed=states[RunState.MISSED],
        cancelled=states[RunState.CANCELLED],
        unfinished=states[RunState.QUEUED] + states[RunState.RUNNING],
    )


def rate_of(counts: Counts) -> float | None:
    """The share of good runs among those that came to an end of their own."""
    ended = counts.good + counts.bad
    return counts.good / ended if ended else None


def line_of(run: Run) -> RunLine:
    """A run in a list."""
    error = run.error
    return RunLine(
        at=moment_of(run),
        run_id=run.run_id,
        operation=run.operation,
        state=run.state.value,
        type=run.type,
        policy=run.policy,
        backup_id=run.backup_id,
        actor=run.actor,
        duration_s=run.duration_s,
        content_bytes=run.content_bytes,
        stored_bytes=run.stored_bytes,
        code=error.code if error else "",
        reason=error.message if error else "",
        context=error.context if error else {},
    )
