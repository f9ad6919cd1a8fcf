"""`holdfast audit …`: what was done, by whom, and whether the record of it is whole."""

from __future__ import annotations

import re

import click

from holdfast.cli.app_options import APP
from holdfast.cli.app_output import moment
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.commands import GLOBAL, Group
from holdfast.cli.output import count
from holdfast.cli.text import N_, _
from holdfast.cli.values import name
from holdfast.errors import AuditForged, Phrase, UsageError

_HEAD = re.compile(r"[0-9a-f]{64}\Z")

WHAT = {
    "edited": N_("an entry was changed or added"),
    "missing": N_("an entry is missing"),
    "reordered": N_("entries were moved"),
    "cut": N_("the end was cut off"),
}


@click.group("audit", cls=Group, sections=[APP, GLOBAL], help="Show who did what, and whether that record is whole.")
def audit() -> None:
    """Shared options have been applied already."""


@app_command("show", help="Show what was done, the newest first.")
@click.option(
    "--limit", type=click.IntRange(min=1, max=100_000), default=50, show_default=True, help="At most so many."
)
@pass_session
def show(session: AppSession, limit: int) -> None:
    """Prints entries."""
    from holdfast.app.catalog_of import open_app_catalog

    app, printer = session.app(), session.printer
    with open_app_catalog(app) as catalog:
        found = catalog.audit.entries(limit)
    printer.document({"entries": found})
    rows = [
        [
            str(entry.number),
            moment(entry.at, app.zone),
            name(entry.actor),
            name(entry.action),
            name(entry.subject),
            name(entry.outcome),
            name(entry.address),
        ]
        for entry in found
    ]
    titles = [_("No."), _("When"), _("Who"), _("What"), _("Subject"), _("Outcome"), _("From")]
    printer.table(titles, rows, right=(0,))
    printer.line(count(len(found), "{count} entry", "{count} entries"))


@app_command("verify", help="Check that no entry was changed, added, moved or removed.")
@click.option(
    "--head", metavar="HEX", default="", help="A head that was noted earlier; finds an older copy in its place."
)
@pass_session
def verify(session: AppSession, head: str) -> None:
    """Prints the head, to be noted elsewhere; the exit status is 4 if anything is wrong."""
    from holdfast.app.catalog_of import open_app_catalog

    if head and not _HEAD.match(head):
        raise UsageError(detail=Phrase("{text!r} is not a head: it has 64 digits and letters a-f", {"text": head}))
    with open_app_catalog(session.app()) as catalog:
        verdict = catalog.audit.verify(head)
    printer = session.printer
    printer.document({"whole": verdict.whole, "entries": verdict.entries, "head": verdict.head,
                      "first_bad": verdict.first_bad, "reason": verdict.reason})  # fmt: skip
    if not verdict.whole:
        raise AuditForged(what=Phrase(WHAT[verdict.reason], {}), number=verdict.first_bad)
    printer.note("Nothing was changed since it was written (entries: {count}). Head:", count=verdict.entries)
    printer.line(verdict.head)


for _command in (show, verify):
    audit.add_command(_command)
