"""The source `mysql`: one database of a MySQL or MariaDB server."""

from __future__ import annotations

from holdfast.sources.mysql_options import MysqlOptions

__all__ = ["MysqlOptions"]
