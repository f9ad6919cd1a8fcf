"""`holdfast repo prune`."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.prune_options import prune_options, read_prune_options
from holdfast.cli.repo.prune_output import print_prune
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import RemovalIncomplete


@repo_command("prune", help="Remove data that no snapshot needs.")
@prune_options
@click.option(
    "--unsafe-recover-no-free-space",
    metavar="ANY",
    help="Free space on a full storage by deleting index files first. Read the page of this command before.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.pass_obj
def command(session: RepoSession, /, **given: Any) -> None:
    """Prunes."""
    from holdfast.repository.prune.run import prune

    options = read_prune_options(session, given)
    repository = session.open()
    with (
        session.lock(repository, exclusive=not options.dry_run) as lock,
        session.index(repository) as index,
        session.listener() as listener,
    ):
        report = prune(repository, index, lock, options, listener=listener, cancel=session.cancel)
    print_prune(session.printer, report)
    if report.failed:
        raise RemovalIncomplete(count=len(report.failed), url=repository.url)
