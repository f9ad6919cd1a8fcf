"""A report on how the backup system itself performs: how long, how fast, how reliably, and when a disk will be full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from statistics import linear_regression, median

from holdfast.model.run import Run, RunState
from holdfast.notifiers.occasions import facts_of
from holdfast.reports.figures import Forecast, OperationFigures, PerformanceReport, Spread, StageFigures
from holdfast.reports.material import Material, counted, moment_of, rate_of
from holdfast.reports.periods import Period

_DAY_S = 86_400
_FAR = timedelta(days=36_500)


def performance(material: Material, period: Period) -> PerformanceReport:
    """How it went in a period."""
    runs = material.within(period)
    backups = [run for run in runs if run.operation == "create"]
    stored = sum(run.stored_bytes for run in backups)
    rate = rate_of(counted(runs))
    return PerformanceReport(
        head=material.head(period),
        counts=counted(runs),
        failure_rate=None if rate is None else 1 - rate,
        repeated=sum(run.attempt > 1 for run in runs),
        waits_s=spread([wait for run in runs if (wait := _wait_s(run)) is not None]),
        operations=_operations(runs),
        stages=_stages(backups),
        days=material.by_day(backups, period),
        saved_ratio=sum(run.content_bytes for run in backups) / stored if stored else None,
        growth_bytes_per_day=_growth(backups),
        forecasts=_forecasts(material, backups, period),
    )


def spread(values: Sequence[float]) -> Spread:
    """How values are spread."""
    if not values:
        return Spread()
    ordered = sorted(values)
    p95 = ordered[ceil(0.95 * len(ordered)) - 1]
    return Spread(count=len(ordered), median=median(ordered), p95=p95, largest=ordered[-1])


def _wait_s(run: Run) -> float | None:
    """From when it might start until it did; a clock that was set back makes that negative, which means nothing."""
    if run.started_at is None:
        return None
    wait = (run.started_at - (run.not_before or run.due_at or run.created_at)).total_seconds()
    return max(0.0, wait)


def _operations(runs: Sequence[Run]) -> tuple[OperationFigures, ...]:
    groups: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.operation, run.type].append(run)
    return tuple(
        OperationFigures(
            operation=operation,
            type=kind,
            counts=counted(found),
            duration_s=spread([run.duration_s for run in found if run.duration_s is not None]),
            rate=spread([run.content_bytes / run.duration_s for run in found if run.content_bytes and run.duration_s]),
        )
        for (operation, kind), found in sorted(groups.items())
    )


def _stages(backups: Sequence[Run]) -> tuple[StageFigures, ...]:
    totals: defaultdict[str, float] = defaultdict(float)
    for run in backups:
        for stage, seconds in run.seconds.items():
            totals[stage] += seconds
    whole = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return tuple(StageFigures(stage=name, total_s=s, share=s / whole if whole else 0.0) for name, s in ordered)


def _growth(backups: Sequence[Run]) -> float | None:
    """A straight line through the sizes of whole backups; with fewer than three, or all at one time, there is none."""
    whole = [run for run in backups if run.state is RunState.SUCCEEDED and run.type == "full" and run.content_bytes]
    days = [moment_of(run).timestamp() / _DAY_S for run in whole]
    if len(set(days)) < 3:
        return None
    return linear_regression(days, [float(run.content_bytes) for run in whole]).slope


def _forecasts(material: Material, backups: Sequence[Run], period: Period) -> tuple[Forecast, ...]:
    added: defaultdict[str, int] = defaultdict(int)
    for run in backups:
        for target, size in facts_of(run.report, {}).newest_bytes.items():
            added[target] += size
    begun = min(map(moment_of, backups), default=period.until)
    days = max(1.0, (period.until - begun).total_seconds() / _DAY_S)
    forecasts: list[Forecast] = []
    for target in sorted({*material.free_bytes, *added}):
        free, daily = material.free_bytes.get(target), added[target] / days
        left = timedelta(days=min(free / daily, _FAR.days)) if free is not None and daily > 0 else None
        full_at = None if left is None or left >= _FAR else material.now + left
        forecasts.append(Forecast(target=target, free_bytes=free, added_bytes_per_day=daily, full_at=full_at))
    return tuple(forecasts)
