"""What `find` found, as lines or as one JSON list that is written while it is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from holdfast.cli import values
from holdfast.cli.output import Printer, to_json
from holdfast.cli.repo.node_output import found, line
from holdfast.format.timestamp import render_instant
from holdfast.model.blob import BlobType
from holdfast.model.ids import BlobId
from holdfast.model.snapshot import Snapshot

if TYPE_CHECKING:
    from holdfast.repository.find import Match, ObjectMatch
    from holdfast.repository.reader import Reader

_PIECE_BYTES = 1 << 16


class _JsonStream:
    """Sends parts of a document off in pieces of some size."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._waiting = bytearray()

    def write(self, text: str) -> None:
        self._waiting += text.encode("utf-8")
        if len(self._waiting) >= _PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        self._printer.raw(self._waiting)
        self._waiting = bytearray()


def print_matches(printer: Printer, matches: Iterable[Match], *, long: bool, human_readable: bool) -> None:
    """Prints files, below the snapshot they are in."""
    if printer.json_output:
        _print_json(printer, matches)
        return
    current: Snapshot | None = None
    for match in matches:
        if match.snapshot is not current:
            if current is not None:
                printer.line()
            current = match.snapshot
            printer.say(
                "Found in snapshot {snapshot} of {time}:",
                snapshot=current.id.hex()[:8] if current.id else "-",
                time=values.moment(current.time),
            )
        printer.line(line(match.path, match.node, long=long, human_readable=human_readable))


def _print_json(printer: Printer, matches: Iterable[Match]) -> None:
    stream = _JsonStream(printer)
    stream.write("[")
    current: Snapshot | None = None
    hits = 0
    for match in matches:
        if match.snapshot is not current:
            if current is not None:
                stream.write(_end_of(current, hits) + ",")
            current, hits = match.snapshot, 0
            stream.write('{"matches":[')
        stream.write("," * bool(hits) + to_json(found(match.path, match.node)))
        hits += 1
    if current is not None:
        stream.write(_end_of(current, hits))
    stream.write("]\n")
    stream.flush()


def _end_of(snapshot: Snapshot, hits: int) -> str:
    return f'],"hits":{hits},"snapshot":"{snapshot.id.hex() if snapshot.id else ""}"}}'


class ObjectOutput:
    """Prints which files need which objects."""

    def __init__(self, printer: Printer, reader: Reader) -> None:
        self._printer = printer
        self._reader = reader
        self._documents: list[dict[str, Any]] = []
        self._parent: tuple[Snapshot, bytes, BlobId] | None = None

    def add(self, match: ObjectMatch) -> None:
        """Prints one place, or keeps it for the end with --json."""
        is_tree = match.type is BlobType.TREE
        if self._printer.json_output:
            self._documents.append(
                {
                    "object_type": "tree" if is_tree else "blob",
                    "id": match.id.hex(),
                    "path": match.path,
                    **({} if is_tree else {"parent_tree": self._parent_tree(match).hex()}),
                    "snapshot": match.snapshot.id.hex() if match.snapshot.id else "",
                    "time": render_instant(match.snapshot.time),
                }
            )
            return
        named = {
            "id": match.id.hex(),
            "path": match.path,
            "snapshot": match.snapshot.id.hex()[:8] if match.snapshot.id else "-",
            "time": values.moment(match.snapshot.time),
        }
        if is_tree:
            self._printer.say("Tree {id} is the folder {path} in snapshot {snapshot} of {time}.", **named)
        else:
            self._printer.say("Blob {id} is in the file {path} in snapshot {snapshot} of {time}.", **named)

    def end(self) -> None:
        """Prints what was kept."""
        self._printer.document(self._documents)

    def _parent_tree(self, match: ObjectMatch) -> BlobId:
        """The tree that lists the file. Files of one folder come one after the other."""
        from holdfast.repository.trees import find_subtree

        folder = match.path.rpartition(b"/")[0]
        if self._parent is None or self._parent[0] is not match.snapshot or self._parent[1] != folder:
            self._parent = match.snapshot, folder, find_subtree(self._reader, match.snapshot.tree, folder)
        return self._parent[2]
