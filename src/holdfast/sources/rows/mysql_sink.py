"""Rows into MariaDB and MySQL."""

from __future__ import annotations

from holdfast.sources.rows.mysql_store import MysqlRows


class MysqlSink(MysqlRows):
    """A `RowSink` over a connection of its own."""
