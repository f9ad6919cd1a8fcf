"""What `holdfast restore` prints: the plan before, the report after."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from holdfast.cli import values
from holdfast.cli.app_output import moment, sentence, warn_problems
from holdfast.cli.output import Printer, count

if TYPE_CHECKING:
    from holdfast.operations.reports import PlannedComponent, RestoredComponent, RestorePlan, RestoreReport


def print_plan(printer: Printer, plan: RestorePlan, zone: tzinfo) -> None:
    """What would be restored from where, what it replaces, and what is kept of that."""
    manifest = plan.backup.manifest
    printer.note(
        "Backup {backup} ({type}, {time}) from target {target}:",
        backup=plan.backup.backup_id,
        type=manifest.type.value,
        time=moment(manifest.created_at, zone),
        target=plan.backup.target,
    )
    for component in plan.components:
        _print_component(printer, component)
    for directory, needed in plan.needed_bytes.items():
        printer.detail(1, "Needed at {directory}: {size}", directory=directory, size=values.size(needed))
    for command in plan.before:
        printer.note("Before: {command}", command=command)
    for command in plan.after:
        printer.note("After: {command}", command=command)
    warn_problems(printer, plan.problems)


def _print_component(printer: Printer, planned: PlannedComponent) -> None:
    load = planned.load
    printer.note("  {source} -> {destination}", source=planned.source, destination=load.destination)
    if len(planned.chain) > 1:
        printer.note("    from {backups}", backups=", ".join(planned.chain))
    for name in load.replaces:
        printer.note("    replaces {name}", name=name)
    for name in load.safety_copies:
        printer.note("    which stays as {name}", name=name)


def print_report(printer: Printer, report: RestoreReport, options: str = "") -> None:
    """What is there now, and how to undo it.

    Args:
        options: what has to follow the name of the program in a command for the same application.
    """
    warn_problems(printer, report.problems)
    for component in report.components:
        _print_restored(printer, component, options)
    for name in report.not_reached:
        printer.warn("{source} was not reached", source=name)
    if report.failure is None:
        printer.say(
            "Restored backup {backup} in {duration}.",
            backup=report.backup_id,
            duration=values.duration(sum(report.seconds.values())),
        )


def _print_restored(printer: Printer, restored: RestoredComponent, options: str) -> None:
    if restored.error is not None:
        printer.warn("{source}: {detail}", source=restored.source, detail=sentence(restored.error))
    load = restored.load
    if load is None:
        return
    warn_problems(printer, load.problems, where=restored.source)
    if load.rows:
        tables = count(len(load.rows), "{count} table", "{count} tables")
        rows = count(sum(load.rows.values()), "{count} row", "{count} rows")
        printer.note("{source}: {tables}, {rows}", source=restored.source, tables=tables, rows=rows)
    elif load.file_count:
        files = count(load.file_count, "{count} file", "{count} files")
        size = values.size(load.content_bytes)
        printer.note("{source}: {files}, {size}", source=restored.source, files=files, size=size)
    for name in load.safety_copies:
        printer.note("{source}: what was there is kept as {name}", source=restored.source, name=name)
    if load.undo:
        ours, command = "holdfast ", load.undo
        undo = f"{ours}{options}{command.removeprefix(ours)}" if command.startswith(ours) else command
        printer.note("{source}: to undo: {undo}", source=restored.source, undo=undo)
