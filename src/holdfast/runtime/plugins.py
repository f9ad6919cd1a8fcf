"""Kinds of source and target: a lazy table of ours, and entry points of others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Row(NamedTuple):
    """Where a kind lives: `module:Class` of the thing itself and of its options."""

    target: str
    options: str


class PluginTable:
    """Finds classes by kind and imports them when they are asked for.

    An entry point names a module attribute that is a `Row`.

    Args:
        rows: our own kinds.
        group: the entry point group in which others offer theirs; ours win.
    """

    def __init__(self, rows: Mapping[str, Row], group: str) -> None:
        self._rows = rows
        self._group = group

    def kinds(self) -> list[str]:
        """All kinds, sorted."""
        return sorted({*self._rows, *_offered(self._group)})

    def has(self, kind: str) -> bool:
        """Whether there is such a kind; others are asked only about what is not ours, as that takes time."""
        return kind in self._rows or kind in _offered(self._group)

    def target_class(self, kind: str) -> type[object]:
        """The class that does the work. Raises `KeyError` for a kind that is none."""
        return _load(self._row(kind).target)

    def options_class(self, kind: str) -> type[object]:
        """The class of its options. Raises `KeyError` for a kind that is none."""
        return _load(self._row(kind).options)

    def _row(self, kind: str) -> Row:
        if kind in self._rows:
            return self._rows[kind]
        row = _offered(self._group)[kind].load()
        if not isinstance(row, Row):
            raise TypeError(f"the entry point {kind} of {self._group} is not a row of a plugin table")
        return row


@cache
def _offered(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=group)}


def _load(target: str) -> type[object]:
    module, _colon, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, type):
        raise TypeError(f"{target} is not a class")
    return found
