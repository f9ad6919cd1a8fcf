"""The source `postgresql`: one database of a PostgreSQL server."""

from __future__ import annotations

from holdfast.sources.postgresql_options import PostgresqlOptions

__all__ = ["PostgresqlOptions"]
