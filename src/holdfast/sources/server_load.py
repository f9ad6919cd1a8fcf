"""What loading into any database server has in common: one file of content, names of databases beside another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from holdfast.errors import DamageError, Phrase, RestoreMismatch, RestoreRefused, joined
from holdfast.model.component import Component, Form
from holdfast.model.node import NodeType
from holdfast.protocols import StoredContent

_BLOCK_BYTES = 1 << 20
_SHOWN = 3


def blocks_of(content: StoredContent, cancelled: Callable[[], None]) -> Iterator[bytes]:
    """The one file of a component, block by block; what is not whole raises `DamageError` at its end."""
    found = False
    for entry in content.entries():
        if entry.node.type is not NodeType.FILE or entry.open is None:
            continue
        if found:
            raise DamageError(object=content.component.name, reason="it holds more than one file")
        found = True
        reader = entry.open()
        try:
            while block := reader.read(_BLOCK_BYTES):
                cancelled()
                yield block
        finally:
            reader.close()
    if not found:
        raise DamageError(object=content.component.name, reason="it holds no file")


def checked_chain(chain: Sequence[StoredContent], kind: str, destination: str) -> None:
    """Refuses content that this kind of source cannot load. Raises `RestoreRefused`."""
    base = chain[0].component
    if base.kind != kind:
        raise RestoreRefused(
            destination=destination,
            reason=Phrase("the backup holds a {found} and not a {kind}", {"found": base.kind, "kind": kind}),
        )
    if base.form not in (Form.NATIVE, Form.SQL):
        raise RestoreRefused(destination=destination, reason="changes can only be restored on top of a full backup")
    if any(content.component.form is not Form.CHANGES for content in chain[1:]):
        raise RestoreRefused(destination=destination, reason="what follows a full backup has to be changes")


def compare_rows(expected: Mapping[str, int], found: Mapping[str, int], destination: str) -> None:
    """Raises `RestoreMismatch` unless tables and their rows are the same."""
    wrong = [name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]
    if wrong:
        said = [
            Phrase(
                "table {name} has {rows} instead of {expected}",
                {"name": name, "rows": _rows(found, name), "expected": _rows(expected, name)},
            )
            for name in wrong[:_SHOWN]
        ]
        reason = joined("; ", said)
        if len(wrong) > _SHOWN:
            reason = Phrase("{reason}, and {count} more", {"reason": reason, "count": len(wrong) - _SHOWN})
        raise RestoreMismatch(destination=destination, reason=reason)


def compare_described(component: Component, found: Mapping[str, int], destination: str) -> None:
    """Compares with what a component is known to hold, which is nothing for a file that no backup describes."""
    if component.file_count or component.rows:
        compare_rows(component.rows, found, destination)


def _rows(counts: Mapping[str, int], name: str) -> Phrase:
    return Phrase("{count} rows", {"count": counts[name]}) if name in counts else Phrase("not been there", {})


def beside(
    name: str, word: str, stamp: str, limit: int, taken: Callable[[str], bool], size: Callable[[str], int]
) -> str:
    """A free name `<name>_<word>_<stamp>`, numbered if it is taken, with the beginning cut to fit.

    Args:
        limit: the longest that a name may be.
        size: how long a name is as the server counts.
    """
    number = 1
    while True:
        tail = f"_{word}_{stamp}" + (f"_{number}" if number > 1 else "")
        head = name
        while size(head + tail) > limit:
            head = head[:-1]
        if not taken(head + tail):
            return head + tail
        number += 1
