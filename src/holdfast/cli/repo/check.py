"""`holdfast repo check`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.text import N_, _
from holdfast.errors import ContradictoryOptions, DamageFound

if TYPE_CHECKING:
    from holdfast.repository.check.report import CheckReport, Finding
    from holdfast.repository.locks import RepositoryLock
    from holdfast.repository.repository import Repository

_HURTS_SHOWN = 5
_SUGGESTIONS = {
    "repair-index": N_("Run `holdfast repo repair index` to write an index of what is really there."),
    "repair-packs": N_("Run `holdfast repo repair packs` with the damaged packs to save what is whole in them."),
    "repair-snapshots": N_(
        "Back the same files up again, then run `holdfast repo repair snapshots --forget` to do without what is gone."
    ),
    "remove-key": N_("Add a new key, then remove the damaged one with `holdfast repo key remove`."),
    "prune": N_("Run `holdfast repo prune` to tidy up; it can wait."),
}


@repo_command("check", help="Check that the repository is whole.")
@click.option("--read-data", is_flag=True, help="Read all data and open every piece of it.")
@click.option("--read-data-subset", metavar="PART", help="Read a part of the data: 1/5, 2.5% or 500M.")
@click.option("--with-cache", is_flag=True, help="Accepted for compatibility: copies on this machine prove nothing.")
@click.pass_obj
def command(session: RepoSession, read_data: bool, read_data_subset: str | None, with_cache: bool) -> None:  # noqa: ARG001
    """Checks."""
    from holdfast.repository.check.report import CheckOptions
    from holdfast.repository.check.run import check
    from holdfast.repository.check.subset import parse

    if read_data and read_data_subset:
        raise ContradictoryOptions(first="--read-data", second="--read-data-subset")
    options = CheckOptions(read_data=read_data, subset=parse(read_data_subset) if read_data_subset else None)
    pool = session.workers()
    repository = session.open()
    with _lock(session, repository) as lock, session.listener() as listener:
        report = check(repository, lock, options, listener, session.cancel, pool)
    _print(session.printer, report)
    if not report.whole:
        raise DamageFound(url=repository.url, problems=report.problems)


def _lock(session: RepoSession, repository: Repository) -> AbstractContextManager[RepositoryLock | None]:
    return nullcontext() if session.options.no_lock else session.lock(repository, exclusive=True, confirm_later=True)


def _print(printer: Printer, report: CheckReport) -> None:
    for found in report.errors:
        _print_error(printer, found)
    for found in report.hints:
        _print_remark(printer, "hint", 0, found)
    for found in report.notes:
        _print_remark(printer, "note", 1, found)
    printer.message("summary", **_document(report))
    for snapshot in report.hurt_snapshots:
        printer.say("Snapshot {snapshot} cannot be restored whole.", snapshot=snapshot.hex()[:8])
    printer.note(
        "Checked in {duration}: snapshots {snapshots}, folders {trees}, packs {packs}.",
        snapshots=report.snapshots,
        trees=report.trees,
        packs=report.packs,
        duration=values.duration(report.duration_s),
    )
    if report.packs_read:
        printer.note("Packs read: {packs}, {size}.", packs=report.packs_read, size=values.size(report.bytes_read))
    if report.whole:
        printer.note("No damage was found.")
    for name in report.suggestions:
        printer.note(_SUGGESTIONS.get(name, name))


def _print_error(printer: Printer, found: Finding) -> None:
    hurts = [{"snapshot": hurt.snapshot.hex(), "path": hurt.path} for hurt in found.hurts]
    printer.message(
        "error", stream=printer.err, code=found.code, object=found.object, message=found.detail, hurts=hurts
    )
    printer.line(f"{printer.paint(_('Damage:'), 'red', printer.out)} {values.name(found.object)}: {_(found.detail)}")
    for hurt in found.hurts[:_HURTS_SHOWN]:
        printer.say("  hurts {path} in snapshot {snapshot}", path=hurt.path, snapshot=hurt.snapshot.hex()[:8])
    if len(found.hurts) > _HURTS_SHOWN:
        printer.say("  and others")


def _print_remark(printer: Printer, kind: str, level: int, found: Finding) -> None:
    if printer.json_output:
        printer.message(kind, stream=printer.err, code=found.code, object=found.object, message=found.detail)
    elif printer.verbosity >= level and not printer.quiet:
        printer.line(f"{values.name(found.object)}: {_(found.detail)}")


def _document(report: CheckReport) -> dict[str, Any]:
    return {
        "num_errors": report.problems,
        "broken_packs": [pack.hex() for pack in report.damaged_packs],
        "suggest_repair_index": "repair-index" in report.suggestions,
        "suggest_prune": "prune" in report.suggestions,
        "suggestions": list(report.suggestions),
        "hurt_snapshots": [snapshot.hex() for snapshot in report.hurt_snapshots],
        "num_hints": len(report.hints),
        "num_notes": len(report.notes),
        "snapshots": report.snapshots,
        "trees": report.trees,
        "packs": report.packs,
        "packs_read": report.packs_read,
        "blobs_read": report.blobs_read,
        "bytes_read": report.bytes_read,
        "total_duration": report.duration_s,
    }
