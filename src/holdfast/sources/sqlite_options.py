"""What a source of kind `sqlite` is told."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class SqliteOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a source of kind `sqlite`.

    Attributes:
        path: the database file; relative to the configuration file.
        method: `backup` copies page by page, so that copies deduplicate; `vacuum` writes a compact copy.
        busy_timeout_s: how long to wait for a writer that keeps the database locked.
        integrity: `full` also compares every index with its table; `quick` leaves that out.
    """

    path: Annotated[str, msgspec.Meta(min_length=1)]
    method: Literal["backup", "vacuum"] = "backup"
    busy_timeout_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    integrity: Literal["full", "quick"] = "full"
