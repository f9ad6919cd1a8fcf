"""Safety copies of tables, and their way back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from holdfast.errors import DamageError, RestoreImpossible
from holdfast.model.component import Component, Form, Role, Shape
from holdfast.model.node import Node, NodeType
from holdfast.protocols import ContentReader, Entry
from holdfast.sources.rows.document import Tail, file_name
from holdfast.sources.rows.store import RowSink, TableInfo
from holdfast.sources.rows.streams import gathered
from holdfast.sources.rows.table_files import TableFile

KEPT_PREFIX = "before-restore-"
"""What the name of a folder begins with that keeps tables as they were before a restore."""

_SUFFIX = ".json"


def keep_tables(
    sink: RowSink, tables: Sequence[TableInfo], folder: Path, cancelled: Callable[[], None]
) -> tuple[str, ...]:
    """Writes tables as they are now into a new folder, durably, and returns the files.

    Raises:
        RestoreImpossible: the files cannot be written.
    """
    kept: list[str] = []
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        for table in tables:
            path = folder / file_name(table.name, _SUFFIX)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(path, flags, 0o600), "wb") as file:
                file.writelines(gathered(TableFile(sink, table, "", None, sink.location).blocks(cancelled)))
                file.flush()
                os.fsync(file.fileno())  # DURABILITY: on disk before the rows are replaced.
            kept.append(str(path))
        for directory in (folder, folder.parent):
            _sync(directory)
    except OSError as error:
        raise RestoreImpossible(path=str(folder), reason=error.strerror or str(error)) from error
    return tuple(kept)


class KeptTables:
    """A folder of table files as content that can be loaded; a `StoredContent`.

    Args:
        folder: what `keep_tables` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: os.fsencode(path.name))
        self._folder = folder

    @property
    def component(self) -> Component:
        """What is there, as the files themselves say."""
        return Component(
            name=self._folder.name,
            kind="tables",
            role=Role.TABLES,
            form=Form.TABLES,
            shape=Shape.FILES,
            file_name=self._folder.name,
            file_count=len(self._files),
            content_bytes=sum(path.stat().st_size for path in self._files),
            rows=dict(_count(path) for path in self._files),
        )

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        """The files, by name."""
        for path in self._files:
            name = os.fsencode(path.name)
            if not paths or name in paths:
                node = Node(name=name, type=NodeType.FILE, mode=0o600, size=path.stat().st_size)
                yield Entry(path=name, node=node, open=partial(_opened, path))


class _Named(msgspec.Struct, frozen=True):
    table: str


def _count(path: Path) -> tuple[str, int]:
    """The table of a file and its count, from its first and its last line."""
    with open(path, "rb") as file:
        first = last = file.readline()
        for line in file:
            last = line
    try:
        table = msgspec.json.decode(first.rstrip(b"\n") + b"]}", type=_Named).table
        return table, msgspec.json.decode(b"{" + last.partition(b",")[2], type=Tail).count
    except msgspec.MsgspecError as error:
        raise DamageError(object=str(path), reason="it is not the file of a table") from error


def _opened(path: Path) -> ContentReader:
    return open(path, "rb")


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
