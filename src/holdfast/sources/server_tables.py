"""Brings chosen tables or rows from one database into another, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from holdfast.errors import LoadFailed, RestoreMismatch, RestoreRefused, UnknownName
from holdfast.sources.rows.apply import written_rows
from holdfast.sources.rows.cells import Row
from holdfast.sources.rows.order import parents_first
from holdfast.sources.rows.store import RowSink, RowStore, TableInfo


class Choice(NamedTuple):
    """A table, and the columns and values of the rows that are wanted of it; all rows if there are none."""

    table: str
    values: tuple[tuple[str, str], ...] = ()


def parse_choices(texts: Sequence[str], known: Mapping[str, object]) -> list[Choice]:
    """Reads `table` and `table:column=value[,column=value]`; a known table's name is never cut at a colon.

    Raises:
        UnknownName: there is no such table.
        RestoreRefused: what follows the table is not understood.
    """
    choices: list[Choice] = []
    for text in texts:
        if text in known:
            choices.append(Choice(text))
            continue
        table, _colon, rest = text.partition(":")
        if table not in known:
            raise UnknownName(what="table", name=table, known=", ".join(sorted(known)))
        pairs = [pair.partition("=") for pair in rest.split(",")]
        if any(not column or not sign for column, sign, _value in pairs):
            raise RestoreRefused(destination=text, reason="rows are chosen as table:column=value")
        choices.append(Choice(table, tuple((column, value) for column, _sign, value in pairs)))
    return choices


def bring_over(
    store: RowStore, sink: RowSink, choices: Sequence[Choice], cancelled: Callable[[], None]
) -> dict[str, int]:
    """Replaces tables or rows of `sink` by those of `store`, parents first, and commits.

    Returns:
        Rows of each table that was written to, afterwards.

    Raises:
        UnknownName: a table or column is not there.
        LoadFailed: tables differ, or the server does not take the rows; nothing was changed.
        RestoreRefused: rows would refer to rows that do not exist; nothing was changed.
    """
    ours = {table.name: table for table in store.tables()}
    theirs = {table.name: table for table in sink.tables()}
    for choice in choices:
        _compare(choice, ours, theirs, sink.location)
    wanted = {choice.table for choice in choices}
    touched = [table for table in parents_first(theirs.values()) if table.name in wanted]
    sink.begin(touched)
    for table in reversed(touched):
        _delete(store, sink, table, [choice for choice in choices if choice.table == table.name])
    for table in touched:
        for choice in choices:
            if choice.table == table.name:
                rows = store.rows(ours[table.name], _condition(store.database, choice))
                sink.insert(table, table.written_names, written_rows(ours[table.name], rows, cancelled))
        sink.raise_counter(table, store.counter(ours[table.name]))
    _prove(store, sink, choices, theirs)
    counts = {table.name: sink.count(table) for table in touched}
    sink.commit()
    return counts


def _compare(choice: Choice, ours: Mapping[str, TableInfo], theirs: Mapping[str, TableInfo], destination: str) -> None:
    for where in (ours, theirs):
        if choice.table not in where:
            raise UnknownName(what="table", name=choice.table, known=", ".join(sorted(where)))
    columns = ours[choice.table].column_names
    if columns != theirs[choice.table].column_names:
        raise LoadFailed(destination=destination, reason=f"table {choice.table} has other columns in the backup")
    for column, _value in choice.values:
        if column not in columns:
            raise UnknownName(what="column", name=column, known=", ".join(columns))


def _delete(store: RowStore, sink: RowSink, table: TableInfo, choices: Sequence[Choice]) -> None:
    if any(not choice.values for choice in choices):
        sink.clear(table)
        return
    key = table.primary_key
    if not key:
        raise RestoreRefused(destination=table.name, reason="a table without a primary key is only restored whole")
    positions = [table.column_names.index(name) for name in key]
    for choice in choices:
        condition = _condition(store.database, choice)
        gone: list[Row] = [
            tuple(row[at] for at in positions) for side in (store, sink) for row in side.rows(table, condition)
        ]
        sink.delete(table, key, gone)


def _prove(store: RowStore, sink: RowSink, choices: Sequence[Choice], theirs: Mapping[str, TableInfo]) -> None:
    for choice in choices:
        condition = _condition(store.database, choice)
        table = theirs[choice.table]
        expected, found = store.count(table, condition), sink.count(table, condition)
        if expected != found:
            reason = f"table {choice.table} would have {found} of the chosen rows instead of {expected}"
            raise RestoreMismatch(destination=sink.location, reason=reason)
    wanted = {choice.table for choice in choices}
    for child in theirs.values():
        for key in child.foreign_keys:
            if (child.name in wanted or key.parent in wanted) and sink.orphans(child, key):
                reason = f"rows of table {child.name} would refer to rows of {key.parent} that do not exist"
                raise RestoreRefused(destination=sink.location, reason=reason)


def _condition(database: str, choice: Choice) -> str:
    """An SQL expression; values are literals, which the server converts to the type of the column."""
    return " AND ".join(f"{_name(database, column)} = {_literal(database, value)}" for column, value in choice.values)


def _name(database: str, name: str) -> str:
    quote = "`" if database == "mysql" else '"'
    return quote + name.replace(quote, quote + quote) + quote


def _literal(database: str, value: str) -> str:
    text = value.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if database == "mysql" else text) + "'"
