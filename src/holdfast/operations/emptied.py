"""Refusing a source that has nothing in it any more: an unmounted disk and an emptied database look like success."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from holdfast.errors import Phrase, SourceEmptied
from holdfast.model.backup import Manifest, Outcome
from holdfast.model.component import Component, Form, Role

EMPTY = "empty"
FILLED = "filled"
"""Facts of a tree: configured paths below which there is no file, and those below which there is one, by line."""


def refuse_emptied(components: Iterable[Component], former: Iterable[Manifest], accepted: Collection[str]) -> None:
    """Compares what was read with the newest complete backup that holds the same source.

    A source that merely shrank is backed up, and retention waits; one without any table or file would be backed up as
    nothing, night after night, until retention has dropped the last backup that has something in it.

    Args:
        components: what was just read of one source, in every form that was wanted.
        former: backups that there are, in any order.
        accepted: names of sources that may be empty.

    Raises:
        SourceEmptied: there was something, and now there is nothing.
    """
    newest_first = sorted(former, key=lambda manifest: manifest.created_at, reverse=True)
    for component in components:
        if component.name in accepted:
            continue
        for manifest in newest_first:
            before = manifest.components.get(component.name)
            if before is not None and manifest.outcome is Outcome.COMPLETE:
                reason = _emptied(component, before, manifest.backup_id)
                if reason is not None:
                    raise SourceEmptied(source=component.name, reason=reason)
                break


def _emptied(now: Component, before: Component, backup_id: str) -> Phrase | None:
    """What is gone, in words."""
    if before.rows and not now.rows:
        values = {"backup": backup_id, "count": len(before.rows)}
        return Phrase("it has no table, and backup {backup} has some (number: {count})", values)
    gone = _lines(before, FILLED) & _lines(now, EMPTY)
    if gone:
        values = {"backup": backup_id, "path": ", ".join(sorted(gone))}
        return Phrase("there is no file in {path}, and backup {backup} has some", values)
    if Form.CHANGES in (now.form, before.form) or now.role is Role.CONFIG:
        return None  # no file changed, or single files are missing, which its own setting decides about
    if before.file_count and not now.file_count:
        values = {"backup": backup_id, "count": before.file_count}
        return Phrase("it has no file, and backup {backup} has some (number: {count})", values)
    if before.content_bytes and not now.content_bytes:
        values = {"backup": backup_id, "count": before.content_bytes}
        return Phrase("there is nothing in it, and backup {backup} has {count} bytes", values)
    return None


def _lines(component: Component, fact: str) -> frozenset[str]:
    return frozenset(line for line in component.facts.get(fact, "").split("\n") if line)
