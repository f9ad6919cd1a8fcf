"""A document as one page of HTML that needs nothing else: no script, no font, no picture, no server.

SAFETY: the page says so itself, in a content security policy that lets nothing be loaded and only its own style apply;
there is no `style` attribute in it. Every text is escaped, whatever it is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape

from holdfast.reports.document import Chart, Document, Section, Table
from holdfast.runtime.translation import RIGHT_TO_LEFT

_STYLE = """
:root{--ink:#1c2430;--dim:#5b6675;--line:#d9dfe7;--paper:#fff;--back:#f4f6f9;--good:#2f8f5b;--bad:#c4473a;--plain:#3b72b0}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa6b6;--line:#333d4b;--paper:#1a212b;--back:#11161d;
--good:#4fb27d;--bad:#e0705f;--plain:#6d9fd8}}
body{margin:0;background:var(--back);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",Tahoma,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:0 0 .75rem}
.sub,footer{color:var(--dim);font-size:.9rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:.5rem;
padding:1rem;margin:1rem 0;overflow-x:auto}
.note{border-inline-start:.25rem solid var(--bad);padding-inline-start:.75rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.75rem;margin:0 0 .5rem}
dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.35rem .5rem;text-align:start;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600}.end{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.bad td{color:var(--bad)}
figure{margin:.5rem 0 1rem}figcaption{color:var(--dim);font-size:.85rem;margin-bottom:.25rem}
svg{width:100%;height:auto;display:block}.good{fill:var(--good)}.bad-bar{fill:var(--bad)}.plain{fill:var(--plain)}
svg text{fill:var(--dim);font-size:11px}.axis{stroke:var(--line)}
.key{display:inline-block;width:.7rem;height:.7rem;margin-inline:.75rem .35rem}.key rect{width:100%;height:100%}
@media print{body{background:#fff}section{break-inside:avoid}}
"""
_TONES = {"good": "good", "bad": "bad-bar", "plain": "plain"}
_WIDE, _HIGH, _BASE, _GAP = 720.0, 190.0, 160.0, 0.2
_LABELS = 8


def as_page(document: Document) -> str:
    """The whole page."""
    direction = "rtl" if document.language in RIGHT_TO_LEFT else "ltr"
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{document.language}" dir="{direction}">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_text(document.title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f'<header><h1>{_text(document.title)}</h1><p class="sub">{_text(document.subtitle)}</p></header>',
            *(line for section in document.sections for line in _section(section)),
            f"<footer>{_text(document.footer)}</footer>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _text(text: str) -> str:
    return escape(text, quote=True)


def _section(section: Section) -> Iterator[str]:
    yield "<section>"
    yield f"<h2>{_text(section.title)}</h2>"
    if section.note:
        yield f'<p class="note">{_text(section.note)}</p>'
    if section.figures:
        yield "<dl>"
        for figure in section.figures:
            yield f"<div><dt>{_text(figure.label)}</dt><dd>{_text(figure.value)}</dd></div>"
        yield "</dl>"
    if section.chart is not None:
        yield from _chart(section.chart)
    if section.table is not None:
        yield from _table(section.table)
    yield "</section>"


def _table(table: Table) -> Iterator[str]:
    def cell(kind: str, number: int, text: str) -> str:
        name = ' class="end"' if number in table.right else ""
        scope = ' scope="col"' if kind == "th" else ""
        return f"<{kind}{scope}{name}>{_text(text)}</{kind}>"

    yield "<table>"
    yield f"<thead><tr>{''.join(cell('th', number, text) for number, text in enumerate(table.header))}</tr></thead>"
    yield "<tbody>"
    for row_number, row in enumerate(table.rows):
        name = ' class="bad"' if row_number in table.bad else ""
        yield f"<tr{name}>{''.join(cell('td', number, text) for number, text in enumerate(row))}</tr>"
    yield "</tbody>"
    yield "</table>"


def _chart(chart: Chart) -> Iterator[str]:
    """Columns go from left to right in every language, as time on a chart does; a reader gets each as a sentence."""
    sums = [sum(values) for values in zip(*(series.values for series in chart.series), strict=True)]
    largest = max(sums, default=0.0) or 1.0
    step = _WIDE / max(1, len(chart.labels))
    every = max(1, -(-len(chart.labels) // _LABELS))
    yield "<figure>"
    yield f"<figcaption>{_text(chart.title)}{_legend(chart)}</figcaption>"
    yield f'<svg viewBox="0 0 {_WIDE:.0f} {_HIGH:.0f}" role="img" aria-label="{_text(chart.title)}" direction="ltr">'
    yield f'<line class="axis" x1="0" y1="{_BASE:.0f}" x2="{_WIDE:.0f}" y2="{_BASE:.0f}"/>'
    for number, label in enumerate(chart.labels):
        x, top = number * step + step * _GAP / 2, _BASE
        yield f"<g><title>{_text(label)}: {_text(chart.totals[number])}</title>"
        for series in chart.series:
            height = (_BASE - 20) * series.values[number] / largest
            if height > 0:
                top -= height
                size = f'width="{step * (1 - _GAP):.2f}" height="{height:.2f}"'
                yield f'<rect class="{_TONES[series.tone]}" x="{x:.2f}" y="{top:.2f}" {size}/>'
        yield "</g>"
        if number % every == 0:
            place = f'x="{(number + 0.5) * step:.2f}" y="{_BASE + 16:.0f}" text-anchor="middle"'
            yield f"<text {place}>{_text(label)}</text>"
    yield f'<text x="0" y="12">{_text(_peak(chart, sums))}</text>'
    yield "</svg>"
    yield "</figure>"


def _legend(chart: Chart) -> str:
    if len(chart.series) < 2:
        return ""
    box = ' <svg class="key" viewBox="0 0 1 1" aria-hidden="true"><rect class="{}" width="1" height="1"/></svg>'
    return "".join(box.format(_TONES[series.tone]) + _text(series.name) for series in chart.series)


def _peak(chart: Chart, sums: Sequence[float]) -> str:
    """What the highest column comes to: the only mark of scale that a chart of columns needs."""
    return chart.totals[max(range(len(sums)), key=lambda number: sums[number])] if sums else ""
