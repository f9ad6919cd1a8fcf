"""`holdfast repo forget`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import count
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import long_filter_options, snapshot_filter
from holdfast.cli.repo.forget_options import keep_options, read_policy
from holdfast.cli.repo.prune_options import prune_options, read_prune_options
from holdfast.cli.repo.prune_output import print_prune
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.repo.snapshot_json import snapshot_document
from holdfast.cli.repo.snapshot_table import describe, print_table
from holdfast.errors import RemovalIncomplete

if TYPE_CHECKING:
    from holdfast.repository.forget import ForgetGroup, ForgetPlan, ForgetReport
    from holdfast.repository.locks import RepositoryLock
    from holdfast.repository.prune.options import PruneOptions
    from holdfast.repository.repository import Repository


@repo_command("forget", help="Remove snapshots that a policy does not keep.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@keep_options
@long_filter_options
@click.option("-g", "--group-by", default="host,paths", metavar="GROUP", help="Apply the policy to each group alone.")
@click.option("-c", "--compact", is_flag=True, help="Leave out the size and further paths.")
@click.option("--prune", "then_prune", is_flag=True, help="Remove data that is not needed any more, too.")
@prune_options
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.pass_obj
def command(session: RepoSession, /, ids: Sequence[str], **given: Any) -> None:
    """Forgets snapshots."""
    from holdfast.repository.forget import forget

    dry_run = bool(given["dry_run"])
    how_to_prune = read_prune_options(session, given)
    repository = session.open()
    failed = 0
    with session.lock(repository, exclusive=not dry_run) as lock:
        plan = _plan(session, repository, ids, given)
        session.printer.document([_group_document(group) for group in plan.groups])
        for group in plan.groups:
            _print_group(session, group, named=bool(ids), compact=given["compact"])
        if dry_run:
            _say_what_would_go(session, plan)
        else:
            with session.listener(statuses=False) as listener:
                report = forget(repository, lock, plan, listener=listener, cancel=session.cancel)
            _print_report(session, report)
            failed = len(report.failed)
        if given["then_prune"] and plan.remove:
            failed += _prune(session, repository, lock, plan, how_to_prune)
    if failed:
        raise RemovalIncomplete(count=failed, url=repository.url)


def _plan(session: RepoSession, repository: Repository, ids: Sequence[str], given: dict[str, Any]) -> ForgetPlan:
    from holdfast.policy import grouping
    from holdfast.repository.forget import ForgetOptions, plan_by_name, plan_by_policy
    from holdfast.repository.resolve import select_snapshots
    from holdfast.repository.snapshots import load_snapshots

    wanted = snapshot_filter(given["host"], given["tag"], given["path"])
    with session.listener(statuses=False) as listener:
        if ids:
            return plan_by_name(select_snapshots(repository, ids, wanted, listener))
        options = ForgetOptions(
            policy=read_policy(given),
            chosen=wanted,
            group_by=grouping.parse(given["group_by"]),
            unsafe_allow_remove_all=given["unsafe_allow_remove_all"],
        )
        return plan_by_policy(load_snapshots(repository, listener), options, now=repository.clock.now())


def _prune(
    session: RepoSession, repository: Repository, lock: RepositoryLock, plan: ForgetPlan, options: PruneOptions
) -> int:
    """Prunes under the same lock. Returns how many packs could not be deleted."""
    from holdfast.repository.prune.run import prune

    gone = [snapshot.id for snapshot in plan.remove if snapshot.id is not None] if options.dry_run else []
    with session.index(repository) as index, session.listener(statuses=False) as listener:
        report = prune(
            repository, index, lock, options, ignoring=frozenset(gone), listener=listener, cancel=session.cancel
        )
    print_prune(session.printer, report, stream=session.printer.err)
    return len(report.failed)


# --- printing ------------------------------------------------------------------------------------


def _print_group(session: RepoSession, group: ForgetGroup, *, named: bool, compact: bool) -> None:
    printer = session.printer
    if printer.quiet:
        return
    if not named:
        printer.say("Snapshots of {group}:", group=describe(group.key))
    if group.keep:
        printer.line(count(len(group.keep), "Keep {count} snapshot:", "Keep {count} snapshots:"))
        reasons = {bytes(kept.snapshot.id): kept.reasons for kept in group.keep if kept.snapshot.id is not None}
        print_table(printer, [kept.snapshot for kept in group.keep], compact=compact, reasons=reasons)
    if group.remove:
        printer.line(count(len(group.remove), "Remove {count} snapshot:", "Remove {count} snapshots:"))
        print_table(printer, group.remove, compact=compact)


def _say_what_would_go(session: RepoSession, plan: ForgetPlan) -> None:
    number = len(plan.remove)
    if not session.printer.quiet:
        session.printer.line(count(number, "{count} snapshot would be removed.", "{count} snapshots would be removed."))


def _print_report(session: RepoSession, report: ForgetReport) -> None:
    number = len(report.removed)
    if not session.printer.quiet:
        session.printer.line(count(number, "{count} snapshot was removed.", "{count} snapshots were removed."))


def _group_document(group: ForgetGroup) -> dict[str, object]:
    return {
        "tags": list(group.key.tags),
        "host": group.key.hostname,
        "paths": list(group.key.paths),
        "keep": [snapshot_document(kept.snapshot) for kept in group.keep],
        "remove": [snapshot_document(snapshot) for snapshot in group.remove],
        "reasons": [
            {"snapshot": snapshot_document(kept.snapshot), "matches": list(kept.reasons)} for kept in group.keep
        ],
    }
