"""`holdfast repo ls`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Printer, to_json
from holdfast.cli.repo.command import repo_command
from holdfast.cli.repo.filters import filter_options, snapshot_filter
from holdfast.cli.repo.session import RepoSession
from holdfast.cli.repo.snapshot_json import snapshot_document
from holdfast.errors import ContradictoryOptions, DamageError, HoldfastError, ListingIncomplete

if TYPE_CHECKING:
    from holdfast.model.snapshot import Snapshot
    from holdfast.repository.ls import Entry

_SORTS = ["name", "size", "time", "mtime", "atime", "ctime", "extension"]


@repo_command("ls", help="List the files of a snapshot.")
@click.argument("snapshot", metavar="ID[:PATH]")
@click.argument("folders", nargs=-1, metavar="[FOLDER]…")
@filter_options
@click.option("-l", "--long", is_flag=True, help="Show mode, owner, size and time.")
@click.option("--human-readable", is_flag=True, help="Show sizes with units.")
@click.option("--recursive", is_flag=True, help="List everything below the folders named.")
@click.option("-s", "--sort", type=click.Choice(_SORTS), default="name", help="Order of the list.")
@click.option("--reverse", is_flag=True, help="Begin with the last.")
@click.option("--ncdu", is_flag=True, help="Print what `ncdu -f -` reads.")
@click.pass_obj
def command(
    session: RepoSession,
    /,
    snapshot: str,
    folders: Sequence[str],
    host: Sequence[str],
    tag: Sequence[str],
    path: Sequence[str],
    **given: Any,
) -> None:
    """Lists files."""
    from holdfast.repository.ls import ls
    from holdfast.repository.resolve import resolve_directory

    by = given["sort"]
    sorted_list = by != "name" or given["reverse"]
    if given["ncdu"] and sorted_list:
        raise ContradictoryOptions(first="--ncdu", second="--sort")
    unreadable = 0

    def on_error(folder: bytes, error: HoldfastError) -> None:
        nonlocal unreadable
        if not isinstance(error, DamageError):
            raise error
        unreadable += 1
        session.printer.warn("{subject}: {detail}", subject=folder, detail=error.phrase)

    with session.reading() as reader:
        where = resolve_directory(reader, snapshot, snapshot_filter(host, tag, path))
        names = [os.fsencode(folder) for folder in folders]
        entries: Iterable[Entry] = ls(reader, where, names, recursive=given["recursive"], on_error=on_error)
        if sorted_list:
            entries = sorted(entries, key=_order(by), reverse=given["reverse"])
        if given["ncdu"]:
            _print_ncdu(session.printer, where.snapshot, entries)
        else:
            _print(session.printer, where.snapshot, entries, given)
    if unreadable:
        raise ListingIncomplete(count=unreadable)


def _order(by: str) -> Callable[[Entry], Any]:
    """COMPAT(restic): entries that are equal in what is sorted by come in the order of their paths."""
    orders: dict[str, Callable[[Entry], Any]] = {
        "name": lambda entry: entry.path,
        "size": lambda entry: (entry.node.size, entry.path),
        "time": lambda entry: (entry.node.mtime_ns, entry.path),
        "mtime": lambda entry: (entry.node.mtime_ns, entry.path),
        "atime": lambda entry: (entry.node.atime_ns, entry.path),
        "ctime": lambda entry: (entry.node.ctime_ns, entry.path),
        "extension": lambda entry: (os.path.splitext(entry.node.name)[1], entry.path),
    }
    return orders[by]


def _print(printer: Printer, snapshot: Snapshot, entries: Iterable[Entry], given: dict[str, Any]) -> None:
    from holdfast.cli.repo.node_output import line, listed

    if printer.json_output:
        printer.document({**snapshot_document(snapshot), "message_type": "snapshot", "struct_type": "snapshot"})
        for entry in entries:
            printer.document(listed(entry.path, entry.node))
        return
    printer.note(
        "Snapshot {snapshot} of {host}, {time}:",
        snapshot=snapshot.id.hex()[:8] if snapshot.id else "-",
        host=snapshot.hostname,
        time=snapshot.time.at().isoformat(sep=" ", timespec="seconds"),
    )
    for entry in entries:
        printer.line(line(entry.path, entry.node, long=given["long"], human_readable=given["human_readable"]))


def _print_ncdu(printer: Printer, snapshot: Snapshot, entries: Iterable[Entry]) -> None:
    """Nested lists: a directory is a list that begins with its own entry."""
    from holdfast.cli.repo.node_output import measured
    from holdfast.model.node import NodeType

    def write(text: str) -> None:
        printer.raw(text.encode("utf-8"))

    write(f'[1, 2, {to_json(snapshot_document(snapshot))}, [{{"name":"/"}}')
    open_folders: list[bytes] = []
    for path, node in entries:
        while open_folders and not path.startswith(open_folders[-1] + b"/"):
            open_folders.pop()
            write("]")
        start = ",\n" + "  " * (len(open_folders) + 1)
        if node.type is NodeType.DIR:
            open_folders.append(path)
            start += "["
        write(start + to_json(measured(node)))
    write("]" * len(open_folders) + "]\n]\n")
