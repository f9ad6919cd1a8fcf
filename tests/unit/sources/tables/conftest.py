"""Servers and databases, as for the tests of rows."""

from __future__ import annotations

from unit.sources.rows.conftest import mysql, new_database, postgresql

__all__ = ["mysql", "new_database", "postgresql"]
