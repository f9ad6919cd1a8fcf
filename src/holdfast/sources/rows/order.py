"""The order in which tables are filled."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.sources.rows.store import TableInfo


def parents_first(tables: Iterable[TableInfo]) -> list[TableInfo]:
    """Tables with those first that others refer to; tables that refer to each other in a ring come by name.

    The order is the same for the same tables, and nothing rests on it: keys are proved at the end of the transaction.
    """
    left = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    ordered: list[TableInfo] = []
    while left:
        ready = [table for table in left.values() if not any(parent in left for parent in table.parents)]
        ordered.extend(left.pop(table.name) for table in ready or [next(iter(left.values()))])
    return ordered
