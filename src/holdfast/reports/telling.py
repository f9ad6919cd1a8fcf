"""From what a report says to a document in a language."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from holdfast.notifiers.wording import error_sentence
from holdfast.reports.document import Document, Figure, Section, Table, Tongue
from holdfast.reports.figures import DailyReport, Head, MonthlyReport, Report, RunLine, YearlyReport
from holdfast.reports.telling_performance import performance_sections
from holdfast.reports.vocabulary import (
    OPERATIONS,
    STATES,
    TYPES,
    count_figures,
    day_chart,
    kept_section,
    outcome_chart,
    size_chart,
    word,
)
from holdfast.runtime.translation import N_

_GOOD = frozenset({"succeeded", "cancelled", "queued", "running"})


def told(report: Report, language: str) -> Document:
    """The document of a report.

    Args:
        report: any of them.
        language: one of `holdfast.runtime.translation.LANGUAGES`.
    """
    tongue = Tongue(language, ZoneInfo(report.head.zone))
    app = report.head.app
    if isinstance(report, DailyReport):
        title = tongue.say(N_("{app}: backups of {day}"), app=app, day=tongue.bare(report.day.isoformat()))
        sections = _daily(report, tongue)
    elif isinstance(report, MonthlyReport):
        title = tongue.say(N_("{app}: backups of the month {month}"), app=app, month=tongue.bare(report.month))
        sections = _monthly(report, tongue)
    elif isinstance(report, YearlyReport):
        title = tongue.say(N_("{app}: restores of the year {year}"), app=app, year=tongue.number(report.year))
        sections = _yearly(report, tongue)
    else:
        title = tongue.say(N_("{app}: performance of the backup system"), app=app)
        sections = performance_sections(report, tongue)
    made = tongue.bare_moment(report.head.made_at)
    return Document(
        language=language,
        title=title,
        subtitle=_span(report.head, tongue),
        sections=tuple(sections),
        footer=tongue.say(N_("Made by Holdfast at {moment} ({zone})."), moment=made, zone=report.head.zone),
    )


def _daily(report: DailyReport, tongue: Tongue) -> list[Section]:
    note = tongue.say(N_("No backup was made on this day.")) if not report.counts.good else ""
    summary = (*count_figures(report.counts, tongue), *_bytes(report.content_bytes, report.stored_bytes, tongue))
    sections = [
        Section(title=tongue.say(N_("Summary")), note=note, figures=summary),
        Section(title=tongue.say(N_("Backups")), table=_runs(report.backups, tongue)),
    ]
    if report.others:
        sections.append(Section(title=tongue.say(N_("Other runs")), table=_runs(report.others, tongue)))
    return [*sections, kept_section(report.kept, tongue)]


def _monthly(report: MonthlyReport, tongue: Tongue) -> list[Section]:
    rate = Figure(label=tongue.say(N_("Success rate")), value=tongue.percent(report.success_rate))
    types = Table(
        header=_say(tongue, N_("Type"), N_("Runs"), N_("Done"), N_("Mean size"), N_("Mean time")),
        rows=tuple(
            (
                word(TYPES, each.type, tongue),
                tongue.number(each.counts.total),
                tongue.number(each.counts.good),
                tongue.size(each.average_bytes),
                tongue.duration(each.average_s),
            )
            for each in report.types
        ),
        right=frozenset({1, 2, 3, 4}),
    )
    causes = Table(
        header=_say(tongue, N_("Cause"), N_("Number")),
        rows=tuple((tongue.name(cause.code), tongue.number(cause.count)) for cause in report.causes),
        right=frozenset({1}),
    )
    figures = (*count_figures(report.counts, tongue), rate)
    sections = [
        Section(
            title=tongue.say(N_("Summary")),
            figures=(*figures, *_bytes(report.content_bytes, report.stored_bytes, tongue)),
            chart=day_chart(N_("Backups by day"), report.days, tongue),
        ),
        Section(
            title=tongue.say(N_("By type")),
            table=types if types.rows else None,
            chart=size_chart(N_("Stored by day"), report.days, tongue),
        ),
    ]
    if report.causes:
        sections.append(Section(title=tongue.say(N_("Why runs failed")), table=causes))
    return [*sections, kept_section(report.kept, tongue)]


def _yearly(report: YearlyReport, tongue: Tongue) -> list[Section]:
    unproved = N_("Nothing was restored or rehearsed: nothing proves that it works.")
    note = "" if report.last_good_at else tongue.say(unproved)
    rows = [
        (N_("Mean time"), tongue.duration(report.average_s)),
        (N_("Longest time"), tongue.duration(report.longest_s)),
        (N_("Last good one"), tongue.moment(report.last_good_at)),
    ]
    more = tuple(Figure(label=tongue.say(label), value=value) for label, value in rows)
    months = [(month.month, month.counts) for month in report.months]
    return [
        Section(
            title=tongue.say(N_("Summary")),
            note=note,
            figures=(*count_figures(report.counts, tongue), *more),
            chart=outcome_chart(N_("Restores by month"), months, tongue),
        ),
        Section(title=tongue.say(N_("Restores, rehearsals and downloads")), table=_runs(report.restores, tongue)),
    ]


def _runs(lines: Sequence[RunLine], tongue: Tongue) -> Table | None:
    if not lines:
        return None
    titles = (N_("Time"), N_("What"), N_("Type"), N_("Backup"), N_("State"), N_("Took"), N_("Stored"), N_("Reason"))
    return Table(
        header=_say(tongue, *titles),
        rows=tuple(
            (
                tongue.moment(line.at),
                word(OPERATIONS, line.operation, tongue),
                word(TYPES, line.type, tongue),
                tongue.name(line.backup_id),
                word(STATES, line.state, tongue),
                tongue.duration(line.duration_s),
                tongue.size(line.stored_bytes or None),
                error_sentence(line.code, line.reason, line.context, tongue.language) or "-",
            )
            for line in lines
        ),
        right=frozenset({5, 6}),
        bad=frozenset(number for number, line in enumerate(lines) if line.state not in _GOOD),
    )


def _bytes(content: int, stored: int, tongue: Tongue) -> tuple[Figure, ...]:
    return (
        Figure(label=tongue.say(N_("Read")), value=tongue.size(content)),
        Figure(label=tongue.say(N_("Stored")), value=tongue.size(stored)),
    )


def _span(head: Head, tongue: Tongue) -> str:
    since, until = tongue.bare_moment(head.since), tongue.bare_moment(head.until)
    return tongue.say(N_("From {since} to {until}"), since=since, until=until)


def _say(tongue: Tongue, *messages: str) -> tuple[str, ...]:
    return tuple(map(tongue.say, messages))
