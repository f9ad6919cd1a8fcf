"""Noticing that an application suddenly has much less in it, before retention drops the backups that have it all."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.errors import Phrase
from holdfast.model.backup import Manifest, Outcome
from holdfast.model.component import Component, Form, Problem

LOOKED_AT = 3
"""So many former backups count: otherwise the second small one would be compared with the first, and look normal."""

_LEFT = 0.5
_MIN_ROWS = 20
_MIN_FILES = 10
_MIN_BYTES = 64 << 10


def shrunk(new: Manifest, former: Iterable[Manifest]) -> list[Problem]:
    """Components that have less than half of what they had in one of the newest backups of the same type.

    Args:
        new: the backup that was just made.
        former: others of the same target, newest first.
    """
    compared = [
        manifest
        for manifest in former
        if manifest.type is new.type and manifest.outcome is Outcome.COMPLETE and manifest.backup_id != new.backup_id
    ][:LOOKED_AT]
    problems: list[Problem] = []
    for component in new.components.values():
        before = [manifest.components[component.name] for manifest in compared if component.name in manifest.components]
        problems += _shrunk(component, [other for other in before if other.form is component.form])
    return problems


def _shrunk(component: Component, before: list[Component]) -> list[Problem]:
    if component.form is Form.CHANGES:
        before = []  # how much changed says nothing about how much there is
    for what, now, most, least in (
        (Phrase("rows", {}), _rows(component), max(map(_rows, before), default=0), _MIN_ROWS),
        (Phrase("files", {}), component.file_count, max((other.file_count for other in before), default=0), _MIN_FILES),
        (
            Phrase("bytes", {}),
            component.content_bytes,
            max((other.content_bytes for other in before), default=0),
            _MIN_BYTES,
        ),
    ):
        if most >= least and now < most * _LEFT:
            detail = Phrase(
                "{now} {what} where a recent backup has {most}; no backup was removed",
                {"now": now, "what": what, "most": most},
            )
            return [Problem(code="shrunk", subject=component.name, detail=detail)]
    return []


def _rows(component: Component) -> int:
    return sum(component.rows.values())
