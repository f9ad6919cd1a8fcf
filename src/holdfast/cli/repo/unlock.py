"""`holdfast repo unlock`."""

from __future__ import annotations

import click

from holdfast.cli.output import count
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession


@repo_command("unlock", help="Remove locks of processes that are gone.")
@click.option("--remove-all", is_flag=True, help="Remove all locks, those of living processes too.")
@click.pass_obj
def command(session: RepoSession, remove_all: bool) -> None:
    """Removes locks."""
    from holdfast.repository.lock_files import describe
    from holdfast.repository.locks import unlock

    report = unlock(session.open(), remove_all)
    printer = session.printer
    printer.message(
        "summary", removed_locks=len(report.removed), kept_locks=len(report.kept), unreadable_locks=report.unreadable
    )
    for found in report.removed:
        holder = describe(found.lock) if found.lock is not None else found.problem
        printer.detail(1, "Removed lock {lock} of {holder}.", lock=found.id.hex()[:8], holder=holder)
    for found in report.kept:
        assert found.lock is not None
        printer.note("Lock {lock} of {holder} is in use.", lock=found.id.hex()[:8], holder=describe(found.lock))
    if not printer.quiet:
        printer.line(count(len(report.removed), "{count} lock was removed.", "{count} locks were removed."))
