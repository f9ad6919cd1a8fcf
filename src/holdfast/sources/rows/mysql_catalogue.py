"""What tables a MariaDB or MySQL database has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable

from holdfast.sources.rows.sql import backquoted
from holdfast.sources.rows.store import Column, ForeignKey, TableInfo

Query = Callable[..., list[tuple[object, ...]]]
"""Runs a statement with parameters and gives all rows; texts are `str`."""

_TABLES = """
SELECT t.TABLE_NAME, coalesce(e.TRANSACTIONS, 'NO') FROM information_schema.TABLES t
LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY t.TABLE_NAME
"""
_COLUMNS = """
SELECT COLUMN_NAME, COLUMN_TYPE, EXTRA, COLUMN_KEY FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION
"""
_PRIMARY = """
SELECT COLUMN_NAME FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX
"""
_FOREIGN = """
SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND REFERENCED_TABLE_SCHEMA = DATABASE()
ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION
"""
_JSON = """
SELECT c.COLUMN_NAME FROM information_schema.COLUMNS c
JOIN information_schema.CHECK_CONSTRAINTS k ON k.CONSTRAINT_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = %s AND c.DATA_TYPE = 'longtext'
  AND k.CHECK_CLAUSE = concat('json_valid(`', c.COLUMN_NAME, '`)')
"""
_OTHERS = """
SELECT TABLE_NAME, VIEW_DEFINITION, DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1;
SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, ACTION_ORDER
FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1;
SELECT SPECIFIC_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, DTD_IDENTIFIER, SQL_MODE
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 2, 1;
SELECT SPECIFIC_NAME, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER
FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = DATABASE() ORDER BY ROUTINE_TYPE, 1, 2;
SELECT EVENT_NAME, EVENT_DEFINITION, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STATUS
FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1
"""
_NEXT = re.compile(r"\n\) ENGINE=[^\n]*? AUTO_INCREMENT=(\d+)")
_COUNTED = re.compile(r" AUTO_INCREMENT=\d+")


def counted(created: str) -> int | None:
    """The next number of AUTO_INCREMENT, from the statement that creates a table."""
    found = _NEXT.search(created)
    return int(found.group(1)) if found is not None else None


def read_tables(query: Query) -> list[TableInfo]:
    """All base tables, by name; no views, no sequences."""
    return [_table(query, str(name), transactional=flag == "YES") for name, flag in query(_TABLES)]


def schema_sha256(query: Query) -> str:
    """Fingerprint of everything that was created: tables, views, triggers, routines, events."""
    hashed = hashlib.sha256()
    for name, _flag in query(_TABLES):
        [(_name, created, *_more)] = query(f"SHOW CREATE TABLE {backquoted(str(name))}")
        _feed(hashed.update, (name, _COUNTED.sub("", str(created))))
    for statement in _OTHERS.split(";"):
        for row in query(statement):
            _feed(hashed.update, row)
    return hashed.hexdigest()


def triggers(query: Query, tables: Iterable[str]) -> list[tuple[str, str]]:
    """Names of the triggers of tables, with the tables."""
    wanted = frozenset(tables)
    found = query(
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS"
        " WHERE TRIGGER_SCHEMA = DATABASE()"
        " ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    )
    return [(str(name), str(table)) for name, table in found if table in wanted]


def _feed(update: Callable[[bytes], object], row: Iterable[object]) -> None:
    update(repr(tuple(row)).encode("utf-8", "surrogatepass"))


def _table(query: Query, name: str, *, transactional: bool) -> TableInfo:
    documents = {str(column) for (column,) in _checked_documents(query, name)}
    columns: list[Column] = []
    counter = ""
    for column, kind, extra, _key in query(_COLUMNS, (name,)):
        text = str(extra).upper()
        column_type = "json" if column in documents else str(kind)
        # `DEFAULT_GENERATED` is MySQL's word for a default that is an expression.
        generated = "GENERATED" in text.replace("DEFAULT_GENERATED", "") or "INVISIBLE SYSTEM" in text
        columns.append(Column(name=str(column), type=column_type, generated=generated))
        counter = str(column) if "AUTO_INCREMENT" in text else counter
    return TableInfo(
        name=name,
        columns=tuple(columns),
        primary_key=tuple(str(column) for (column,) in query(_PRIMARY, (name,))),
        foreign_keys=_foreign_keys(query, name),
        counter=counter,
        transactional=transactional,
    )


def _checked_documents(query: Query, table: str) -> list[tuple[object, ...]]:
    # COMPAT(mariadb): its type JSON is a text with a check. MySQL names the type and has another catalogue of checks.
    [(version,)] = query("SELECT VERSION()")
    return query(_JSON, (table,)) if "mariadb" in str(version).lower() else []


def _foreign_keys(query: Query, table: str) -> tuple[ForeignKey, ...]:
    parts: dict[str, list[tuple[str, str, str]]] = {}
    for name, column, parent, theirs in query(_FOREIGN, (table,)):
        parts.setdefault(str(name), []).append((str(column), str(parent), str(theirs)))
    return tuple(
        ForeignKey(
            name=name,
            columns=tuple(column for column, _parent, _theirs in columns),
            parent=columns[0][1],
            parent_columns=tuple(theirs for _column, _parent, theirs in columns),
        )
        for name, columns in parts.items()
    )
