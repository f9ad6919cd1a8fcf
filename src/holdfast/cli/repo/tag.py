"""`holdfast repo tag`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import count
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import ContradictoryOptions, UsageError

if TYPE_CHECKING:
    from holdfast.repository.tags import TagChange


@repo_command("tag", help="Change the tags of snapshots.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--set", "replace", multiple=True, metavar="TAG[,TAG…]", help="These tags and no others.")
@click.option("--add", multiple=True, metavar="TAG[,TAG…]", help="These tags besides those there are.")
@click.option("--remove", multiple=True, metavar="TAG[,TAG…]", help="These tags no longer.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    ids: Sequence[str],
    replace: Sequence[str],
    add: Sequence[str],
    remove: Sequence[str],
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
) -> None:
    """Changes tags."""
    from holdfast.repository.resolve import select_snapshots
    from holdfast.repository.tags import change_tags

    change = _change(replace, add, remove)
    repository = session.open()
    with session.lock(repository, exclusive=True) as lock, session.listener(statuses=False) as listener:
        chosen = select_snapshots(repository, ids, snapshot_filter(host, tag, path), listener)
        report = change_tags(repository, lock, chosen, change, listener=listener, cancel=session.cancel)
    printer = session.printer
    for changed in report.changed:
        former, present = changed.former.hex(), changed.present.hex()
        printer.message("changed", old_snapshot_id=former, new_snapshot_id=present)
        printer.detail(1, "Snapshot {snapshot} is now {new}.", snapshot=former[:8], new=present[:8])
    printer.message("summary", changed_snapshots=len(report.changed))
    if not printer.quiet:
        number = len(report.changed)
        printer.line(count(number, "{count} snapshot was changed.", "{count} snapshots were changed."))


def _change(replace: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> TagChange:
    from holdfast.repository.tags import TagChange

    if replace and (add or remove):
        raise ContradictoryOptions(first="--set", second="--add" if add else "--remove")
    if not (replace or add or remove):
        raise UsageError(detail="say what to do with the tags: --set, --add or --remove")
    if replace:
        return TagChange(replace=_tags(replace))
    return TagChange(add=_tags(add), remove=_tags(remove))


def _tags(texts: Iterable[str]) -> tuple[str, ...]:
    """COMPAT(restic): `--set ''` stands for no tags at all."""
    from holdfast.policy.selection import parse_tags

    return tuple(tag for text in texts for tag in parse_tags(text) if tag)
