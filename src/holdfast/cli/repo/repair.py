"""`holdfast repo repair index`, `packs` and `snapshots`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import Printer, count
from holdfast.cli.repo.command import repo_command, repo_group
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.names import find_name
from holdfast.cli.repo.session import RepoSession

if TYPE_CHECKING:
    from holdfast.model.ids import SnapshotId
    from holdfast.policy.selection import SnapshotFilter
    from holdfast.repository.repair.index import RepairIndexReport
    from holdfast.repository.repair.packs import RepairPacksReport
    from holdfast.repository.repair.snapshots import RepairedSnapshot, RepairSnapshotsReport
    from holdfast.repository.repository import Repository


@repo_group("repair", help="Mend a damaged index, packs or snapshots.")
def command() -> None:
    """What is new is stored before anything old is deleted."""


# --- index ---------------------------------------------------------------------------------------


@repo_command("index", help="Write an index of what is really there.")
@click.option("--read-all-packs", is_flag=True, help="Trust no index entry and read the header of every pack.")
@click.pass_obj
def index_command(session: RepoSession, read_all_packs: bool) -> None:
    """Repairs the index."""
    from holdfast.repository.repair.index import repair_index

    repository = session.open()
    with session.lock(repository, exclusive=True) as lock, session.listener() as listener:
        report = repair_index(repository, lock, read_all_packs, listener=listener, cancel=session.cancel)
    _print_index(session.printer, report)


def _print_index(printer: Printer, report: RepairIndexReport) -> None:
    printer.message(
        "summary",
        packs=report.packs,
        packs_read=report.packs_read,
        added=[pack.hex() for pack in report.added],
        corrected=[pack.hex() for pack in report.corrected],
        dropped=[pack.hex() for pack in report.dropped],
        unreadable=[pack.hex() for pack in report.unreadable],
        damaged_indexes=[name.hex() for name in report.damaged],
        indexes_written=report.indexes_written,
        indexes_removed=report.indexes_removed,
    )
    printer.note(
        "Packs: {packs} stored, {added} newly listed, {corrected} corrected, {dropped} dropped because they are gone.",
        packs=report.packs,
        added=len(report.added),
        corrected=len(report.corrected),
        dropped=len(report.dropped),
    )
    for pack in report.unreadable:
        printer.say("The header of pack {pack} cannot be read: repair this pack next.", pack=pack.hex())
    printer.note(
        "Index files: {written} written, {removed} removed.",
        written=report.indexes_written,
        removed=report.indexes_removed,
    )


# --- packs ---------------------------------------------------------------------------------------


@repo_command("packs", help="Save what is whole in damaged packs, then remove these packs.")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.pass_obj
def packs_command(session: RepoSession, ids: Sequence[str]) -> None:
    """Repairs packs."""
    from holdfast.model.ids import PackId
    from holdfast.protocols import FileKind
    from holdfast.repository.repair.packs import repair_packs

    repository = session.open()
    with session.lock(repository, exclusive=True) as lock, session.listener() as listener:
        wanted = [PackId(find_name(repository, FileKind.PACK, text)) for text in ids]
        session.printer.detail(1, "Packs are copied to {folder} before they are removed.", folder=str(Path.cwd()))
        report = repair_packs(repository, lock, wanted, Path.cwd(), listener=listener, cancel=session.cancel)
    _print_packs(session.printer, report)


def _print_packs(printer: Printer, report: RepairPacksReport) -> None:
    printer.message(
        "summary",
        saved_blobs=report.saved,
        lost_blobs=[
            {"type": lost.type.label, "id": lost.id.hex(), "pack": lost.pack.hex(), "elsewhere": lost.elsewhere}
            for lost in report.lost
        ],
        packs_removed=report.packs_removed,
        copies=[str(copy) for copy in report.copies],
    )
    for lost in report.lost:
        kind, name = lost.type.label, lost.id.hex()
        if lost.elsewhere:
            printer.note("The {kind} blob {blob} was lost here; another pack has it.", kind=kind, blob=name)
        else:
            printer.say("The {kind} blob {blob} is lost.", kind=kind, blob=name)
    for copy in report.copies:
        printer.note("The damaged pack was kept as {file}.", file=str(copy))
    printer.note("Blobs saved: {saved}. Packs removed: {packs}.", saved=report.saved, packs=report.packs_removed)
    if any(not lost.elsewhere for lost in report.lost):
        printer.note("Back the same files up again, then run `holdfast repo repair snapshots --forget`.")


# --- snapshots -----------------------------------------------------------------------------------


@repo_command("snapshots", help="Write damaged snapshots anew without what is gone.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--forget", is_flag=True, help="Remove the damaged snapshots after writing new ones.")
@filter_options
@click.pass_obj
def snapshots_command(
    session: RepoSession,
    ids: Sequence[str],
    dry_run: bool,
    forget: bool,
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
) -> None:
    """Repairs snapshots."""
    from holdfast.repository.repair.snapshots import repair_snapshots

    repository = session.open()
    with session.lock(repository, exclusive=not dry_run) as lock, session.listener() as listener:
        wanted = _chosen(repository, ids, snapshot_filter(host, tag, path))
        report = repair_snapshots(repository, lock, wanted, forget, dry_run, listener=listener, cancel=session.cancel)
    _print_snapshots(session.printer, report)


def _chosen(repository: Repository, ids: Sequence[str], wanted: SnapshotFilter) -> list[SnapshotId] | None:
    """None for all of them, those included that cannot be read."""
    from holdfast.policy.selection import EVERYTHING
    from holdfast.repository.resolve import select_snapshots

    if not ids and wanted == EVERYTHING:
        return None
    return [snapshot.id for snapshot in select_snapshots(repository, ids, wanted) if snapshot.id is not None]


def _print_snapshots(printer: Printer, report: RepairSnapshotsReport) -> None:
    for repaired in report.repaired:
        _print_repaired(printer, repaired, dry_run=report.dry_run)
    for snapshot in report.unreadable:
        printer.say("Snapshot {snapshot} is no snapshot any more.", snapshot=snapshot.hex()[:8])
    printer.message(
        "summary",
        dry_run=report.dry_run,
        whole=report.whole,
        repaired=len(report.repaired),
        unreadable=[snapshot.hex() for snapshot in report.unreadable],
        removed=[snapshot.hex() for snapshot in report.removed],
    )
    if printer.quiet:
        return
    number = len(report.repaired)
    if report.dry_run:
        printer.line(count(number, "{count} snapshot would be repaired.", "{count} snapshots would be repaired."))
    else:
        printer.line(count(number, "{count} snapshot was repaired.", "{count} snapshots were repaired."))
    if report.removed:
        printer.line(count(len(report.removed), "{count} snapshot was removed.", "{count} snapshots were removed."))


def _print_repaired(printer: Printer, repaired: RepairedSnapshot, *, dry_run: bool) -> None:
    printer.message(
        "changed",
        old_snapshot_id=repaired.id.hex(),
        new_snapshot_id=repaired.new.hex() if repaired.new else "",
        changes_total=repaired.changes_total,
        changes=[{"path": change.path, "code": change.code, "message": change.detail} for change in repaired.changes],
    )
    old = repaired.id.hex()[:8]
    for change in repaired.changes:
        printer.say("  {path}: {detail}", path=change.path, detail=change.detail)
    if repaired.new is not None:
        new = repaired.new.hex()[:8]
        printer.note(
            "Snapshot {snapshot} was saved as {new}. Changes: {count}.",
            snapshot=old,
            new=new,
            count=repaired.changes_total,
        )
    elif dry_run:
        printer.note(
            "Snapshot {snapshot} would be saved again. Changes: {count}.", snapshot=old, count=repaired.changes_total
        )
    else:
        printer.note("Nothing of snapshot {snapshot} can be saved.", snapshot=old)


for _sub_command in (index_command, packs_command, snapshots_command):
    command.add_command(_sub_command)
