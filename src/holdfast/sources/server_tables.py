"""Brings chosen tables or rows from one database into another, in one transaction."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from holdfast.errors import LoadFailed, Phrase, RestoreMismatch, RestoreRefused, UnknownName
from holdfast.sources.rows.apply import written_rows
from holdfast.sources.rows.cells import Row
from holdfast.sources.rows.order import parents_first
from holdfast.sources.rows.store import ForeignKey, RowSink, RowStore, TableInfo
from holdfast.sources.tables_safety import keep_tables


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


class Brought(NamedTuple):
    """Rows that were brought over, by table, and the files that hold the tables as they were."""

    rows: dict[str, int]
    safety_copies: tuple[str, ...]


def bring_over(
    store: RowStore,
    sink: RowSink,
    choices: Sequence[Choice],
    cancelled: Callable[[], None],
    keep_in: Path | None = None,
) -> Brought:
    """Replaces tables or rows of `sink` by those of `store`, parents first, and commits.

    Args:
        keep_in: a folder to make and to keep the tables in as they are now, one JSON file each; None not to.

    Raises:
        UnknownName: a table or column is not there.
        LoadFailed: tables differ, or the server does not take the rows; nothing was changed.
        RestoreRefused: the backup has no such row, or rows would refer to rows that do not exist; nothing was changed.
    """
    ours = {table.name: table for table in store.tables()}
    theirs = {table.name: table for table in sink.tables()}
    for choice in choices:
        _compare(choice, ours, theirs, sink.location)
        if choice.values and not store.count(ours[choice.table], _condition(store.database, choice)):
            reason = Phrase("the backup has no such row of table {table}", {"table": choice.table})
            raise RestoreRefused(destination=sink.location, reason=reason)
    wanted = {choice.table for choice in choices}
    touched = [table for table in parents_first(theirs.values()) if table.name in wanted]
    keys = list(_keys_around(wanted, theirs))
    sink.begin(touched)
    before = [sink.orphans(child, key) for child, key in keys]
    kept = () if keep_in is None else keep_tables(sink, touched, keep_in, cancelled)
    for table in reversed(touched):
        _delete(store, sink, table, [choice for choice in choices if choice.table == table.name])
    for table in touched:
        for choice in choices:
            if choice.table == table.name:
                rows = store.rows(ours[table.name], _condition(store.database, choice))
                sink.insert(table, table.written_names, written_rows(ours[table.name], rows, cancelled))
        sink.raise_counter(table, store.counter(ours[table.name]))
    _prove(store, sink, choices, theirs)
    _refuse_orphans(sink, keys, before)
    counts = {table.name: sink.count(table, _any_of(store.database, table, choices)) for table in touched}
    sink.commit()
    return Brought(counts, kept)


def kept_in(base_dir: Path, stamp: str) -> Path:
    """A folder of ours that is not there yet, for tables of a server as they are before a restore."""
    plain = base_dir / ".holdfast" / f"before-restore-{stamp}"
    numbered = (plain.with_name(f"{plain.name}_{number}") for number in count(2))
    return plain if not plain.exists() else next(path for path in numbered if not path.exists())


def undo_tables(folder: Path | None, source: str, destination: str | None) -> str:
    """The command that brings tables back as they were; empty if they were not kept.

    Args:
        folder: where they are kept, one JSON file for each.
        source: the database.
        destination: a URL; None for the source's own place.
    """
    if folder is None:
        return ""
    # A URL may hold a password, which is shown nowhere.
    elsewhere = "" if destination is None else " --to URL"
    return f"holdfast restore {shlex.quote(str(folder))} --only {shlex.quote(source)}{elsewhere} --yes"


def _compare(choice: Choice, ours: Mapping[str, TableInfo], theirs: Mapping[str, TableInfo], destination: str) -> None:
    for where in (ours, theirs):
        if choice.table not in where:
            raise UnknownName(what="table", name=choice.table, known=", ".join(sorted(where)))
    columns = ours[choice.table].column_names
    if columns != theirs[choice.table].column_names:
        raise LoadFailed(
            destination=destination,
            reason=Phrase("table {table} has other columns in the backup", {"table": choice.table}),
        )
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
            reason = Phrase(
                "table {table} would have {found} of the chosen rows instead of {expected}",
                {"table": choice.table, "found": found, "expected": expected},
            )
            raise RestoreMismatch(destination=sink.location, reason=reason)


def _keys_around(wanted: Collection[str], theirs: Mapping[str, TableInfo]) -> Iterator[tuple[TableInfo, ForeignKey]]:
    """Foreign keys of the chosen tables and to them."""
    for child in theirs.values():
        for key in child.foreign_keys:
            if child.name in wanted or key.parent in wanted:
                yield child, key


def _refuse_orphans(sink: RowSink, keys: Sequence[tuple[TableInfo, ForeignKey]], before: Sequence[int]) -> None:
    """What was torn already is not the fault of these rows, and no reason to keep them out."""
    for (child, key), lost in zip(keys, before, strict=True):
        now = sink.orphans(child, key)
        if now > lost:
            reason = Phrase(
                "{count} rows of table {name} would refer to rows of {parent} that do not exist",
                {"count": now - lost, "name": child.name, "parent": key.parent},
            )
            raise RestoreRefused(destination=sink.location, reason=reason)


def _any_of(database: str, table: TableInfo, choices: Sequence[Choice]) -> str:
    """The condition of all rows of a table that are chosen; empty for the whole table."""
    conditions = [_condition(database, choice) for choice in choices if choice.table == table.name]
    return "" if "" in conditions else " OR ".join(f"({condition})" for condition in conditions)


def _condition(database: str, choice: Choice) -> str:
    """An SQL expression; values are literals, which the server converts to the type of the column."""
    return " AND ".join(f"{_name(database, column)} = {_literal(database, value)}" for column, value in choice.values)


def _name(database: str, name: str) -> str:
    quote = "`" if database == "mysql" else '"'
    return quote + name.replace(quote, quote + quote) + quote


def _literal(database: str, value: str) -> str:
    text = value.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if database == "mysql" else text) + "'"
