"""Writing a file of a snapshot, or a directory as an archive, to a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Literal, Self

import msgspec

from holdfast.errors import FormatError, PathNotFound, Phrase
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.archives import Archive, TarArchive, ZipArchive
from holdfast.repository.reader import Reader
from holdfast.repository.resolve import Resolved
from holdfast.repository.trees import components, find_node, walk
from holdfast.runtime.cancel import CancelToken

_AHEAD_MAX = 4


class DumpReport(msgspec.Struct, kw_only=True):
    """What was written: entries, and bytes of file content. `skipped`: sockets and what an archive cannot hold."""

    entries: int = 0
    content_bytes: int = 0
    skipped: int = 0


def dump(
    reader: Reader,
    where: Resolved,
    path: bytes,
    target: BinaryIO,
    *,
    archive: Literal["tar", "zip"] = "tar",
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> DumpReport:
    """Writes what is at a path: the bytes of a file, or a directory with everything in it as an archive.

    Memory: a few blobs. Nothing is written that was not proved by its hash; damage ends it with an error, and what
    was written until then is incomplete.

    Args:
        where: a snapshot and a directory in it.
        path: below that directory; empty or `/` for the directory itself.
        target: need not be seekable.
        archive: the form for directories: `tar` (PAX, with extended attributes, nanoseconds and any name) or `zip`.

    Raises:
        PathNotFound: there is nothing, or neither a file nor a directory.
        DamageError: some of it cannot be read.
        Interrupted: cancelled.
    """
    node = find_node(reader, where.tree, path, (where.snapshot.id or b"")[:4].hex())
    with Contents(reader, cancel or CancelToken()) as contents:
        if node is None or node.type is NodeType.DIR:
            tree = where.tree if node is None else node.subtree
            if tree is None:
                raise FormatError(object=f"directory {path!r}", reason="it has no subtree")
            shown = where.path + b"".join(b"/" + name for name in components(path))
            return _dump_directory(reader, contents, tree, shown, target, archive, listener)
        if node.type is not NodeType.FILE:
            raise PathNotFound(path=path.decode("utf-8", "backslashreplace"), snapshot=f"{node.type.value}")
        report = DumpReport(entries=1)
        for piece in contents.pieces(node):
            target.write(piece)
            report.content_bytes += len(piece)
            listener(Progress(phase="dump", bytes_done=report.content_bytes, bytes_total=node.size))
        return report


def _dump_directory(
    reader: Reader,
    contents: Contents,
    tree: bytes,
    prefix: bytes,
    target: BinaryIO,
    form: Literal["tar", "zip"],
    listener: Listener,
) -> DumpReport:
    report = DumpReport()
    archive: Archive = TarArchive(target) if form == "tar" else ZipArchive(target)
    with archive:
        for path, node in walk(reader, tree, prefix=prefix):
            pieces = contents.pieces(node) if node.type is NodeType.FILE else iter(())
            if archive.add(path.lstrip(b"/"), node, pieces):
                report.entries += 1
                report.content_bytes += node.size
            else:
                report.skipped += 1
            listener(Progress(phase="dump", items_done=report.entries, bytes_done=report.content_bytes))
    return report


class Contents:
    """The content of files, blob by blob, a few of them fetched ahead. Use as a context manager."""

    def __init__(self, reader: Reader, cancel: CancelToken) -> None:
        self._reader = reader
        self._cancel = cancel
        self._ahead = max(1, min(_AHEAD_MAX, reader.repository.backend.connections))
        self._threads: ThreadPoolExecutor | None = None

    def pieces(self, node: Node) -> Iterator[Buffer]:
        """A file's content in order.

        Raises:
            DamageError: a blob cannot be read, or all of them together are not as long as the file.
        """
        ids = node.content or ()
        total = 0
        for piece in self._one_by_one(ids) if len(ids) < 2 else self._fetched_ahead(ids):
            self._cancel.raise_if_cancelled()
            total += len(piece)
            if total > node.size:
                break
            yield piece
        if total != node.size:
            raise FormatError(
                object=f"file {node.name!r}",
                reason=Phrase("it has {size} bytes, its content another number", {"size": node.size}),
            )

    def _one_by_one(self, ids: tuple[BlobId, ...]) -> Iterator[Buffer]:
        for blob_id in ids:
            yield self._reader.load_blob(BlobType.DATA, blob_id)

    def _fetched_ahead(self, ids: tuple[BlobId, ...]) -> Iterator[Buffer]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._ahead, thread_name_prefix="holdfast-dump")
        running: deque[Future[Buffer]] = deque()
        for blob_id in ids:
            running.append(self._threads.submit(self._reader.load_blob, BlobType.DATA, blob_id))
            if len(running) > self._ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
