"""Puts a restored schema in the place of the live one.

What is atomic and what is not: all tables, with all rows, change places in ONE statement, RENAME TABLE, so that nobody
ever sees some old and some new. MySQL has nothing like it for the rest. Triggers keep a table from changing schemas, so
those of the live tables are dropped right before that statement and the restored ones created right after it; views,
routines and events of the live schema are replaced after it. A run that is killed in between leaves either all old
tables without triggers, or all new tables with old views and routines; restoring again puts everything right.

Before anything is dropped, everything that is needed to go back is written into the table `holdfast_undo` of the schema
that keeps the former tables. A failure on the way goes back by it.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from holdfast.errors import DestinationBusy, HoldfastError, Phrase
from holdfast.sources.mysql_catalog import Catalog
from holdfast.sources.mysql_run import Loader, Programmed
from holdfast.sources.mysql_schemas import (
    catalog_of,
    create_schema,
    drop_schema,
    is_empty,
    read_dangling,
    read_programmed,
)
from holdfast.sources.mysql_server import MysqlServer, ask, qualified
from holdfast.sources.mysql_statements import Kind
from holdfast.sources.rows.sql import backquoted

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection

UNDO_TABLE = "holdfast_undo"
LOCK_WAIT_S = 30
_LOCK_WAIT_TIMEOUT = 1205
_DROPPED = (Kind.VIEW, Kind.EVENT, Kind.PROCEDURE, Kind.FUNCTION, Kind.PACKAGE_BODY, Kind.PACKAGE)


class Places(NamedTuple):
    """Names of schemas: the live one, the restored one, and where the former tables go."""

    live: str
    restored: str
    kept: str
    undone: str


def swap_in(server: MysqlServer, loader: Loader, places: Places, new: Sequence[Programmed], wait_s: int) -> bool:
    """Moves the restored tables into the live schema, and what was there out of it.

    Args:
        wait_s: how long to wait for transactions that hold a table.

    Returns:
        Whether anything was kept.

    Raises:
        DestinationBusy: somebody's transaction holds a table; nothing was changed.
        LoadFailed: the server did not take it; the live schema is as it was.
    """
    import pymysql

    try:
        with contextlib.closing(server.connect(places.live)) as connection:
            ask(connection, "SET SESSION foreign_key_checks = 0")
            ask(connection, f"SET SESSION lock_wait_timeout = {wait_s}")
            former, restored = catalog_of(connection, places.live), catalog_of(connection, places.restored)
            return _Swap(server, loader, places, connection, former, restored).run(new)
    except (pymysql.Error, OSError) as error:
        raise loader.failed(error) from error


class _Swap:
    def __init__(
        self,
        server: MysqlServer,
        loader: Loader,
        places: Places,
        connection: Connection,
        former: Catalog,
        restored: Catalog,
    ) -> None:
        self._server = server
        self._loader = loader
        self._places = places
        self._connection = connection
        self._former = former
        self._restored = restored
        self._dangling = read_dangling(connection, places.live, former)

    def run(self, new: Sequence[Programmed]) -> bool:
        places = self._places
        old = read_programmed(self._server, places.live, self._former)
        keeps = not is_empty(self._former)
        if keeps:
            self._keep(old)
        for name in self._restored.triggers:
            ask(self._connection, f"DROP TRIGGER {qualified(places.restored, name)}")
        try:
            # A key without its parent would find a new one in the live schema, and cascade from there into what is
            # kept. Keys whose parents move along follow them.
            for key in self._dangling:
                table = qualified(places.live, key.table)
                ask(self._connection, f"ALTER TABLE {table} DROP FOREIGN KEY {backquoted(key.name)}")
            for name in self._former.triggers:
                ask(self._connection, f"DROP TRIGGER {qualified(places.live, name)}")
            self._rename(
                _moves(self._former, places.live, places.kept) + _moves(self._restored, places.restored, places.live)
            )
        except BaseException:
            self._back_before_renaming(old, keeps=keeps)
            raise
        try:
            self._drop(_things(self._former))
            self._loader.create_programmed(self._connection, self._places.live, new)
        except BaseException:
            self._back(old)
            raise
        return keeps

    def _keep(self, old: Sequence[Programmed]) -> None:
        """Makes the schema that takes the former tables, and writes down the way back."""
        places = self._places
        create_schema(
            self._connection, places.kept, {"charset": self._former.charset, "collation": self._former.collation}
        )
        table = qualified(places.kept, UNDO_TABLE)
        ask(self._connection, f"CREATE TABLE {table} (id INT PRIMARY KEY, statement LONGTEXT) CHARACTER SET utf8mb4")
        steps = [*self._undo_tables(), *self._undo_drops()]
        lines = [f"{step};" for step in steps]
        for programmed in old:
            lines += [f"{setting};" for setting in programmed.settings]
            lines.append(f"DELIMITER //holdfast//\n{programmed.text.decode()}\n//holdfast//\nDELIMITER ;")
        for number, line in enumerate(lines):
            insert = f"INSERT INTO {table.replace('%', '%%')} VALUES (%s, %s)"  # noqa: S608 - quoted
            ask(self._connection, insert, (number, line))

    def _undo_tables(self) -> list[str]:
        places = self._places
        steps = [f"DROP TRIGGER IF EXISTS {qualified(places.live, name)}" for name in self._restored.triggers]
        moves = _moves(self._restored, places.live, places.undone) + _moves(self._former, places.kept, places.live)
        steps.append("SET foreign_key_checks = 0")
        steps.append(f"CREATE DATABASE IF NOT EXISTS {backquoted(places.undone)}")
        steps += [f"RENAME TABLE {', '.join(moves)}"] if moves else []
        return [*steps, *self._undo_keys()]

    def _undo_keys(self) -> list[str]:
        return [f"ALTER TABLE {qualified(self._places.live, key.table)} ADD {key.clause}" for key in self._dangling]

    def _undo_drops(self) -> list[str]:
        return [
            f"DROP {kind.upper()} IF EXISTS {qualified(self._places.live, name)}"
            for kind, name in sorted({*_things(self._restored), *_things(self._former)})
        ]

    def _drop(self, things: Sequence[tuple[Kind, str]]) -> None:
        for kind, name in things:
            ask(self._connection, f"DROP {kind.upper()} IF EXISTS {qualified(self._places.live, name)}")

    def _rename(self, moves: Sequence[str]) -> None:
        import pymysql

        if not moves:
            return
        try:
            ask(self._connection, f"RENAME TABLE {', '.join(moves)}")
        except pymysql.Error as error:
            if error.args[:1] == (_LOCK_WAIT_TIMEOUT,):
                reason = "a transaction holds a table and does not end"
                raise DestinationBusy(destination=self._server.location, reason=reason) from error
            raise

    def _back_before_renaming(self, old: Sequence[Programmed], *, keeps: bool) -> None:
        """The tables are where they were: their triggers are created again."""
        import pymysql

        for step in self._undo_keys():
            with contextlib.suppress(pymysql.Error, OSError):  # it may be there still
                ask(self._connection, step)
        with contextlib.suppress(pymysql.Error, OSError, HoldfastError):
            present = set(catalog_of(self._connection, self._places.live).triggers)
            gone = [one for one in old if one.thing.kind is Kind.TRIGGER and one.thing.name not in present]
            self._loader.create_programmed(self._connection, self._places.live, gone)
            if keeps:
                drop_schema(self._connection, self._places.kept)

    def _back(self, old: Sequence[Programmed]) -> None:
        """The tables changed places already: everything goes back."""
        import pymysql

        # Should this fail as well, `holdfast_undo` still tells how to go back, and a new restore puts things right.
        with contextlib.suppress(pymysql.Error, OSError, HoldfastError):
            for step in (*self._undo_tables(), *self._undo_drops()):
                ask(self._connection, step)
            self._loader.create_programmed(self._connection, self._places.live, old)
            drop_schema(self._connection, self._places.undone)
            drop_schema(self._connection, self._places.kept)


def _things(catalog: Catalog) -> list[tuple[Kind, str]]:
    """What is dropped by name, dependants first."""
    return [(thing.kind, thing.name) for kind in _DROPPED for thing in sorted(catalog.things) if thing.kind is kind]


def _moves(catalog: Catalog, origin: str, place: str) -> list[str]:
    names = sorted(thing.name for thing in catalog.things if thing.kind in (Kind.TABLE, Kind.SEQUENCE))
    return [f"{qualified(origin, name)} TO {qualified(place, name)}" for name in names]


def undo_sentence(places: Places) -> str:
    """What a person types to have the former state back."""
    select = f"SELECT statement FROM {qualified(places.kept, UNDO_TABLE)} ORDER BY id"  # noqa: S608 - quoted
    return Phrase(
        "Stop the application and run: mariadb --batch --raw --skip-column-names --execute {select}"
        " | mariadb --comments {live}",
        {"select": shlex.quote(select), "live": shlex.quote(places.live)},
    )
