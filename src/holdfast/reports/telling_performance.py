"""The report on performance as sections of a document."""

from __future__ import annotations

from holdfast.model.event import phase_in_words
from holdfast.reports.document import Figure, Section, Table, Tongue
from holdfast.reports.figures import Forecast, PerformanceReport
from holdfast.reports.vocabulary import OPERATIONS, TYPES, count_figures, day_chart, size_chart, word
from holdfast.runtime.quantities import size_text
from holdfast.runtime.translation import N_


def performance_sections(report: PerformanceReport, tongue: Tongue) -> list[Section]:
    """All of it."""
    return [_summary(report, tongue), _durations(report, tongue), _stages(report, tongue), _room(report, tongue)]


def _summary(report: PerformanceReport, tongue: Tongue) -> Section:
    ratio, growth, waits = report.saved_ratio, report.growth_bytes_per_day, report.waits_s
    rows = [
        (N_("Failure rate"), tongue.percent(report.failure_rate)),
        (N_("Repetitions"), tongue.number(report.repeated)),
        (N_("Usual wait before the start"), tongue.duration(waits.median if waits.count else None)),
        (N_("Longest wait before the start"), tongue.duration(waits.largest if waits.count else None)),
        (N_("Read for each byte stored"), "-" if ratio is None else tongue.number(ratio, 2)),
        (N_("Growth of a full backup each day"), tongue.size(growth)),
    ]
    figures = tuple(Figure(label=tongue.say(label), value=value) for label, value in rows)
    return Section(
        title=tongue.say(N_("Summary")),
        figures=(*count_figures(report.counts, tongue), *figures),
        chart=day_chart(N_("Backups by day"), report.days, tongue),
    )


def _durations(report: PerformanceReport, tongue: Tongue) -> Section:
    times = (N_("Usual time"), N_("19 of 20 within"), N_("Longest time"), N_("Usual rate"))
    titles = (N_("What"), N_("Type"), N_("Runs"), *times)
    table = Table(
        header=tuple(map(tongue.say, titles)),
        rows=tuple(
            (
                word(OPERATIONS, each.operation, tongue),
                word(TYPES, each.type, tongue),
                tongue.number(each.counts.total),
                tongue.duration(each.duration_s.median if each.duration_s.count else None),
                tongue.duration(each.duration_s.p95 if each.duration_s.count else None),
                tongue.duration(each.duration_s.largest if each.duration_s.count else None),
                _rate(each.rate.median if each.rate.count else None, tongue),
            )
            for each in report.operations
        ),
        right=frozenset({2, 3, 4, 5, 6}),
    )
    return Section(title=tongue.say(N_("How long it took")), table=table if table.rows else None)


def _stages(report: PerformanceReport, tongue: Tongue) -> Section:
    table = Table(
        header=(tongue.say(N_("Stage")), tongue.say(N_("Together")), tongue.say(N_("Share"))),
        rows=tuple(
            (tongue.said(phase_in_words(each.stage)), tongue.duration(each.total_s), tongue.percent(each.share))
            for each in report.stages
        ),
        right=frozenset({1, 2}),
    )
    return Section(title=tongue.say(N_("Where the time went")), table=table if table.rows else None)


def _room(report: PerformanceReport, tongue: Tongue) -> Section:
    titles = (N_("Target"), N_("Free"), N_("Added each day"), N_("Full, if nothing is removed"))
    table = Table(
        header=tuple(map(tongue.say, titles)),
        rows=tuple(_forecast(each, tongue) for each in report.forecasts),
        right=frozenset({1, 2}),
    )
    chart = size_chart(N_("Stored by day"), report.days, tongue)
    return Section(title=tongue.say(N_("Room")), table=table if table.rows else None, chart=chart)


def _forecast(each: Forecast, tongue: Tongue) -> tuple[str, ...]:
    added = tongue.size(each.added_bytes_per_day)
    return tongue.name(each.target), tongue.size(each.free_bytes), added, tongue.day(each.full_at)


def _rate(value: float | None, tongue: Tongue) -> str:
    return "-" if value is None else tongue.plain(f"{size_text(value)}/s")
