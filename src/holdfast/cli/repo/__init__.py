"""`holdfast repo …`: a restic-format repository, with no application configuration."""

from __future__ import annotations

import click

from holdfast.cli.commands import GLOBAL, Group, Lazy
from holdfast.cli.repo.options import REPOSITORY
from holdfast.cli.repo.session import session_of

COMMANDS = {
    "init": Lazy("holdfast.cli.repo.init:command", help="Create a repository."),
    "backup": Lazy("holdfast.cli.repo.backup:command", help="Back up files and folders into a new snapshot."),
    "snapshots": Lazy("holdfast.cli.repo.snapshots:command", help="List snapshots."),
    "ls": Lazy("holdfast.cli.repo.ls:command", help="List the files of a snapshot."),
    "find": Lazy("holdfast.cli.repo.find:command", help="Find files by name in all snapshots."),
    "dump": Lazy("holdfast.cli.repo.dump:command", help="Print a file of a snapshot, or a folder as an archive."),
    "restore": Lazy("holdfast.cli.repo.restore:command", help="Restore a snapshot, or part of it, into a folder."),
    "diff": Lazy("holdfast.cli.repo.diff:command", help="Show what changed between two snapshots."),
    "check": Lazy("holdfast.cli.repo.check:command", help="Check that the repository is whole."),
    "forget": Lazy("holdfast.cli.repo.forget:command", help="Remove snapshots that a policy does not keep."),
    "prune": Lazy("holdfast.cli.repo.prune:command", help="Remove data that no snapshot needs."),
    "stats": Lazy("holdfast.cli.repo.stats:command", help="Count files, bytes and savings."),
    "copy": Lazy("holdfast.cli.repo.copy:command", help="Copy snapshots from another repository."),
    "key": Lazy("holdfast.cli.repo.key:command", help="List, add and remove keys, and change the password."),
    "unlock": Lazy("holdfast.cli.repo.unlock:command", help="Remove locks of processes that are gone."),
    "repair": Lazy("holdfast.cli.repo.repair:command", help="Mend a damaged index, packs or snapshots."),
    "cat": Lazy("holdfast.cli.repo.cat:command", help="Print one object of the repository."),
    "tag": Lazy("holdfast.cli.repo.tag:command", help="Change the tags of snapshots."),
    "rewrite": Lazy("holdfast.cli.repo.rewrite:command", help="Remove files from snapshots, or change what they say."),
    "recover": Lazy("holdfast.cli.repo.recover:command", help="Make a snapshot of data that no snapshot holds."),
    "migrate": Lazy("holdfast.cli.repo.migrate:command", help="Raise the format version of an old repository."),
    "cache": Lazy("holdfast.cli.repo.cache:command", help="List what is kept on this machine, and clear it away."),
    "list": Lazy("holdfast.cli.repo.list:command", help="List objects of one kind by name."),
}


@click.group(
    cls=Group,
    lazy=COMMANDS,
    sections=[REPOSITORY, GLOBAL],
    help="Work with a repository in the restic format.",
)
@click.pass_context
def repo(ctx: click.Context) -> None:
    """Shared options have been applied to the session already; commands take it with `click.pass_obj`."""
    session_of(ctx)
