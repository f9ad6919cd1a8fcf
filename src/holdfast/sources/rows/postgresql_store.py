"""Rows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

    Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]


class PostgresqlRows:
    """A `RowStore` over a connection of its own, in one read-only transaction of isolation REPEATABLE READ.

    Args:
        connect: opens a connection (`psycopg.connect`, autocommit off); closed when the context is left.
        location: the database for people, without secrets.
        source: the source's name, for errors.
        snapshot_id: what `pg_export_snapshot()` gave elsewhere, to see exactly that state; empty for a new one.
    """

    def __init__(self, connect: Connect, location: str, source: str, snapshot_id: str = "") -> None:
        self._connect = connect
        self._location = location
        self._source = source
        self._snapshot_id = snapshot_id
