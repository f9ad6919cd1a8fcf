"""Reports on what was done: the backups of a day and of a month, the restores of a year."""

from __future__ import annotations

from collections import Counter
from datetime import date
from statistics import fmean

from holdfast.model.run import RunState
from holdfast.reports.figures import Cause, DailyReport, MonthFigures, MonthlyReport, TypeFigures, YearlyReport
from holdfast.reports.material import Material, counted, line_of, moment_of, rate_of
from holdfast.reports.periods import day_of, month_of, year_of

RESTORING = ("restore", "drill", "export")


def daily(material: Material, day: date) -> DailyReport:
    """The backups of one day, and whatever else was done."""
    period = day_of(day, material.zone)
    runs = material.within(period)
    backups = [run for run in runs if run.operation == "create"]
    return DailyReport(
        head=material.head(period),
        day=day,
        counts=counted(backups),
        backups=tuple(map(line_of, backups)),
        others=tuple(line_of(run) for run in runs if run.operation != "create"),
        content_bytes=sum(run.content_bytes for run in backups),
        stored_bytes=sum(run.stored_bytes for run in backups),
        kept=material.kept(),
    )


def monthly(material: Material, year: int, month: int) -> MonthlyReport:
    """The backups of one month in numbers. Days that have not come yet are left out."""
    whole = month_of(year, month, material.zone)
    period = whole._replace(until=max(whole.since, min(whole.until, material.now)))
    runs = material.within(whole, "create")
    by_type = {kind: [run for run in runs if run.type == kind] for kind in sorted({run.type for run in runs})}
    shown = whole if any(moment_of(run) >= period.until for run in runs) else period
    return MonthlyReport(
        head=material.head(whole),
        month=f"{year:04}-{month:02}",
        counts=counted(runs),
        success_rate=rate_of(counted(runs)),
        days=material.by_day(runs, shown) if shown.until > shown.since else (),
        types=tuple(
            TypeFigures(
                type=kind,
                counts=counted(found),
                average_bytes=round(fmean(run.stored_bytes for run in found)),
                average_s=fmean([run.duration_s or 0.0 for run in found]),
            )
            for kind, found in by_type.items()
        ),
        causes=tuple(
            Cause(code=code, count=count)
            for code, count in Counter(run.error.code for run in runs if run.error is not None).most_common()
        ),
        content_bytes=sum(run.content_bytes for run in runs),
        stored_bytes=sum(run.stored_bytes for run in runs),
        kept=material.kept(),
    )


def yearly(material: Material, year: int) -> YearlyReport:
    """The restores of one year, rehearsals and downloads included."""
    period = year_of(year, material.zone)
    runs = material.within(period, *RESTORING)
    durations = [run.duration_s for run in runs if run.duration_s is not None and run.operation != "export"]
    good = [moment_of(run) for run in runs if run.state is RunState.SUCCEEDED and run.operation != "export"]
    return YearlyReport(
        head=material.head(period),
        year=year,
        counts=counted(runs),
        months=tuple(
            MonthFigures(
                month=f"{year:04}-{month:02}",
                counts=counted(run for run in runs if month_of(year, month, material.zone).holds(moment_of(run))),
            )
            for month in range(1, 13)
        ),
        restores=tuple(map(line_of, runs)),
        average_s=fmean(durations) if durations else None,
        longest_s=max(durations, default=None),
        last_good_at=max(good, default=None),
    )
