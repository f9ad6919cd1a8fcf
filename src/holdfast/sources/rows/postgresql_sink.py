"""Rows into PostgreSQL."""

from __future__ import annotations

from holdfast.sources.rows.postgresql_store import PostgresqlRows


class PostgresqlSink(PostgresqlRows):
    """A `RowSink` over a connection of its own."""
