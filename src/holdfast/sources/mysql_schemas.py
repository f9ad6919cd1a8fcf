"""Schemas of a MySQL or MariaDB server as wholes, and what is programmed in them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from holdfast.errors import LoadFailed, Phrase
from holdfast.sources.mysql_catalog import Catalog, read_catalog
from holdfast.sources.mysql_run import Programmed
from holdfast.sources.mysql_server import MysqlServer, ask, qualified
from holdfast.sources.mysql_statements import Kind, Thing
from holdfast.sources.rows.sql import backquoted
from holdfast.sources.server_load import beside

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection

MARK = "holdfast_restoring"
_NAME_CHARACTERS = 64
_FOREIGN_KEYS = """
SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = %s AND UNIQUE_CONSTRAINT_SCHEMA = %s ORDER BY 1, 2
"""
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def schema_exists(connection: Connection, name: str) -> bool:
    """Whether there is such a schema. Raises `pymysql.Error`."""
    found = ask(connection, "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", (name,))
    return bool(found)


def free_name(connection: Connection, name: str, word: str, stamp: str) -> str:
    """A free name beside another. Raises `pymysql.Error`."""
    return beside(name, word, stamp, _NAME_CHARACTERS, lambda text: schema_exists(connection, text), len)


def create_schema(connection: Connection, name: str, facts: Mapping[str, str]) -> None:
    """Makes an empty schema with the character set that `facts` name. Raises `pymysql.Error`."""
    charset, collation = facts.get("charset", ""), facts.get("collation", "")
    known = charset and collation and set(charset) | set(collation) <= _SAFE
    tail = f" CHARACTER SET {charset} COLLATE {collation}" if known else ""
    ask(connection, f"CREATE DATABASE {backquoted(name)}{tail}")


def drop_schema(connection: Connection, name: str) -> None:
    """Drops a schema that this restore made, or that it replaced and nobody wants to keep. Raises `pymysql.Error`."""
    # SAFETY: the only place that drops schemas; callers pass names they made, or one that was empty before.
    ask(connection, f"DROP DATABASE IF EXISTS {backquoted(name)}")


def drop_leftovers(connection: Connection, name: str) -> None:
    """Drops what restores of this schema left that were killed. Raises `pymysql.Error`."""
    like = name[:20].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%\\_restore\\_%"
    statement = "SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME = %s AND TABLE_SCHEMA LIKE %s"
    for (leftover,) in ask(connection, statement, (MARK, like)):
        drop_schema(connection, str(leftover))


def mark(connection: Connection, schema: str) -> None:
    """Marks a schema as a restore under way. Raises `pymysql.Error`."""
    # A view, because everything that counts or moves tables would meet a table.
    ask(connection, f"CREATE VIEW {qualified(schema, MARK)} AS SELECT 1 AS id")


def is_empty(catalog: Catalog) -> bool:
    """Whether a schema holds nothing at all."""
    return not catalog.things and not catalog.triggers


def catalog_of(connection: Connection, schema: str) -> Catalog:
    """What is in a schema, without the mark. Raises `pymysql.Error`."""
    catalog = read_catalog(connection, schema)
    return msgspec.structs.replace(catalog, things=catalog.things - {Thing(Kind.VIEW, MARK)})


class Dangling(NamedTuple):
    """A foreign key whose parent is not there: table, name, and the clause that defines it."""

    table: str
    name: str
    clause: str


def read_dangling(connection: Connection, schema: str, catalog: Catalog) -> list[Dangling]:
    """Foreign keys of a schema whose parent should be in it and is not. Raises `pymysql.Error`."""
    rows = ask(connection, _FOREIGN_KEYS, (schema, schema))
    found: list[Dangling] = []
    for table, name, parent in rows:
        if str(parent) in catalog.tables:
            continue
        [(_table, created, *_more)] = ask(connection, f"SHOW CREATE TABLE {qualified(schema, str(table))}")
        head = f"CONSTRAINT {backquoted(str(name))} FOREIGN KEY"
        lines = [line.strip().rstrip(",") for line in str(created).splitlines()]
        found += [Dangling(str(table), str(name), line) for line in lines if line.startswith(head)]
    return found


def read_programmed(server: MysqlServer, schema: str, catalog: Catalog) -> list[Programmed]:
    """Views, routines, triggers and events of a schema, as they can be created again.

    Raises:
        LoadFailed: this user may not see how one of them is made, so that it could not be put back.
    """
    import pymysql

    found: list[Programmed] = []
    things = [thing for thing in catalog.things if thing.kind in _SHOW]
    things += [Thing(Kind.TRIGGER, name) for name in catalog.triggers]
    with contextlib.closing(server.connect(schema)) as connection:
        for thing in sorted(things):
            shown, reader = _SHOW[thing.kind]
            try:
                [row] = ask(connection, f"SHOW CREATE {shown} {backquoted(thing.name)}")
            except (pymysql.Error, ValueError) as error:
                raise LoadFailed(
                    destination=server.location, reason=f"{thing.shown}: {server.reason(error)}"
                ) from error
            statement, mode, charset, collation, zone = reader(row)
            if statement is None:
                reason = Phrase(
                    "this user may not see how {shown} is made, and could not put it back", {"shown": thing.shown}
                )
                raise LoadFailed(destination=server.location, reason=reason)
            programmed = Programmed(thing, str(statement).encode(), str(mode), str(charset), str(collation), str(zone))
            found.append(programmed)
    return sorted(found, key=lambda programmed: list(_SHOW).index(programmed.thing.kind))


Row = tuple[object, ...]
_Reader = Callable[[Row], Row]


def _routine(row: Row) -> Row:
    return row[2], row[1], row[3], row[4], "SYSTEM"


def _view(row: Row) -> Row:
    return row[1], "", row[2], row[3], "SYSTEM"


def _event(row: Row) -> Row:
    return row[3], row[1], row[4], row[5], row[2]


# In the order in which they can be created.
_SHOW: dict[Kind, tuple[str, _Reader]] = {
    Kind.PACKAGE: ("PACKAGE", _routine),
    Kind.PACKAGE_BODY: ("PACKAGE BODY", _routine),
    Kind.FUNCTION: ("FUNCTION", _routine),
    Kind.PROCEDURE: ("PROCEDURE", _routine),
    Kind.VIEW: ("VIEW", _view),
    Kind.TRIGGER: ("TRIGGER", _routine),
    Kind.EVENT: ("EVENT", _event),
}
