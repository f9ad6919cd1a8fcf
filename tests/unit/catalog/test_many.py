"""Ten thousand backups: what a list needs is found by index, and little of it is read."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from holdfast.catalog import Catalog
from holdfast.model.backup import BackupType, StoredBackup
from unit.catalog.kit import NOON, a_backup

COUNT = 10_000


@pytest.fixture(scope="module")
def backups() -> list[StoredBackup]:
    kinds = list(BackupType)
    return [a_backup(number, kind=kinds[number % len(kinds)]) for number in range(COUNT)]


def test_ten_thousand(catalog: Catalog, backups: list[StoredBackup]) -> None:
    catalog.copies.replace("shop", "local", backups, NOON)
    assert catalog.copies.page("shop", limit=20, offset=5000) == backups[4999:4979:-1]
    totals = catalog.copies.totals("shop")
    assert (totals.backups, totals.copies) == (COUNT, COUNT)
    assert totals.stored_bytes == sum(backup.manifest.total_size for backup in backups)
    changed = [*backups[:-1], a_backup(COUNT)]
    catalog.copies.replace("shop", "local", changed, NOON)
    assert catalog.copies.totals("shop").backups == COUNT
    assert catalog.copies.of("shop", backups[-1].backup_id) == []


@pytest.mark.parametrize("kind", [None, BackupType.DATABASE])
def test_a_page_is_read_in_the_order_of_an_index(catalog: Catalog, kind: BackupType | None) -> None:
    with catalog.storage.read() as connection:
        if connection.dialect.name != "sqlite":
            return
    seen: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        seen.append((statement, parameters))

    sa.event.listen(catalog.storage.engine, "before_cursor_execute", note)
    catalog.copies.page("shop", kind)
    catalog.copies.totals("shop")
    sa.event.remove(catalog.storage.engine, "before_cursor_execute", note)
    with catalog.storage.read() as connection:
        plans = [
            " ".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in seen
            if statement.startswith("SELECT")
        ]
    assert "holdfast_copies_type" in plans[0] if kind else "holdfast_copies_newest" in plans[0]
    assert "TEMP B-TREE" not in plans[0], "the page is sorted by the index, not by sorting everything"
    assert "COVERING INDEX holdfast_copies_totals" in plans[-1]
