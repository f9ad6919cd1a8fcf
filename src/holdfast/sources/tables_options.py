"""Options of the source `tables`."""

from __future__ import annotations

from typing import Literal

import msgspec


class TablesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tables of a database, one JSON file each.

    Attributes:
        database: the name of the source that is the database.
        tables: names, or patterns with `*`; empty for all. PostgreSQL: `schema.table` outside of `public`.
        exclude: names or patterns of tables to leave out.
        where: by table, an SQL condition that chooses rows. It is run as it is written.
        with_related: also keep the rows that foreign keys lead to.
        mode: what a restore of a whole table does with rows that the backup does not have: `replace` deletes them,
            `merge` leaves them.
        with_parents: a restore adds related rows that are not there any more.
    """

    database: str
    tables: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    where: dict[str, str] = {}
    with_related: bool = False
    mode: Literal["replace", "merge"] = "replace"
    with_parents: bool = False
