"""`holdfast catalog …`: the catalog itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.app_options import APP
from holdfast.cli.app_output import warn_copies
from holdfast.cli.app_session import AppSession, app_command, pass_session
from holdfast.cli.commands import GLOBAL, Group
from holdfast.cli.values import name
from holdfast.errors import CatalogDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from holdfast.app import App
    from holdfast.catalog import Rebuilt
    from holdfast.model.backup import StoredBackup

    Listings = Mapping[str, Sequence[StoredBackup]]


@click.group("catalog", cls=Group, sections=[APP, GLOBAL], help="Look after the catalog of runs, tokens and settings.")
def catalog() -> None:
    """Shared options have been applied already."""


@app_command("rebuild", help="Make the catalog again from what the targets keep.")
@pass_session
def rebuild_catalog(session: AppSession) -> None:
    """Lists all targets. What the catalog knows besides stays; a damaged file is put aside, not deleted."""
    from holdfast.operations.choice import chosen_targets, stored_backups
    from holdfast.operations.list_backups import first_error

    printer = session.printer
    with session.working(statuses=False) as context:
        at = context.now()
        found, unreachable = stored_backups(chosen_targets(context, ()))
    made, place, aside = _made(session.app(), found, at)
    put_aside = None if aside is None else str(aside)
    printer.document({"place": place, "copies": made.copies, "runs": made.runs, "put_aside": put_aside})
    if aside is not None:
        printer.warn("the catalog was damaged and is now {path}; make new tokens", path=name(str(aside)))
    warn_copies(printer, unreachable)
    printer.note("Copies known: {copies}. Runs added: {runs}.", copies=made.copies, runs=made.runs)
    session.finish(first_error(unreachable))


def _made(app: App, found: Listings, at: datetime) -> tuple[Rebuilt, str, Path | None]:
    """What was brought back, where, and where a damaged file was put to make room for it."""
    from holdfast.app.catalog_of import local_path
    from holdfast.catalog.private_file import put_aside

    try:
        return (*_rebuilt(app, found, at), None)
    except CatalogDamaged:
        path = local_path(app.config)
        if path is None:
            raise
    aside = put_aside(path, at)
    return (*_rebuilt(app, found, at), aside)


def _rebuilt(app: App, found: Listings, at: datetime) -> tuple[Rebuilt, str]:
    from holdfast.app.catalog_of import open_app_catalog
    from holdfast.runtime.host import local_actor

    with open_app_catalog(app) as opened:
        # Only now: opening says what to install where its libraries are missing.
        from holdfast.catalog import rebuild

        opened.require_whole()
        made = rebuild(opened, app.name, found, at)
        detail = {"copies": str(made.copies), "runs": str(made.runs)}
        opened.audit.append(at, local_actor(), "catalog.rebuild", detail=detail)
        return made, opened.place


catalog.add_command(rebuild_catalog)
