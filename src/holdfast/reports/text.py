"""A document as plain text, for terminals and messages."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, east_asian_width

from holdfast.reports.document import Chart, Document, Section, Table

_BAR_CHARS = 40
_BLOCK = "█"


def as_text(document: Document) -> str:
    """The whole report, ending in a line break."""
    lines = [document.title, "=" * width(document.title), document.subtitle, ""]
    for section in document.sections:
        lines += [*_section(section), ""]
    return "\n".join([*lines, document.footer]) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield section.title
    yield "-" * width(section.title)
    if section.note:
        yield section.note
    label_width = max((width(figure.label) for figure in section.figures), default=0)
    for figure in section.figures:
        yield f"{figure.label}{' ' * (label_width - width(figure.label))}  {figure.value}"
    if section.chart is not None:
        yield from ["", *_chart(section.chart)]
    if section.table is not None:
        yield from (["", *_table(section.table)] if section.figures or section.chart else _table(section.table))


def _chart(chart: Chart) -> Iterator[str]:
    yield chart.title
    sums = [sum(values) for values in zip(*(series.values for series in chart.series), strict=True)]
    largest = max(sums, default=0.0) or 1.0
    label_width = max((width(label) for label in chart.labels), default=0)
    for label, value, total in zip(chart.labels, sums, chart.totals, strict=True):
        bar = _BLOCK * max(round(_BAR_CHARS * value / largest), 1 if value else 0)
        yield f"{label}{' ' * (label_width - width(label))}  {bar} {total}".rstrip()


def _table(table: Table) -> Iterator[str]:
    rows = [table.header, *table.rows]
    widths = [max(width(row[column]) for row in rows) for column in range(len(table.header))]
    for row in rows:
        cells = [
            " " * (widths[number] - width(cell)) + cell
            if number in table.right
            else cell + " " * (widths[number] - width(cell))
            for number, cell in enumerate(row)
        ]
        yield "  ".join(cells).rstrip()


def width(text: str) -> int:
    """Columns on a terminal: two for wide characters, none for combining ones and isolates."""
    return sum(0 if category(one) in ("Mn", "Me", "Cf") else 2 if east_asian_width(one) in "WF" else 1 for one in text)
