"""`holdfast repo find`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import values
from holdfast.cli.output import Printer
from holdfast.cli.progress import only_warnings
from holdfast.cli.repo.backup_options import instant
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.find_output import ObjectOutput, print_matches
from holdfast.cli.repo.session import RepoSession
from holdfast.errors import ListingIncomplete, UsageError

if TYPE_CHECKING:
    from holdfast.model.event import Listener
    from holdfast.model.snapshot import Snapshot
    from holdfast.repository.reader import Reader


@repo_command("find", help="Find files by name in all snapshots.")
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN…")
@click.option("-i", "--ignore-case", is_flag=True, help="Match whatever the case of letters.")
@click.option("-O", "--oldest", metavar="TIME", help="Only what was modified at this time or later.")
@click.option("-N", "--newest", metavar="TIME", help="Only what was modified at this time or earlier.")
@click.option("-s", "--snapshot", "snapshots", multiple=True, metavar="ID", help="Only in this snapshot.")
@click.option("-R", "--reverse", is_flag=True, help="Begin with the oldest snapshot.")
@click.option("-l", "--long", is_flag=True, help="Show mode, owner, size and time.")
@click.option("--human-readable", is_flag=True, help="Show sizes with units.")
@click.option("--blob", is_flag=True, help="The patterns are ids of data blobs.")
@click.option("--tree", is_flag=True, help="The patterns are ids of trees.")
@click.option("--pack", is_flag=True, help="The patterns are names of packs.")
@click.option("--show-pack-id", is_flag=True, help="With --blob and --tree: show which pack has it.")
@filter_options
@click.pass_obj
def command(
    session: RepoSession,
    /,
    patterns: Sequence[str],
    snapshots: Sequence[str],
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
    **given: Any,
) -> None:
    """Finds files."""
    from holdfast.repository.resolve import select_snapshots

    if sum(given[kind] for kind in ("blob", "tree", "pack")) > 1:
        raise UsageError(detail="--blob, --tree and --pack cannot be used together")
    with session.reading() as reader, session.listener(statuses=False) as listener:
        warnings = only_warnings(listener)
        chosen = select_snapshots(reader.repository, snapshots, snapshot_filter(host, tag, path), warnings)
        before = listener.warnings
        chosen.sort(key=lambda snapshot: snapshot.time.ns, reverse=not given["reverse"])
        if given["blob"] or given["tree"] or given["pack"]:
            _find_objects(session, reader, chosen, patterns, given, warnings)
        else:
            _find_files(session, reader, chosen, patterns, given, warnings)
        unreadable = listener.warnings - before
    if unreadable:
        raise ListingIncomplete(count=unreadable)


def _find_files(
    session: RepoSession,
    reader: Reader,
    chosen: Iterable[Snapshot],
    patterns: Sequence[str],
    given: dict[str, Any],
    listener: Listener,
) -> None:
    from holdfast.repository.find import FindOptions, find

    oldest, newest = instant(given["oldest"]), instant(given["newest"])
    options = FindOptions(
        patterns=tuple(map(os.fsencode, patterns)),
        ignore_case=given["ignore_case"],
        oldest_ns=oldest.ns if oldest is not None else None,
        newest_ns=newest.ns if newest is not None else None,
    )
    matches = find(reader, chosen, options, listener, session.cancel)
    print_matches(session.printer, matches, long=given["long"], human_readable=given["human_readable"])


def _find_objects(
    session: RepoSession,
    reader: Reader,
    chosen: Sequence[Snapshot],
    patterns: Sequence[str],
    given: dict[str, Any],
    listener: Listener,
) -> None:
    from holdfast.repository.find import find_objects

    output = ObjectOutput(session.printer, reader)
    found = find_objects(
        reader,
        chosen,
        blobs=patterns if given["blob"] else (),
        trees=patterns if given["tree"] else (),
        packs=patterns if given["pack"] else (),
        listener=listener,
        cancel=session.cancel,
    )
    packs: dict[Any, Any] = {}
    for match in found:
        output.add(match)
        if match.pack is not None:
            packs[match.id] = match.pack
    output.end()
    if given["show_pack_id"]:
        _print_packs(session.printer, packs)


def _print_packs(printer: Printer, packs: dict[Any, Any]) -> None:
    for name, pack in packs.items():
        printer.say("Blob {blob} lies in pack {pack}.", blob=values.name(name.hex()), pack=pack.hex())
