"""What a MySQL or MariaDB database holds: tables, engines, and every object a dump must create."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from holdfast.sources.mysql_server import ask, qualified
from holdfast.sources.mysql_statements import Kind, Thing

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection

_ROUTINES = {
    "FUNCTION": Kind.FUNCTION,
    "PROCEDURE": Kind.PROCEDURE,
    "PACKAGE": Kind.PACKAGE,
    "PACKAGE BODY": Kind.PACKAGE_BODY,
}
# Sequences are tables to the server and hold no rows of the application.
_TABLES = """
SELECT t.TABLE_NAME, t.TABLE_TYPE, COALESCE(e.TRANSACTIONS, 'NO') FROM information_schema.TABLES t
LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = %s ORDER BY 1
"""
# CONVERT, because the catalogue and the list of users keep text in different character sets.
_LOST = """
SELECT what FROM (
    SELECT CONCAT('view ', TABLE_NAME) AS what, DEFINER AS who FROM information_schema.VIEWS
        WHERE TABLE_SCHEMA = %s
    UNION ALL SELECT CONCAT('trigger ', TRIGGER_NAME), DEFINER FROM information_schema.TRIGGERS
        WHERE TRIGGER_SCHEMA = %s
    UNION ALL SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME), DEFINER FROM information_schema.ROUTINES
        WHERE ROUTINE_SCHEMA = %s
    UNION ALL SELECT CONCAT('event ', EVENT_NAME), DEFINER FROM information_schema.EVENTS
        WHERE EVENT_SCHEMA = %s
) AS things WHERE who LIKE '%%@%%' AND CONVERT(who USING utf8mb4) COLLATE utf8mb4_bin NOT IN
    (SELECT CONVERT(CONCAT(User, '@', Host) USING utf8mb4) COLLATE utf8mb4_bin FROM mysql.user) ORDER BY 1
"""


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a database.

    Attributes:
        tables: base tables, by name.
        fickle: those whose engine has no transactions, so that no snapshot covers them.
        things: objects that a whole dump creates; triggers are only counted.
        triggers: their names, with the table of each.
        charset, collation: of the database itself.
        lost: what runs in the name of users that do not exist any more; empty where this user may not ask.
    """

    tables: tuple[str, ...]
    fickle: frozenset[str]
    things: frozenset[Thing]
    triggers: dict[str, str]
    charset: str
    collation: str
    server_version: str
    lost: tuple[str, ...] = ()


def read_catalog(connection: Connection, schema: str) -> Catalog:
    """Asks a connection. Raises `pymysql.Error`."""
    rows = ask(connection, _TABLES, (schema,))
    tables = [str(name) for name, kind, _engine in rows if kind == "BASE TABLE"]
    things = {Thing(Kind.TABLE, name) for name in tables}
    kinds = {"VIEW": Kind.VIEW, "SEQUENCE": Kind.SEQUENCE}
    things |= {Thing(kinds[str(kind)], str(name)) for name, kind, _engine in rows if kind in kinds}
    routines = ask(
        connection,
        "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = %s",
        (schema,),
    )
    things |= {Thing(_ROUTINES[str(kind)], str(name)) for name, kind in routines if kind in _ROUTINES}
    events = ask(connection, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = %s", (schema,))
    things |= {Thing(Kind.EVENT, str(name)) for (name,) in events}
    triggers = ask(
        connection,
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s ORDER BY 1",
        (schema,),
    )
    described = ask(
        connection,
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, VERSION() FROM information_schema.SCHEMATA "
        "WHERE SCHEMA_NAME = %s",
        (schema,),
    )
    charset, collation, version = described[0] if described else ("", "", "")
    return Catalog(
        tables=tuple(tables),
        fickle=frozenset(str(name) for name, kind, safe in rows if kind == "BASE TABLE" and safe != "YES"),
        things=frozenset(things),
        triggers={str(name): str(table) for name, table in triggers},
        charset=str(charset),
        collation=str(collation),
        server_version=str(version).removeprefix("5.5.5-"),
        lost=_lost(connection, schema),
    )


def _lost(connection: Connection, schema: str) -> tuple[str, ...]:
    import pymysql

    try:
        return tuple(str(name) for (name,) in ask(connection, _LOST, (schema,) * 4))
    except pymysql.Error:
        return ()  # the list of users is not for everybody


def count_rows(connection: Connection, schema: str, table: str) -> int:
    """Counts rows, and lets go of the table's definition at once if a transaction is open. Raises `pymysql.Error`."""
    # A transaction keeps everything it touched from being altered until it ends; a savepoint gives that back.
    ask(connection, "SAVEPOINT holdfast")
    try:
        [(count,)] = ask(connection, f"SELECT COUNT(*) FROM {qualified(schema, table)}")  # noqa: S608 - quoted
    finally:
        with contextlib.suppress(Exception):  # the error that matters is the first one
            ask(connection, "ROLLBACK TO SAVEPOINT holdfast")
    return int(str(count))
