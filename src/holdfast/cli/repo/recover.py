"""`holdfast repo recover`."""

from __future__ import annotations

import click

from holdfast.cli.output import count
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession


@repo_command("recover", help="Make a snapshot of data that no snapshot holds.")
@click.pass_obj
def command(session: RepoSession) -> None:
    """Recovers."""
    from holdfast.repository.recover import recover

    repository = session.open()
    with session.lock(repository, exclusive=True) as lock, session.listener() as listener:
        report = recover(repository, lock, listener=listener, cancel=session.cancel)
    printer = session.printer
    printer.message(
        "summary",
        snapshot_id=report.snapshot.hex() if report.snapshot else "",
        roots=[root.hex() for root in report.roots],
        trees=report.trees,
        unreadable=report.unreadable,
    )
    if not printer.quiet:
        found = len(report.roots)
        printer.line(count(found, "{count} folder is in no snapshot.", "{count} folders are in no snapshot."))
    if report.snapshot is None:
        printer.note("Nothing was lost, so no snapshot was made.")
    else:
        printer.note("Saved snapshot {snapshot}.", snapshot=report.snapshot.hex()[:8])
