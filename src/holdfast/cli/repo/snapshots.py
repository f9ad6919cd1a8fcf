"""`holdfast repo snapshots`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.repo.snapshot_json import snapshot_document
from holdfast.cli.repo.snapshot_table import describe, print_table

if TYPE_CHECKING:
    from holdfast.model.snapshot import Snapshot
    from holdfast.policy.grouping import GroupKey


@repo_command("snapshots", help="List snapshots.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@filter_options
@click.option("--latest", type=click.IntRange(min=1), metavar="N", help="Only the newest N of each host and paths.")
@click.option("-g", "--group-by", metavar="GROUP", help="Group by host, paths, tags or several of them.")
@click.option("-c", "--compact", is_flag=True, help="Leave out the size and further paths.")
@click.pass_obj
def command(
    session: RepoSession,
    ids: Sequence[str],
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
    latest: int | None,
    group_by: str | None,
    compact: bool,
) -> None:
    """Lists snapshots."""
    from holdfast.policy import grouping
    from holdfast.policy.selection import resolve
    from holdfast.repository.snapshots import load_snapshots

    repository = session.open()
    with session.reading_lock(repository), session.listener(statuses=False) as listener:
        everything = load_snapshots(repository, listener)
    wanted = snapshot_filter(host, tag, path)
    chosen = [resolve(text, everything, wanted) for text in ids] if ids else wanted.choose(everything)
    if latest is not None:
        groups = grouping.group(chosen, grouping.parse("host,paths"))
        kept = {snapshot.id for members in groups.values() for snapshot in members[:latest]}
        chosen = [snapshot for snapshot in chosen if snapshot.id in kept]
    chosen.sort(key=lambda snapshot: snapshot.time.ns)
    if group_by is None:
        session.printer.document([snapshot_document(snapshot) for snapshot in chosen])
        print_table(session.printer, chosen, compact=compact)
        return
    by = grouping.parse(group_by)
    grouped = grouping.group(chosen, by)
    session.printer.document([_group_document(key, members) for key, members in grouped.items()])
    for key, members in grouped.items():
        session.printer.say("Snapshots of {group}:", group=describe(key))
        print_table(session.printer, sorted(members, key=lambda snapshot: snapshot.time.ns), compact=compact)


def _group_document(key: GroupKey, members: list[Snapshot]) -> dict[str, object]:
    return {
        "group_key": {"hostname": key.hostname, "paths": list(key.paths), "tags": list(key.tags)},
        "snapshots": [snapshot_document(snapshot) for snapshot in reversed(members)],
    }
