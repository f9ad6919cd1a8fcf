"""Reports: the backups of a day, of a month in numbers, the restores of a year, and how the system itself performs.

From runs and what targets keep (`Material`) to data (`daily`, `monthly`, `yearly`, `performance`), and from data to
text or a page in a language (`rendered`). Nothing here asks a catalog or a target.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.reports.figures import DailyReport, MonthlyReport, PerformanceReport, Report, YearlyReport
from holdfast.reports.history import daily, monthly, yearly
from holdfast.reports.material import Material
from holdfast.reports.page import as_page
from holdfast.reports.performance import performance
from holdfast.reports.telling import told
from holdfast.reports.text import as_text

__all__ = [
    "DailyReport",
    "Form",
    "Material",
    "MonthlyReport",
    "PerformanceReport",
    "Report",
    "YearlyReport",
    "daily",
    "monthly",
    "performance",
    "rendered",
    "yearly",
]

Form = Literal["text", "json", "html"]


def rendered(report: Report, form: Form, language: str) -> str:
    """A report as text, as a JSON document on one line, or as a page. JSON is the same in every language."""
    if form == "json":
        return msgspec.json.encode(report).decode() + "\n"
    document = told(report, language)
    return as_page(document) if form == "html" else as_text(document)
