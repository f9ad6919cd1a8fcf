"""Bringing the tables of a catalog up to this version."""

from __future__ import annotations

import os
from collections.abc import Callable

import sqlalchemy as sa

from holdfast.catalog.schema import VERSION_TABLE, facts
from holdfast.catalog.storage import Storage
from holdfast.errors import CatalogNewer, CatalogUnavailable

NEWEST = 1
"""Number of the newest migration of this version; a migration's revision is its number."""

# COMPAT(upgrade): written by migrations that old programs cannot live with; programs of that number and newer can.
OLDEST_PROGRAM = "oldest_program"

_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


def upgrade(storage: Storage, begin: Callable[[sa.Connection], None]) -> None:
    """Makes or changes the tables if they are not what this version works with.

    COMPAT(upgrade): a program meets a catalog that a newer one has changed, while both are in use. It works on if the
    newer one only added things, which is what migrations do; otherwise it stops before it touches anything.

    Args:
        storage: where the tables are.
        begin: writes what new tables hold from the beginning, in the transaction that makes them.

    Raises:
        CatalogNewer: this version cannot work with the tables.
        CatalogUnavailable: the file belongs to another program.
    """
    with storage.read() as connection:
        if _settled(connection, storage.place):
            return
    with storage.write() as connection:
        storage.take_turn(connection, "upgrade")
        if _settled(connection, storage.place):
            return
        new = _version(connection) is None
        _migrate(connection)
        if new:
            begin(connection)


def _settled(connection: sa.Connection, place: str) -> bool:
    version = _version(connection)
    if version is None:
        if connection.dialect.name == "sqlite" and sa.inspect(connection).get_table_names():
            raise CatalogUnavailable(place=place, reason="it is a database of another program")
        return False
    if version > NEWEST:
        oldest = connection.scalar(sa.select(facts.c.value).where(facts.c.name == OLDEST_PROGRAM))
        if int(oldest or 0) > NEWEST:
            raise CatalogNewer(place=place)
    return version >= NEWEST


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - our own constant
    return None if version is None else int(str(version))


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    # `%` has a meaning in Alembic's configuration, and may be in the name of a folder.
    config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
    command.upgrade(config, "head")
