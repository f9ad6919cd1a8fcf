"""What reports say, as data; also what they are as JSON. Sizes in bytes, durations in seconds, times in UTC."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Runs by what became of them."""

    succeeded: int = 0
    partial: int = 0
    failed: int = 0
    lost: int = 0
    missed: int = 0
    cancelled: int = 0
    unfinished: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.good + self.bad + self.cancelled + self.unfinished

    @property
    def good(self) -> int:
        """Those that did all that was asked for."""
        return self.succeeded

    @property
    def bad(self) -> int:
        """Those that did not, and were not stopped by somebody."""
        return self.partial + self.failed + self.lost + self.missed


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `reason` is an error's message, English; empty if there was none.

    Attributes:
        code: of the error.
        context: values of the error's template, so that it can be told in another language.
    """

    at: datetime
    run_id: str
    operation: str
    state: str
    type: str = ""
    policy: str = ""
    backup_id: str = ""
    actor: str = ""
    duration_s: float | None = None
    content_bytes: int = 0
    stored_bytes: int = 0
    code: str = ""
    reason: str = ""
    context: dict[str, str] = {}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the targets keep now, each backup counted once however many targets have it; bytes are of all copies."""

    backups: int = 0
    copies: int = 0
    stored_bytes: int = 0
    average_bytes: int = 0
    oldest_at: datetime | None = None
    newest_at: datetime | None = None
    held: int = 0
    damaged: int = 0


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is common to all reports: `since` belongs to the time that is reported on, `until` does not."""

    app: str
    since: datetime
    until: datetime
    made_at: datetime
    zone: str


class DailyReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="daily"):
    """The backups of one day."""

    head: Head
    day: date
    counts: Counts
    backups: tuple[RunLine, ...]
    others: tuple[RunLine, ...]
    content_bytes: int
    stored_bytes: int
    kept: Kept


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a month."""

    day: date
    counts: Counts
    content_bytes: int
    stored_bytes: int


class TypeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Backups of one type."""

    type: str
    counts: Counts
    average_bytes: int
    average_s: float


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """How often an error came, by its code."""

    code: str
    count: int


class MonthlyReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="monthly"):
    """The backups of one month in numbers. `success_rate` is of those that ended by themselves; None if none did."""

    head: Head
    month: str
    counts: Counts
    success_rate: float | None
    days: tuple[DayFigures, ...]
    types: tuple[TypeFigures, ...]
    causes: tuple[Cause, ...]
    content_bytes: int
    stored_bytes: int
    kept: Kept


class MonthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Restores of one month of a year."""

    month: str
    counts: Counts


class YearlyReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="yearly"):
    """The restores of one year, rehearsals and downloads included."""

    head: Head
    year: int
    counts: Counts
    months: tuple[MonthFigures, ...]
    restores: tuple[RunLine, ...]
    average_s: float | None
    longest_s: float | None
    last_good_at: datetime | None


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How values are spread: `p95` is what nineteen of twenty do not exceed."""

    count: int = 0
    median: float = 0.0
    p95: float = 0.0
    largest: float = 0.0


class OperationFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How one operation performed. `rate` in bytes per second, of runs that read something."""

    operation: str
    type: str
    counts: Counts
    duration_s: Spread
    rate: Spread


class StageFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stage of backups took, added up, and its share of all stages."""

    stage: str
    total_s: float
    share: float


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When a target is full if it goes on like this and nothing is removed; None if never, or if nobody knows."""

    target: str
    free_bytes: int | None
    added_bytes_per_day: float
    full_at: datetime | None


class PerformanceReport(msgspec.Struct, frozen=True, kw_only=True, tag_field="report", tag="performance"):
    """How the backup system itself performed.

    Attributes:
        waits_s: from when a run might start until it did.
        repeated: runs that were a repetition of a failed one.
        saved_ratio: what was read over what was stored for it; None if nothing was.
        growth_bytes_per_day: by how much a whole backup grows each day, a straight line through all of them.
    """

    head: Head
    counts: Counts
    failure_rate: float | None
    repeated: int
    waits_s: Spread
    operations: tuple[OperationFigures, ...]
    stages: tuple[StageFigures, ...]
    days: tuple[DayFigures, ...]
    saved_ratio: float | None
    growth_bytes_per_day: float | None
    forecasts: tuple[Forecast, ...]


Report = DailyReport | MonthlyReport | YearlyReport | PerformanceReport
