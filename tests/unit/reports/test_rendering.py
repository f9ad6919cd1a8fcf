"""Reports as text and as pages: whole, safe, in four languages, and needing nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import msgspec
import pytest

from holdfast.reports import Report, daily, monthly, performance, rendered, yearly
from holdfast.reports.periods import last_days
from holdfast.reports.text import width
from holdfast.runtime.translation import LANGUAGES
from unit.reports.material_kit import EVIL, NOW, copy, failed, material, run

VOID = {"meta", "br", "hr", "img", "link", "input"}
DISTURBING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]")
DAYS = [datetime(2026, 5, number, 2, 0, tzinfo=UTC) for number in range(1, 20)]


def _reports(*, evil: str = "") -> list[Report]:
    names = {"policy": evil, "type": evil, "actor": evil, "backup_id": evil} if evil else {}
    runs = [run(day, **names) for day in DAYS] + [
        failed(day + timedelta(hours=1), evil or "it broke") for day in DAYS[:3]
    ]
    runs.append(run(DAYS[3] + timedelta(hours=2), operation=evil or "restore", seconds={evil or "files": 1.0}))
    runs.append(run(DAYS[4] + timedelta(hours=2), operation="restore", **names))
    app = evil or "shop"
    free: dict[str, int | None] = {evil or "local": 1 << 40}
    given = material(
        *(msgspec.structs.replace(each, app=app) for each in runs), app=app, copies=[copy(DAYS[0])], free_bytes=free,
        zone=ZoneInfo("Asia/Tehran"),
    )  # fmt: skip
    return [
        daily(given, date(2026, 5, 3)),
        monthly(given, 2026, 5),
        yearly(given, 2026),
        performance(given, last_days(30, NOW, given.zone)),
    ]


REPORTS = _reports()
NAMES = ["daily", "monthly", "yearly", "performance"]


class Page(HTMLParser):
    """Reads a page as strictly as it can: every element is closed by its own end."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        assert len({name for name, _value in attrs}) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_page_is_whole_and_needs_nothing_else(report: Report, language: str) -> None:
    text = rendered(report, "html", language)
    page = Page(text)
    assert page.open == []
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "p", "section", "h2", "dl", "div",
        "dt", "dd", "figure", "figcaption", "svg", "g", "line", "rect", "text", "table", "thead", "tbody", "tr", "th",
        "td",
        "footer",
    }  # fmt: skip
    names = {name for _tag, name, _value in page.attributes}
    assert not [name for name in names if name in ("style", "src", "href") or name.startswith("on")]
    assert ("html", "lang", language) in page.attributes
    assert ("html", "dir", "rtl" if language == "fa" else "ltr") in page.attributes
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)


def test_policy_of_the_page_lets_only_its_own_style_apply() -> None:
    text = rendered(REPORTS[0], "html", "en")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [
        value for tag, name, value in Page(text).attributes if (tag, name) == ("meta", "content") and ";" in value
    ]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("number", range(4), ids=NAMES)
def test_names_stay_names(number: int, language: str) -> None:
    report = _reports(evil=EVIL)[number]
    page = Page(rendered(report, "html", language))
    assert page.open == []
    assert "script" not in page.tags
    assert "alert('x')" in "".join(page.texts)
    for text in (rendered(report, "text", language), "".join(page.texts)):
        assert not DISTURBING.search(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_text_has_every_number(report: Report, language: str) -> None:
    text = rendered(report, "text", language)
    assert "{" not in text
    assert "shop" in text
    assert not DISTURBING.search(text)


def test_persian_numbers_are_persian_and_names_are_not() -> None:
    text = rendered(daily(material(run(DAYS[2], policy="p1")), date(2026, 5, 3)), "text", "fa")
    assert "۲۰۲۶-۰۵-۰۳" in text
    assert "backup_2026_05_03_02_00_00" in text


def test_moments_are_those_of_the_zone() -> None:
    assert "2026-05-03 05:30" in rendered(REPORTS[0], "text", "en")


@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_json_is_the_data_and_comes_back(report: Report) -> None:
    text = rendered(report, "json", "fa")
    assert json.loads(text)["report"] in NAMES
    assert msgspec.json.decode(text, type=type(report)) == report


@pytest.mark.parametrize("form", ["text", "html"])
def test_report_on_nothing_can_be_read(form: str) -> None:
    empty = material()
    for report in (daily(empty, date(2026, 5, 3)), monthly(empty, 2026, 5), yearly(empty, 2026)):
        assert rendered(report, form, "en")  # type: ignore[arg-type]
    assert "Nothing was restored" in rendered(yearly(empty, 2026), "text", "en")
    assert "No backup was made" in rendered(daily(empty, date(2026, 5, 3)), "text", "en")
    assert rendered(performance(empty, last_days(30, NOW, UTC)), form, "en")  # type: ignore[arg-type]


def test_columns_of_tables_line_up() -> None:
    lines = rendered(REPORTS[3], "text", "en").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Stage"))
    ends = {width(line) for line in lines[start : start + 4]}
    assert len(ends) == 1
