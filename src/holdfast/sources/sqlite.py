"""SQLite databases."""

from __future__ import annotations

from holdfast.sources.sqlite_options import SqliteOptions

__all__ = ["SqliteOptions"]
