"""`holdfast repo migrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import DamageFound, Phrase, UsageError

if TYPE_CHECKING:
    from holdfast.repository.locks import RepositoryLock
    from holdfast.repository.repository import Repository

_UPGRADE = "upgrade_repo_v2"


@repo_command("migrate", help="Raise the format version of an old repository.")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("-f", "--force", is_flag=True, help="Accepted for compatibility.")
@click.pass_obj
def command(session: RepoSession, names: Sequence[str], force: bool) -> None:  # noqa: ARG001 - as restic takes it
    """Migrates."""
    from holdfast.repository.migrate import VERSION, upgrade_repo_v2

    unknown = [name for name in names if name != _UPGRADE]
    if unknown:
        named = {"name": unknown[0], "known": _UPGRADE}
        raise UsageError(detail=Phrase("{name} is no migration; there is {known}", named))
    repository = session.open()
    printer = session.printer
    if not names:
        applicable = [_UPGRADE] if repository.config.version < VERSION else []
        printer.document(applicable)
        for name in applicable:
            printer.say("{name}: raises the repository to version {version}.", name=name, version=VERSION)
        if not applicable:
            printer.note("There is nothing to migrate: the repository has version {version}.", version=VERSION)
        return
    with session.lock(repository, exclusive=True) as lock:
        if repository.config.version < VERSION:
            _check(session, repository, lock)
        report = upgrade_repo_v2(repository, lock)
    printer.message("summary", former_version=report.former, version=report.present)
    if report.former == report.present:
        printer.note("There is nothing to migrate: the repository has version {version}.", version=report.present)
    else:
        printer.note("The repository has version {version} now; new data is compressed.", version=report.present)


def _check(session: RepoSession, repository: Repository, lock: RepositoryLock) -> None:
    """A damaged repository is repaired first, with the program that knows its version."""
    from holdfast.repository.check.report import CheckOptions
    from holdfast.repository.check.run import check

    with session.listener() as listener:
        report = check(repository, lock, CheckOptions(find_hurt=False), listener, session.cancel)
    if not report.whole:
        raise DamageFound(url=repository.url, problems=report.problems)
