"""`holdfast report …`: what was done, and how well."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.app_options import APP
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.commands import GLOBAL, Group
from holdfast.errors import InvalidTime, ReportNotWritten

if TYPE_CHECKING:
    from holdfast.reports.agenda import Task

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})\Z")


@click.group("report", cls=Group, sections=[APP, GLOBAL], help="Report on backups, restores and the backup system.")
def report() -> None:
    """Shared options have been applied already."""


def _form_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every report."""
    form = click.option(
        "--format", "form", type=click.Choice(("text", "json", "html")), help="Form of the report; by default text."
    )
    output = click.option("-o", "--output", metavar="FILE", help="Write it into this file.")
    return form(output(function))


@app_command("daily", help="Report on the backups of a day.")
@click.option("--day", metavar="DATE", help="The day, such as 2026-01-31; by default today.")
@_form_options
@pass_session
def daily(session: AppSession, day: str | None, form: str | None, output: str | None) -> None:
    """Prints or writes the report."""
    from holdfast.reports.agenda import Kind, Task

    _print(session, Task(kind=Kind.DAILY, day=_day(day) if day else _today(session)), form, output)


@app_command("monthly", help="Report on the backups of a month in numbers.")
@click.option("--month", metavar="MONTH", help="The month, such as 2026-01; by default this one.")
@_form_options
@pass_session
def monthly(session: AppSession, month: str | None, form: str | None, output: str | None) -> None:
    """Prints or writes the report."""
    from holdfast.reports.agenda import Kind, Task

    _print(session, Task(kind=Kind.MONTHLY, day=_month(month) if month else _today(session)), form, output)


@app_command("yearly", help="Report on the restores of a year.")
@click.option("--year", type=click.IntRange(1970, 9998), metavar="YEAR", help="The year; by default this one.")
@_form_options
@pass_session
def yearly(session: AppSession, year: int | None, form: str | None, output: str | None) -> None:
    """Prints or writes the report."""
    from holdfast.reports.agenda import Kind, Task

    _print(session, Task(kind=Kind.YEARLY, day=date(year, 1, 1) if year else _today(session)), form, output)


@app_command("performance", help="Report on how the backup system itself performs.")
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How many days to look back.")
@_form_options
@pass_session
def performance(session: AppSession, days: int, form: str | None, output: str | None) -> None:
    """Prints or writes the report."""
    from datetime import timedelta

    from holdfast.reports.agenda import Kind, Task

    tomorrow = _today(session) + timedelta(days=1)
    _print(session, Task(kind=Kind.PERFORMANCE, day=tomorrow, days=days), form, output)


def _print(session: AppSession, task: Task, form: str | None, output: str | None) -> None:
    from holdfast.app.catalog_of import open_app_catalog
    from holdfast.cli.text import current_language
    from holdfast.reports import rendered
    from holdfast.service.reporting import report_of

    app, printer = session.app(), session.printer
    with open_app_catalog(app) as catalog:
        made = report_of(app, catalog, task)
    chosen = form or ("json" if printer.json_output else "text")
    language = current_language()
    content = rendered(made, "html" if chosen == "html" else "json" if chosen == "json" else "text", language)
    if output is None:
        printer.raw(content.encode())
        return
    try:
        _written(output, content.encode())
    except OSError as error:
        raise ReportNotWritten(path=output, reason=error.strerror or str(error)) from error
    printer.document({"path": output})
    printer.note("The report is in {path}.", path=output)


def _written(path: str, content: bytes) -> None:
    """Puts a whole file in place; it may name backups and machines, so that it is for its owner alone."""
    folder = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".report-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            # DURABILITY: the name must not stand for less than the report.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _today(session: AppSession) -> date:
    app = session.app()
    return app.context.now().astimezone(app.zone).date()


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise InvalidTime(text=text) from None


def _month(text: str) -> date:
    found = _MONTH.match(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1 <= int(found[1]) <= 9998:
        raise InvalidTime(text=text)
    return date(int(found[1]), int(found[2]), 1)


for each in (daily, monthly, yearly, performance):
    report.add_command(each)
