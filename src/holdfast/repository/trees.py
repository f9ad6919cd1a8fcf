"""Walking trees: as paths, to one path, or as the set of everything they refer to.

Trees are as deep as a hostile writer makes them, so nothing here recurses, and a path is put together only while
it is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet

from holdfast.errors import FormatError, HoldfastError, PathNotFound
from holdfast.format.tree import decode_tree, iterate, references
from holdfast.model.blob import BlobType
from holdfast.model.buffer import Buffer
from holdfast.model.event import Listener, Progress, ignore
from holdfast.model.ids import BlobId
from holdfast.model.node import Node, NodeType
from holdfast.repository.reader import Reader
from holdfast.repository.tree_loader import TreeLoader
from holdfast.runtime.cancel import CancelToken

PATH_BYTES_MAX = 1 << 16
"""Longer paths are refused: no system has them, and each costs its length for every entry below."""

_BATCH = 256

Descend = Callable[[bytes, Node], bool]
OnPathError = Callable[[bytes, HoldfastError], None]
OnTreeError = Callable[[bytes, HoldfastError], None]
OnTree = Callable[[bytes, list[BlobId], list[BlobId]], None]


# --- paths ---------------------------------------------------------------------------------------


def load_nodes(reader: Reader, tree_id: bytes) -> tuple[Node, ...]:
    """The entries of a directory in stored order, which need not be sorted (faulty writers exist)."""
    plaintext = reader.load_blob(BlobType.TREE, tree_id)
    return decode_tree(plaintext, strict=False, what=f"tree {tree_id.hex()[:12]}")


def walk(
    reader: Reader,
    tree_id: bytes,
    select: Descend | None = None,
    *,
    prefix: bytes = b"",
    on_error: OnPathError | None = None,
) -> Iterator[tuple[bytes, Node]]:
    """Every entry below a tree, each directory before what is in it.

    Args:
        tree_id: where to begin.
        select: whether to go into a directory; by default into all.
        prefix: the path of the beginning, without a final slash.
        on_error: told the path of a directory that cannot be read; by default the error is raised.

    Yields:
        (path, node); paths begin with a slash if the prefix does or is empty.

    Raises:
        FormatError: a tree contains itself, or lies deeper than any path reaches.
        DamageError: a tree cannot be read.
    """
    path = bytearray(prefix.rstrip(b"/"))
    above: set[bytes] = set()
    # One frame for each directory on the way: what is left of it, its id, the length of its path.
    stack: list[tuple[Iterator[Node], bytes, int]] = []

    def enter(subtree: bytes | None) -> None:
        if subtree is None:
            raise FormatError(object=f"directory {bytes(path[-300:])!r}", reason="it has no subtree")
        if subtree in above:
            raise FormatError(object=f"tree {subtree.hex()[:12]}", reason="it contains itself")
        nodes = iterate(reader.load_blob(BlobType.TREE, subtree), f"tree {subtree.hex()[:12]}")
        above.add(subtree)
        stack.append((nodes, subtree, len(path)))

    _guarded(enter, tree_id, path, on_error)
    while stack:
        nodes, current, length = stack[-1]
        del path[length:]
        node = next(nodes, None)
        if node is None:
            stack.pop()
            above.discard(current)
            continue
        path += b"/" + node.name
        if len(path) > PATH_BYTES_MAX:
            raise FormatError(object=f"tree {current.hex()[:12]}", reason="it lies deeper than any path reaches")
        here = bytes(path)
        yield here, node
        if node.type is NodeType.DIR and (select is None or select(here, node)):
            _guarded(enter, node.subtree, path, on_error)


def _guarded(
    enter: Callable[[bytes | None], None], tree_id: bytes | None, path: bytearray, on_error: OnPathError | None
) -> None:
    try:
        enter(tree_id)
    except HoldfastError as error:
        if on_error is None:
            raise
        on_error(bytes(path) or b"/", error)


def components(path: bytes) -> list[bytes]:
    """The names of a path; slashes at either end and doubled ones count for nothing, nor does `.`."""
    return [name for name in path.split(b"/") if name not in (b"", b".")]


def find_node(reader: Reader, tree_id: bytes, path: bytes, snapshot: str = "") -> Node | None:
    """The entry at a path below a tree; None for the tree itself.

    Args:
        snapshot: what the tree is the root of, for the error.

    Raises:
        PathNotFound: there is no such entry.
    """
    found: Node | None = None
    current: bytes | None = tree_id
    for name in components(path):
        nodes = load_nodes(reader, current) if current is not None else ()
        found = next((node for node in nodes if node.name == name), None)
        if found is None:
            raise PathNotFound(path=path.decode("utf-8", "backslashreplace"), snapshot=snapshot)
        current = found.subtree if found.type is NodeType.DIR else None
    return found


def find_subtree(reader: Reader, tree_id: bytes, path: bytes, snapshot: str = "") -> BlobId:
    """The tree of the directory at a path. Raises `PathNotFound` also for what is no directory."""
    node = find_node(reader, tree_id, path, snapshot)
    if node is None:
        return BlobId(tree_id)
    if node.type is not NodeType.DIR or node.subtree is None:
        raise PathNotFound(path=path.decode("utf-8", "backslashreplace"), snapshot=snapshot)
    return node.subtree


# --- what is in use ------------------------------------------------------------------------------


class UsedBlobs:
    """The blobs that trees refer to, by type.

    Memory: some 130 bytes a blob (an object of 32 bytes takes 80, its place in a set about 50).

    Attributes:
        trees: ids of tree blobs.
        data: ids of data blobs.
    """

    __slots__ = ("data", "trees")

    def __init__(self) -> None:
        self.trees: set[bytes] = set()
        self.data: set[bytes] = set()

    def contains(self, kind: BlobType, blob_id: bytes) -> bool:
        """Whether the blob is in use."""
        return blob_id in (self.trees if kind is BlobType.TREE else self.data)

    def __len__(self) -> int:
        return len(self.trees) + len(self.data)


def mark_references(
    reader: Reader,
    roots: Iterable[bytes],
    on_error: OnTreeError | None = None,
    listener: Listener = ignore,
    *,
    cancel: CancelToken | None = None,
    on_tree: OnTree | None = None,
    known: UsedBlobs | None = None,
) -> UsedBlobs:
    """Everything that trees refer to. Each tree is read once, however many snapshots share it.

    Args:
        roots: ids of the trees to begin with.
        on_error: told of each tree that cannot be read (its id is marked as used nevertheless); by default the
            error is raised.
        listener: is told how many trees have been read.
        cancel: stops between batches.
        on_tree: called for each tree with its id, its data ids and its subtrees, with repetitions.
        known: what an earlier call returned; its trees are not read again, and what is found is added to it.

    Raises:
        DamageError: a tree cannot be read and `on_error` is None.
    """
    used = UsedBlobs() if known is None else known
    # INVARIANT: a tree is marked when it is put on the list, so no cycle and no sharing leads to it twice.
    waiting = [root for root in dict.fromkeys(roots) if root not in used.trees]
    used.trees.update(waiting)
    done = 0
    with TreeLoader(reader) as loader:
        while waiting:
            if cancel is not None:
                cancel.raise_if_cancelled()
            batch = waiting[-_BATCH:]
            del waiting[-_BATCH:]
            for tree_id, loaded in loader.load(batch):
                try:
                    contents, subtrees = _references(tree_id, loaded)
                except HoldfastError as error:
                    if on_error is None:
                        raise
                    on_error(tree_id, error)
                    continue
                used.data.update(contents)
                fresh = [subtree for subtree in dict.fromkeys(subtrees) if subtree not in used.trees]
                used.trees.update(fresh)
                waiting += fresh
                if on_tree is not None:
                    on_tree(tree_id, contents, subtrees)
            done += len(batch)
            listener(Progress(phase="trees", items_done=done, items_total=done + len(waiting)))
    return used


def _references(tree_id: bytes, loaded: Buffer | HoldfastError) -> tuple[list[BlobId], list[BlobId]]:
    if isinstance(loaded, HoldfastError):
        raise loaded
    return references(loaded, f"tree {tree_id.hex()[:12]}")


def trees_leading_to(
    reader: Reader,
    roots: Iterable[bytes],
    trees: Collection[bytes],
    data: AbstractSet[bytes],
    *,
    unreadable: bool = False,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> set[bytes]:
    """The trees that are among `trees`, or that refer to one or to data among `data`, directly or not.

    Memory: some 300 bytes for each tree below the roots.

    Args:
        unreadable: trees that cannot be read count as well; else they are passed over.
    """
    above: dict[bytes, list[bytes]] = {}
    waiting: list[bytes] = list(trees)

    def note(tree_id: bytes, contents: list[BlobId], subtrees: list[BlobId]) -> None:
        if not data.isdisjoint(contents):
            waiting.append(tree_id)
        for subtree in set(subtrees):
            above.setdefault(subtree, []).append(tree_id)

    def note_error(tree_id: bytes, _error: HoldfastError) -> None:
        if unreadable:
            waiting.append(tree_id)

    mark_references(reader, roots, note_error, listener, cancel=cancel, on_tree=note)
    found: set[bytes] = set()
    while waiting:
        tree_id = waiting.pop()
        if tree_id not in found:
            found.add(tree_id)
            waiting += above.get(tree_id, ())
    return found
