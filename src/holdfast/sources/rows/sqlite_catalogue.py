"""What tables a SQLite database has."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from typing import NamedTuple

import msgspec

from holdfast.sources.rows.sql import double_quoted
from holdfast.sources.rows.store import Column, ForeignKey, TableInfo

_CONTENT = re.compile(r"using\s+fts[345].*?\bcontent\s*=\s*(['\"\[`]?)([^'\"\]`,)]+)", re.IGNORECASE | re.DOTALL)
_VIRTUAL_GENERATED, _STORED_GENERATED, _NORMAL = 2, 3, 0


class _KeyColumn(NamedTuple):
    name: str
    not_null: bool
    type: str


def read_tables(connection: sqlite3.Connection) -> list[TableInfo]:
    """All ordinary tables and the shadow tables that hold the content of virtual ones, by name."""
    listed = connection.execute(
        "SELECT name, wr, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    tables: list[TableInfo] = []
    for name, wr, kind in listed:
        table = _table(connection, name, without_rowid=bool(wr))
        tables.append(msgspec.structs.replace(table, internal=kind == "shadow"))
    return tables


def search_indexes(connection: sqlite3.Connection, tables: frozenset[str]) -> list[str]:
    """Full text indexes that take their texts from one of these tables (`content=` in their definition)."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'create virtual%'"
    )
    indexes: list[str] = []
    for name, statement in found.fetchall():
        content = _CONTENT.search(str(statement))
        if content is not None and content.group(2).casefold() in {table.casefold() for table in tables}:
            indexes.append(str(name))
    return indexes


def schema_sha256(connection: sqlite3.Connection) -> str:
    """Fingerprint of everything that was created: tables, indexes, views, triggers."""
    hashed = hashlib.sha256()
    for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"):
        hashed.update(repr(row).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


def _table(connection: sqlite3.Connection, name: str, *, without_rowid: bool) -> TableInfo:
    columns: list[Column] = []
    keys: dict[int, _KeyColumn] = {}
    shown = connection.execute('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', (name,))
    for column, kind, not_null, key, hidden in shown.fetchall():
        if hidden in (_NORMAL, _VIRTUAL_GENERATED, _STORED_GENERATED):
            columns.append(Column(name=column, type=kind, generated=hidden != _NORMAL))
        if key:
            keys[key] = _KeyColumn(column, bool(not_null), kind)
    primary_key = tuple(keys[number].name for number in sorted(keys))
    types = [column.type.upper() for column in keys.values()]
    rowid_alias = types == ["INTEGER"] and not without_rowid
    if not rowid_alias and not without_rowid and _holds_null(connection, name, keys):
        primary_key = ()
    return TableInfo(
        name=name,
        columns=tuple(columns),
        primary_key=primary_key,
        foreign_keys=_foreign_keys(connection, name),
        counter=next(iter(primary_key), "") if rowid_alias and _counts(connection, name) else "",
    )


def _holds_null(connection: sqlite3.Connection, table: str, keys: dict[int, _KeyColumn]) -> bool:
    # SQLite lets NULL into a primary key, any number of times: such a key names no row.
    loose = [double_quoted(column.name) for column in keys.values() if not column.not_null]
    if not loose:
        return False
    condition = " OR ".join(f"{column} IS NULL" for column in loose)
    return connection.execute(f"SELECT 1 FROM {double_quoted(table)} WHERE {condition} LIMIT 1").fetchone() is not None  # noqa: S608


def _counts(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND sql LIKE '%autoincrement%'", (table,)
    ).fetchone()
    return found is not None


def _foreign_keys(connection: sqlite3.Connection, table: str) -> tuple[ForeignKey, ...]:
    parts: dict[int, list[tuple[str, str, str | None]]] = {}
    shown = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (table,)
    )
    for number, parent, ours, theirs in shown.fetchall():
        parts.setdefault(number, []).append((parent, ours, theirs))
    keys: list[ForeignKey] = []
    for number, columns in sorted(parts.items()):
        parent = _spelled(connection, columns[0][0])
        theirs = [column[2] for column in columns]
        named = [column for column in theirs if column is not None] or _primary_key(connection, parent)
        if len(named) == len(columns):
            ours = tuple(column[1] for column in columns)
            keys.append(ForeignKey(name=f"{table}#{number}", columns=ours, parent=parent, parent_columns=tuple(named)))
    return tuple(keys)


def _spelled(connection: sqlite3.Connection, table: str) -> str:
    """A table's name as it was created; foreign keys may spell it in other letters."""
    found = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE", (table,)
    ).fetchone()
    return table if found is None else str(found[0])


def _primary_key(connection: sqlite3.Connection, table: str) -> list[str]:
    found = connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table,))
    return [name for (name,) in found.fetchall()]
