"""Comparing what a target gives back with what it was given, and other looks from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.errors import HoldfastError
from holdfast.model.backup import StoredBackup
from holdfast.model.buffer import Buffer
from holdfast.model.component import Problem, Shape
from holdfast.model.event import ignore
from holdfast.model.node import Node, NodeType
from holdfast.protocols.content import Entry
from holdfast.protocols.target import ComponentWriter, Target
from holdfast.testing.target_content import Back, Made

KEPT = frozenset(NodeType) - {NodeType.SOCKET}
"""Kinds of entry that every target gives back."""


def identifiers(target: Target) -> list[str]:
    """The ids of what is listed, in order."""
    return [backup.backup_id for backup in target.backups()]


def assert_same(made: Made, back: Sequence[Back], kept: frozenset[NodeType] = KEPT) -> None:
    """Fails unless everything came back: paths, order, types, metadata, content, and which files are links of one."""
    is_tree = made.component.shape is Shape.TREE
    wanted = [item for item in made.items if item.node.type in kept]
    found = [one for one in back if is_tree or one.path]
    assert [one.path for one in found] == [item.path for item in wanted]
    links: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for item, one in zip(wanted, found, strict=True):
        assert one.content == item.content, item.path
        if not is_tree:
            assert one.node.type is NodeType.FILE
            continue
        assert facts(one.node) == facts(item.node), item.path
        if item.node.links > 1:
            assert one.node.links > 1, item.path
            links.setdefault((item.node.device_id, item.node.inode), set()).add((one.node.device_id, one.node.inode))
    assert all(len(identities) == 1 for identities in links.values())


def facts(node: Node) -> dict[str, object]:
    """What of a node must survive; nobody can set the permissions of a symbolic link."""
    names = ("type", "mode", "mtime_ns", "uid", "gid", "user", "group", "linktarget", "xattrs", "device", "size")
    return {name: getattr(node, name) for name in names if name != "mode" or node.type is not NodeType.SYMLINK}


def noticed(reopen: Callable[[], Target], stored: StoredBackup) -> bool:
    """Whether damage shows: in a problem, in a missing backup, or in an error of ours."""
    target: Target | None = None
    try:
        target = reopen()
        found = {backup.backup_id: backup for backup in target.backups()}
        problems: list[Problem] = []
        if stored.backup_id in found:
            problems = target.verify(found[stored.backup_id], ignore)
        return bool(problems) or stored.backup_id not in found
    except HoldfastError:
        return True
    finally:
        if target is not None:
            target.close()


class BreaksOff:
    """A writer that fails in the second block it is given."""

    def __init__(self, inner: ComponentWriter) -> None:
        self._inner = inner
        self._blocks = 0

    def wants(self, entry: Entry) -> bool:
        """As the writer behind it."""
        return self._inner.wants(entry)

    def begin(self, entry: Entry) -> None:
        """As the writer behind it."""
        self._inner.begin(entry)

    def write(self, block: Buffer) -> None:
        """Passes one block on. Raises `KeyError` for the second."""
        self._blocks += 1
        if self._blocks == 2:
            raise KeyError("a block")
        self._inner.write(block)

    def end(self, sha256: bytes, size_bytes: int) -> None:
        """As the writer behind it."""
        self._inner.end(sha256, size_bytes)

    def spoil(self) -> None:
        """As the writer behind it."""
        self._inner.spoil()

    def finish(self, state: object = None) -> None:
        """As the writer behind it."""
        assert state is None
        self._inner.finish()
