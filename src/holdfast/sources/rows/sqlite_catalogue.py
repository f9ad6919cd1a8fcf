"""What tables a SQLite database has."""

from __future__ import annotations

import hashlib
import sqlite3

from holdfast.sources.rows.sql import double_quoted
from holdfast.sources.rows.store import Column, ForeignKey, TableInfo

_VIRTUAL_GENERATED, _STORED_GENERATED, _NORMAL = 2, 3, 0


def read_tables(connection: sqlite3.Connection) -> list[TableInfo]:
    """All ordinary tables and the shadow tables that hold the content of virtual ones, by name."""
    listed = connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return [_table(connection, name, without_rowid=bool(wr)) for name, wr in listed]


def shadow_tables(connection: sqlite3.Connection) -> frozenset[str]:
    """Tables that belong to virtual tables."""
    found = connection.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
    return frozenset(name for (name,) in found)


def schema_sha256(connection: sqlite3.Connection) -> str:
    """Fingerprint of everything that was created: tables, indexes, views, triggers."""
    hashed = hashlib.sha256()
    for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"):
        hashed.update(repr(row).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


def _table(connection: sqlite3.Connection, name: str, *, without_rowid: bool) -> TableInfo:
    columns: list[Column] = []
    keys: dict[int, tuple[str, bool, str]] = {}
    shown = connection.execute('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', (name,))
    for column, kind, not_null, key, hidden in shown.fetchall():
        if hidden in (_NORMAL, _VIRTUAL_GENERATED, _STORED_GENERATED):
            columns.append(Column(name=column, type=kind, generated=hidden != _NORMAL))
        if key:
            keys[key] = (column, bool(not_null), kind)
    primary_key = tuple(keys[number][0] for number in sorted(keys))
    rowid_alias = len(keys) == 1 and keys[1][2].upper() == "INTEGER" and not without_rowid
    if not rowid_alias and not without_rowid and _holds_null(connection, name, keys):
        primary_key = ()
    return TableInfo(
        name=name,
        columns=tuple(columns),
        primary_key=primary_key,
        foreign_keys=_foreign_keys(connection, name),
        counter=primary_key[0] if rowid_alias and _counts(connection, name) else "",
    )


def _holds_null(connection: sqlite3.Connection, table: str, keys: dict[int, tuple[str, bool, str]]) -> bool:
    # SQLite lets NULL into a primary key, any number of times: such a key names no row.
    loose = [double_quoted(column) for column, not_null, _kind in keys.values() if not not_null]
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
