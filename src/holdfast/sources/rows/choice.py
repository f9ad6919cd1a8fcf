"""Which tables and rows are meant."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Mapping, Sequence

import msgspec

from holdfast.errors import UnknownName
from holdfast.sources.rows.cells import Cell, Row, text_of
from holdfast.sources.rows.store import TableInfo

_NEAREST = 5
_MARKS = frozenset("*?[")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table by columns and the texts that they may have; nothing means all rows."""

    conditions: tuple[tuple[str, frozenset[str]], ...] = ()

    def check(self, columns: Sequence[str]) -> None:
        """Raises `UnknownName` for a column that is none."""
        for column, _values in self.conditions:
            if column not in columns:
                raise UnknownName(what="column", name=column, known=nearest(column, columns))

    def fits(self, columns: Sequence[str], row: Row) -> bool:
        """Whether a row is meant: it fulfils one of the conditions."""
        if not self.conditions:
            return True
        cells = dict(zip(columns, row, strict=True))
        return any(spelled(cells[column]) in values for column, values in self.conditions)


def chosen_tables(known: Sequence[TableInfo], wanted: Sequence[str], excluded: Sequence[str]) -> list[TableInfo]:
    """Tables that are named or fit a pattern, and are not excluded, by name.

    Raises:
        UnknownName: a name or pattern fits no table.
    """
    names = [table.name for table in known]
    for name in (*wanted, *excluded):
        if not _fitting(name, names):
            raise UnknownName(what="table", name=name, known=nearest(name, names))
    taken = {name for pattern in wanted for name in _fitting(pattern, names)} if wanted else set(names)
    left_out = {name for pattern in excluded for name in _fitting(pattern, names)}
    return [table for table in known if table.name in taken - left_out]


def chosen_rows(entries: Sequence[str], tables: Collection[str]) -> Mapping[str, Rows]:
    """What is to be restored of which table: `comments`, `comments:id=5,7`, `comments:user_id=3`.

    Several entries for a table add up. Entries for tables that are not here are for other components.

    Args:
        entries: empty for all rows of all tables.
        tables: those that the backup has.

    Raises:
        UnknownName: no entry names a table that is here.
    """
    if not entries:
        return dict.fromkeys(tables, Rows())
    chosen: dict[str, Rows] = {}
    for entry in entries:
        name, condition = _split(entry, tables)
        if not name:
            continue
        known = chosen.get(name)
        if condition is None or (known is not None and not known.conditions):
            chosen[name] = Rows()
        else:
            chosen[name] = Rows(conditions=(*(known.conditions if known else ()), condition))
    if not chosen:
        wanted = entries[0].partition(":")[0]
        raise UnknownName(what="table", name=wanted, known=nearest(wanted, tables))
    return chosen


def nearest(name: str, known: Collection[str]) -> str:
    """The names that look most like one; some names if none does."""
    near = difflib.get_close_matches(name, list(known), _NEAREST, 0.5)
    return ", ".join(near or sorted(known)[:_NEAREST]) or "none"


def spelled(cell: Cell) -> str:
    """A cell as a person types it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = text_of(cell)
    return str(cell) if text is None else text


def _fitting(pattern: str, names: Sequence[str]) -> list[str]:
    if pattern in names:
        return [pattern]
    return fnmatch.filter(names, pattern) if _MARKS.intersection(pattern) else []


def _split(entry: str, tables: Collection[str]) -> tuple[str, tuple[str, frozenset[str]] | None]:
    """The table and the condition of an entry; an empty name if it names no table that is here."""
    name = _resolved(entry, tables)
    if name:
        return name, None
    for at in (number for number, letter in enumerate(entry) if letter == ":"):
        name = _resolved(entry[:at], tables)
        column, equals, values = entry[at + 1 :].partition("=")
        if name and equals:
            return name, (column, frozenset(values.split(",")))
    return "", None


def _resolved(name: str, tables: Collection[str]) -> str:
    if name in tables:
        return name
    found = [table for table in tables if table.rpartition(".")[2] == name]
    return found[0] if len(found) == 1 else ""
