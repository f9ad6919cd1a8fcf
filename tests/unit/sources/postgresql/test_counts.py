"""Rows are counted beside the dump: what keeps them from being counted is no agreement."""

from __future__ import annotations

from typing import Any, cast

import pytest

from holdfast.errors import InternalError
from holdfast.sources import postgresql_counts
from holdfast.sources.postgresql_catalog import Catalog
from holdfast.sources.postgresql_counts import HeldSnapshot
from holdfast.sources.postgresql_names import TableName
from holdfast.sources.postgresql_options import PostgresqlOptions
from holdfast.sources.postgresql_server import PostgresqlServer
from holdfast.testing.stand_in import standing_in

TABLES = {name: name for name in (TableName("public", "a"), TableName("public", "b"))}


def test_a_defect_in_counting_is_told() -> None:
    snapshot = HeldSnapshot(cast(PostgresqlServer, object()), PostgresqlOptions())
    snapshot.catalog = Catalog(
        tables=TABLES, things=frozenset(), large_objects=0, server_version="", encoding="", collate="", ctype=""
    )
    snapshot._connection = cast(Any, object())

    def count_rows(_connection: object, table: TableName) -> int:
        if table.name == "b":
            raise KeyError("defect")
        return 7

    with standing_in(postgresql_counts, count_rows=count_rows), pytest.raises(InternalError):
        snapshot.counts()
