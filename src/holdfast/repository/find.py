"""Finding files by name and time, and the files that need a blob, a tree or a pack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from holdfast.errors import BlobNotFound, InvalidPattern
from holdfast.model.blob import BlobType
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.model.ids import BlobId, PackId
from holdfast.model.node import Node, NodeType
from holdfast.model.snapshot import Snapshot
from holdfast.policy.patterns import PatternList
from holdfast.repository.reader import Reader
from holdfast.repository.trees import trees_leading_to, walk
from holdfast.runtime.cancel import CancelToken

_HEX = re.compile(r"[0-9a-f]{8,64}\Z")


class FindOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for.

    Attributes:
        patterns: any of them; `*`, `?` and `[…]` as in a shell, `**` for any depth. A directory that matches brings
            everything in it along.
        ignore_case: match whatever the case of letters.
        oldest_ns, newest_ns: modification time within these; None for no bound.
    """

    patterns: tuple[bytes, ...]
    ignore_case: bool = False
    oldest_ns: int | None = None
    newest_ns: int | None = None


class Match(msgspec.Struct, frozen=True, gc=False):
    """A file or directory that was looked for."""

    snapshot: Snapshot
    path: bytes
    node: Node


class ObjectMatch(msgspec.Struct, frozen=True, gc=False):
    """A place that needs a blob.

    Attributes:
        type, id: the blob.
        pack: where it lies, if it is indexed.
        snapshot, path: what needs it; a tree is needed by its directory, `/` for the root.
    """

    type: BlobType
    id: BlobId
    pack: PackId | None
    snapshot: Snapshot
    path: bytes


def find(
    reader: Reader,
    snapshots: Iterable[Snapshot],
    options: FindOptions,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> Iterator[Match]:
    """Files and directories by name and modification time, snapshot by snapshot, in stored order.

    Raises:
        InvalidPattern: a pattern is malformed, or there is none.
    """
    if not options.patterns:
        raise InvalidPattern(pattern="", reason="there is none")
    patterns = PatternList(options.patterns, ignore_case=options.ignore_case)

    def may_contain(path: bytes, _node: Node) -> bool:
        return patterns.matches(path) or patterns.may_contain(path)

    for number, snapshot in enumerate(snapshots):
        listener(Progress(phase="find", items_done=number))
        on_error = _Warning(listener, snapshot)
        for path, node in walk(reader, snapshot.tree, may_contain, on_error=on_error):
            if cancel is not None:
                cancel.raise_if_cancelled()
            if _in_time(node, options) and patterns.matches(path):
                yield Match(snapshot, path, node)


def _in_time(node: Node, options: FindOptions) -> bool:
    if options.oldest_ns is not None and node.mtime_ns < options.oldest_ns:
        return False
    return options.newest_ns is None or node.mtime_ns <= options.newest_ns


class _Warning:
    """Tells of directories that cannot be read, and goes on."""

    def __init__(self, listener: Listener, snapshot: Snapshot) -> None:
        self._listener = listener
        self._snapshot = snapshot

    def __call__(self, path: bytes, error: Exception) -> None:
        subject = f"{(self._snapshot.id or b'')[:4].hex()}:{path.decode('utf-8', 'backslashreplace')}"
        self._listener(Warned(code=getattr(error, "code", "error"), subject=subject, detail=str(error)))


# --- blobs, trees, packs -------------------------------------------------------------------------


def find_objects(
    reader: Reader,
    snapshots: Sequence[Snapshot],
    *,
    blobs: Sequence[str] = (),
    trees: Sequence[str] = (),
    packs: Sequence[str] = (),
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> Iterator[ObjectMatch]:
    """Every place that needs certain objects.

    Args:
        blobs, trees: ids of data and tree blobs, or their first eight digits or more.
        packs: names of packs, or their first eight digits or more; all that lies in them is looked for.

    Raises:
        BlobNotFound: no index lists such an object.
    """
    data = {blob_id for text in blobs for blob_id in _resolve(reader, BlobType.DATA, text)}
    wanted_trees = {blob_id for text in trees for blob_id in _resolve(reader, BlobType.TREE, text)}
    for text in packs:
        for kind, blob_id in _in_pack(reader, text):
            (wanted_trees if kind is BlobType.TREE else data).add(blob_id)
    roots = [snapshot.tree for snapshot in snapshots]
    leading = trees_leading_to(reader, roots, wanted_trees, data, listener=listener, cancel=cancel)
    for snapshot in snapshots:
        if snapshot.tree in leading:
            yield from _matches(reader, snapshot, wanted_trees, data, leading, listener)


def _matches(
    reader: Reader,
    snapshot: Snapshot,
    trees: set[bytes],
    data: set[bytes],
    leading: set[bytes],
    listener: Listener,
) -> Iterator[ObjectMatch]:
    def match(kind: BlobType, blob_id: BlobId, path: bytes) -> ObjectMatch:
        place = reader.index.lookup(kind, blob_id)
        return ObjectMatch(kind, blob_id, None if place is None else place.pack, snapshot, path)

    if snapshot.tree in trees:
        yield match(BlobType.TREE, snapshot.tree, b"/")

    def leads_there(_path: bytes, node: Node) -> bool:
        return node.subtree in leading

    for path, node in walk(reader, snapshot.tree, leads_there, on_error=_Warning(listener, snapshot)):
        if node.type is NodeType.DIR and node.subtree is not None and node.subtree in trees:
            yield match(BlobType.TREE, node.subtree, path)
        for blob_id in dict.fromkeys(node.content or ()):
            if blob_id in data:
                yield match(BlobType.DATA, blob_id, path)


def _resolve(reader: Reader, kind: BlobType, text: str) -> list[bytes]:
    if not _HEX.match(text):
        raise BlobNotFound(object=f"{kind.label} blob {text}")
    if len(text) == 64:
        # Also one that no index lists: a snapshot may need it nevertheless.
        return [bytes.fromhex(text)]
    found = [blob_id for blob_id in reader.index.ids(kind) if blob_id.hex().startswith(text)]
    if not found:
        raise BlobNotFound(object=f"{kind.label} blob {text}")
    return found


def _in_pack(reader: Reader, text: str) -> Iterator[tuple[BlobType, bytes]]:
    found = False
    for pack in reader.index.packs():
        if _HEX.match(text) and pack.id.hex().startswith(text):
            found = True
            yield from ((blob.type, blob.id) for blob in pack.blobs)
    if not found:
        raise BlobNotFound(object=f"pack {text}")
