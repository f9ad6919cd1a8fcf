"""Rows of MariaDB and MySQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    Connect = Callable[[], Connection[Cursor]]


class MysqlRows:
    """A `RowStore` over a connection of its own, in one `START TRANSACTION WITH CONSISTENT SNAPSHOT`.

    Args:
        connect: opens a connection (`pymysql.connect` with the database named, charset utf8mb4); converters and
            settings of the session are set here; closed when the context is left.
        location: the database for people, without secrets.
        source: the source's name, for errors.
    """

    def __init__(self, connect: Connect, location: str, source: str) -> None:
        self._connect = connect
        self._location = location
        self._source = source
