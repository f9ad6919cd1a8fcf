"""`holdfast show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli import values
from holdfast.cli.app_output import moment, state, warn_problems
from holdfast.cli.app_session import AppSession, app_command, pass_session, target_option
from holdfast.cli.text import _

if TYPE_CHECKING:
    from datetime import tzinfo

    from holdfast.cli.output import Printer
    from holdfast.model.backup import StoredBackup
    from holdfast.model.component import Component


@app_command("show", help="Show one backup, its components and its copies.")
@click.argument("what", metavar="ID|PATH|latest")
@target_option
@pass_session
def command(session: AppSession, what: str, targets: tuple[str, ...]) -> None:
    """Shows."""
    from holdfast.operations.reports import plain
    from holdfast.operations.requests import ShowRequest
    from holdfast.operations.show import show_backup

    with session.working(statuses=False) as context:
        backup = show_backup(context, ShowRequest(what=what, targets=targets))
    printer, zone = session.printer, session.app().zone
    printer.document(plain(backup))
    printer.say("Backup:  {backup}", backup=backup.backup_id)
    printer.say("Type:    {type}", type=backup.type.value)
    printer.say("Created: {time}", time=moment(backup.created_at, zone))
    printer.say("Outcome: {outcome}", outcome=backup.outcome.value)
    for copy in backup.copies:
        printer.line()
        _print_copy(printer, copy, zone)


def _print_copy(printer: Printer, copy: StoredBackup, zone: tzinfo) -> None:
    manifest, marks = copy.manifest, copy.marks
    printer.say("Copy in {target}: {location}", target=copy.target, location=copy.location)
    printer.say("Size: {size}", size=values.size(manifest.total_size))
    if manifest.base_id:
        printer.say("Builds on: {backup}", backup=manifest.base_id)
    if manifest.since is not None:
        printer.say("Changes since: {time}", time=moment(manifest.since, zone))
    if marks.held:
        printer.say("Held: {why}", why=marks.hold_reason)
    if marks.damaged_at is not None:
        printer.say("Damaged, found {time}: {detail}", time=moment(marks.damaged_at, zone), detail=marks.damage)
    elif marks.verified_at is not None:
        printer.say("Verified: {time}", time=moment(marks.verified_at, zone))
    elif marks.checked_at is not None:
        printer.say("Checked by checksum only, not opened: {time}", time=moment(marks.checked_at, zone))
    elif words := state([copy]):
        printer.say("State: {words}", words=words)
    header = [_("Component"), _("Kind"), _("Form"), _("Files"), _("Rows"), _("Size"), _("Content SHA-256")]
    printer.table(header, [_row(component) for component in manifest.components.values()], right=(3, 4, 5))
    for component in manifest.components.values():
        for file in component.files:
            if file.purpose == "content":
                printer.say("{digest}  {name}", digest=file.sha256, name=file.name)
        warn_problems(printer, component.problems, where=component.name)


def _row(component: Component) -> list[str]:
    return [
        values.name(component.name),
        values.name(component.kind),
        component.form.value,
        str(component.file_count),
        str(sum(component.rows.values())) if component.rows else "-",
        values.size(component.content_bytes),
        component.content_sha256[:16] or "-",
    ]
