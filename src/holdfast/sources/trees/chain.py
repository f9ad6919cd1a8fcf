"""A component, or a base with the changes that follow it, as one stream of entries: the tree as it was in the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from holdfast.errors import DamageError, Phrase
from holdfast.model.component import Component, Form
from holdfast.model.node import NodeType
from holdfast.protocols import Entry, StoredContent
from holdfast.sources.trees.existing import read_existing
from holdfast.sources.trees.tops import EXISTING, is_below, order_of

_BLOCK_BYTES = 1 << 20


def tree_entries(
    chain: Sequence[StoredContent], paths: Sequence[bytes], scratch: Path, cancelled: Callable[[], None]
) -> Iterator[Entry]:
    """Entries in the order of a walk, each from the newest link that has it.

    Args:
        paths: only these and what is below them, with the directories that lead there; empty for everything.
        scratch: takes the list of what exists.

    Raises:
        DamageError: a link is not whole, or something that exists is in none.
    """
    newest = chain[-1]
    if newest.component.form is not Form.CHANGES:
        yield from _sound(newest, paths)
        return
    name = newest.component.name
    listed = scratch / "existing"
    _keep_list(newest, listed, cancelled)
    links = [_Link(content, paths) for content in reversed(chain)]
    for path, kind in read_existing(listed, name):
        if not _wanted(path, paths):
            continue
        # All links must come along, so that each of them ends where the list does.
        found = [entry for entry in [link.at(path) for link in links] if entry is not None]
        if not found:
            if any(subject_of(link.component, path) in spoiled_in(link.component) for link in chain):
                continue
            raise DamageError(
                object=name, reason=Phrase("{path} existed and is in none of the backups", {"path": os.fsdecode(path)})
            )
        if found[0].node.type is not kind:
            raise DamageError(
                object=name,
                reason=Phrase("{path} is not the {type} that it was", {"path": os.fsdecode(path), "type": kind.value}),
            )
        yield found[0]


def spoiled_in(component: Component) -> frozenset[str]:
    """Subjects of what could not be read when the backup was made. A target may hold something in its place."""
    start = f"{component.name}: "
    return frozenset(problem.subject for problem in component.problems if problem.subject.startswith(start))


def subject_of(component: Component, path: bytes) -> str:
    """What problems call a file of a component."""
    return f"{component.name}: {path.decode('utf-8', 'backslashreplace')}"


def _sound(content: StoredContent, paths: Sequence[bytes]) -> Iterator[Entry]:
    """Entries without files of which the backup has no whole content."""
    component = content.component
    spoiled = spoiled_in(component)
    for entry in content.entries(paths):
        is_file = entry.node.type is NodeType.FILE
        if not (spoiled and is_file and subject_of(component, entry.path) in spoiled):
            yield entry


def _keep_list(content: StoredContent, into: Path, cancelled: Callable[[], None]) -> None:
    for entry in content.entries([EXISTING]):
        if entry.path != EXISTING or entry.open is None:
            continue
        reader = entry.open()
        try:
            with open(into, "wb") as file:
                while block := reader.read(_BLOCK_BYTES):
                    cancelled()
                    file.write(block)
        finally:
            reader.close()
        return
    raise DamageError(object=content.component.name, reason="its list of what exists is missing")


def _wanted(path: bytes, paths: Sequence[bytes]) -> bool:
    return not paths or any(is_below(path, wanted) or is_below(wanted, path) for wanted in paths)


class _Link:
    """One backup of a chain, followed in the order of the walk."""

    def __init__(self, content: StoredContent, paths: Sequence[bytes]) -> None:
        self._name = content.component.name
        self._entries = _sound(content, paths)
        self._next = self._following(b"")

    def _following(self, former: bytes) -> Entry | None:
        for entry in self._entries:
            if entry.path == EXISTING:
                continue
            if former and order_of(entry.path) < order_of(former):
                raise DamageError(object=self._name, reason="its entries are out of order")
            return entry
        return None

    def at(self, path: bytes) -> Entry | None:
        """The entry of a path that comes after all that were asked for before."""
        while self._next is not None and order_of(self._next.path) < order_of(path):
            self._next = self._following(self._next.path)
        return self._next if self._next is not None and self._next.path == path else None
