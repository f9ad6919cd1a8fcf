"""The mirror of the targets."""

from __future__ import annotations

import random

from msgspec.structs import replace

from holdfast.catalog import Catalog, CopyTotals
from holdfast.model.backup import BackupType, Marks, StoredBackup
from unit.catalog.kit import NOON, a_backup, after, raw


def test_a_copy_comes_back_whole(catalog: Catalog) -> None:
    backup = a_backup(
        1, marks=Marks(hold_reason="audit", held_at=after(5), damage="bad \ud83d"[:4], verified_at=after(9))
    )
    catalog.copies.put("shop", backup)
    assert catalog.copies.of("shop", backup.backup_id) == [backup]
    changed = replace(backup, marks=Marks(), location="/elsewhere")
    catalog.copies.put("shop", changed)
    assert catalog.copies.of("shop", backup.backup_id) == [changed]
    assert catalog.copies.of("blog", backup.backup_id) == []


def test_replace_makes_the_mirror_what_the_target_lists(catalog: Catalog, rng: random.Random) -> None:
    other = [a_backup(number, "offsite") for number in range(5)]
    catalog.copies.replace("shop", "offsite", other, NOON)
    for moment in range(1, 20):
        listed = [
            a_backup(number, marks=Marks(hold_reason=rng.choice(["", "kept"])))
            for number in sorted(rng.sample(range(30), rng.randrange(30)), reverse=True)
        ]
        catalog.copies.replace("shop", "local", listed, after(moment))
        assert catalog.copies.page("shop", limit=100, target="local") == listed
        assert catalog.copies.refreshed_at("shop", "local") == after(moment)
    assert catalog.copies.page("shop", limit=100, target="offsite") == other[::-1]
    assert catalog.copies.refreshed_at("shop", "nowhere") is None


def test_a_copy_that_was_put_while_the_target_was_listed_stays(catalog: Catalog) -> None:
    """The clock of the catalog stands in 2023, so that what is put is from then."""
    before, later = catalog.copies, a_backup(1)
    moment = NOON.replace(year=2020)
    before.put("shop", later)
    catalog.copies.replace("shop", "local", [], moment)
    assert catalog.copies.of("shop", later.backup_id) == [later], "the listing began before it was made"
    catalog.copies.replace("shop", "local", [], NOON)
    assert catalog.copies.of("shop", later.backup_id) == []


def test_pages_count_backups_and_hold_all_copies(catalog: Catalog) -> None:
    for target in ("offsite", "local"):
        catalog.copies.replace("shop", target, [a_backup(number, target) for number in range(10)], NOON)
    page = catalog.copies.page("shop", limit=3, offset=2)
    expected = [a_backup(number, target) for number in (7, 6, 5) for target in ("local", "offsite")]
    assert page == expected
    assert catalog.copies.page("shop", limit=3, offset=10) == []
    assert catalog.copies.page("blog") == []


def test_pages_of_a_type(catalog: Catalog) -> None:
    kinds = [BackupType.FULL, BackupType.DATABASE, BackupType.STORAGE]
    backups = [a_backup(number, kind=kinds[number % 3]) for number in range(12)]
    catalog.copies.replace("shop", "local", backups, NOON)
    assert catalog.copies.page("shop", BackupType.DATABASE, 2, 1) == [backups[7], backups[4]]
    assert catalog.copies.page("shop", BackupType.CONFIG) == []


def test_totals_are_those_of_a_sum_by_hand(catalog: Catalog, rng: random.Random) -> None:
    assert catalog.copies.totals("shop") == CopyTotals()
    everything: list[StoredBackup] = []
    for target in ("local", "offsite", "third"):
        listed = [
            a_backup(
                number,
                target,
                kind=list(BackupType)[number % 5],
                marks=Marks(hold_reason=rng.choice(["", "", "x"]), damaged_at=rng.choice([None, None, NOON])),
            )
            for number in rng.sample(range(40), 25)
        ]
        catalog.copies.replace("shop", target, listed, NOON)
        everything += listed
    by_id = {backup.backup_id: backup.manifest for backup in everything}
    totals = catalog.copies.totals("shop")
    assert totals.backups == len(by_id)
    assert totals.copies == len(everything)
    assert totals.stored_bytes == sum(backup.manifest.total_size for backup in everything)
    assert sum(totals.by_type.values()) == len(by_id)
    for kind, count in totals.by_type.items():
        assert count == sum(manifest.type is kind for manifest in by_id.values())
    assert totals.held == len({backup.backup_id for backup in everything if backup.marks.held})
    assert totals.damaged == len({backup.backup_id for backup in everything if backup.marks.damaged_at})
    assert totals.oldest_at == min(manifest.created_at for manifest in by_id.values())
    assert totals.newest_at == max(manifest.created_at for manifest in by_id.values())


def test_totals_follow_every_change(catalog: Catalog) -> None:
    """They are added up once and kept; a change by anybody makes them be added up again."""
    for count, change in enumerate(
        (
            lambda: catalog.copies.put("shop", a_backup(1)),
            lambda: catalog.copies.put("shop", a_backup(2)),
            lambda: catalog.copies.replace("shop", "local", [a_backup(number) for number in range(3)], NOON),
        ),
        start=1,
    ):
        change()
        first = catalog.copies.totals("shop")
        assert first.backups == count
        assert catalog.copies.totals("shop") == first
    catalog.copies.put("shop", a_backup(1, marks=Marks(hold_reason="x")))
    assert catalog.copies.totals("shop").held == 1
    catalog.copies.drop("shop", "local", a_backup(1).backup_id)
    assert (catalog.copies.totals("shop").held, catalog.copies.totals("shop").backups) == (0, 2)
    catalog.copies.put("blog", a_backup(1))
    assert catalog.copies.totals("shop").backups == 2


def test_drop(catalog: Catalog) -> None:
    for target in ("local", "offsite"):
        catalog.copies.put("shop", a_backup(1, target))
    catalog.copies.drop("shop", "local", a_backup(1).backup_id)
    catalog.copies.drop("shop", "local", "backup_2020_01_01_00_00_00")
    assert catalog.copies.of("shop", a_backup(1).backup_id) == [a_backup(1, "offsite")]


def test_an_unchanged_listing_writes_no_copy(catalog: Catalog) -> None:
    backups = [a_backup(number) for number in range(5)]
    catalog.copies.replace("shop", "local", backups, NOON)
    catalog.copies.replace("shop", "local", backups, after(60))
    assert raw(catalog, "SELECT count(DISTINCT seen_at), count(*) FROM holdfast_copies") == [(1, 5)]
    assert catalog.copies.refreshed_at("shop", "local") == after(60)
