"""The audit log: every change of it is found, whoever makes it and however."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta, timezone

import pytest
import sqlalchemy as sa

from holdfast.catalog import Catalog, open_catalog
from holdfast.model.access import AuditEntry
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY, NOON, after, raw

COUNT = 12
COLUMNS = ("number", "at", "actor", "action", "subject", "outcome", "address", "detail", "chain")


def fill(catalog: Catalog, count: int = COUNT) -> list[AuditEntry]:
    """Entries that differ in all they can differ in."""
    return [
        catalog.audit.append(
            after(number),
            f"token{number}",
            "backup.create",
            subject=f"backup_{number}",
            outcome="done" if number % 2 else "failed:locked",
            address=f"192.0.2.{number}",
            detail={"size": str(number), "note": "ü\0\ud800"},
        )
        for number in range(count)
    ]


def unguarded(catalog: Catalog) -> None:
    """Takes the triggers away, as somebody who owns the database can."""
    with catalog.storage.read() as connection:
        local = connection.dialect.name == "sqlite"
    if local:
        names = raw(catalog, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
        raw(catalog, *[f"DROP TRIGGER {name}" for (name,) in names])
    else:
        raw(catalog, "DROP FUNCTION holdfast_refuse CASCADE")


def test_a_log_that_nobody_touched_is_whole(catalog: Catalog, url: str) -> None:
    assert catalog.audit.verify().whole
    entries = fill(catalog)
    verdict = catalog.audit.verify()
    assert verdict.whole
    assert (verdict.entries, verdict.head) == (COUNT, entries[-1].chain)
    assert catalog.audit.verify(entries[3].chain).whole, "an older head is one of the log's"
    with open_catalog(url, clock=FakeClock(), key=KEY) as other:
        assert other.audit.verify() == verdict


def test_entries_come_newest_first_in_pages(catalog: Catalog) -> None:
    entries = fill(catalog)
    assert catalog.audit.entries(5) == entries[:-6:-1]
    assert catalog.audit.entries(5, before=4) == entries[2::-1]
    assert entries[0].detail == {"size": "0", "note": "ü\ufffd?"}


def test_the_database_refuses_changes(catalog: Catalog) -> None:
    fill(catalog)
    for statement in (
        "UPDATE holdfast_audit SET actor = 'nobody' WHERE number = 3",
        "DELETE FROM holdfast_audit WHERE number = 12",
        "DELETE FROM holdfast_audit_head",
        "INSERT INTO holdfast_audit SELECT * FROM holdfast_audit WHERE number = 3",
    ):
        with pytest.raises(sa.exc.DBAPIError, match=r"only grows|duplicate key"):
            _past_names(catalog, statement)
    assert catalog.audit.verify().whole


def test_an_entry_cannot_be_replaced_by_sqlite_s_own_way(catalog: Catalog) -> None:
    with catalog.storage.read() as connection:
        word = "INSERT OR REPLACE" if connection.dialect.name == "sqlite" else "INSERT"
    fill(catalog)
    with pytest.raises(sa.exc.DBAPIError, match=r"only grows|duplicate key"):
        _past_names(catalog, f"{word} INTO holdfast_audit SELECT * FROM holdfast_audit WHERE number = 3")


def _past_names(catalog: Catalog, statement: str) -> None:
    with catalog.storage.engine.begin() as connection:
        connection.execute(sa.text(statement))


Forgery = Callable[[Catalog, random.Random], int]


def edit(column: str) -> Forgery:
    def forge(catalog: Catalog, rng: random.Random) -> int:
        number = rng.randrange(1, COUNT + 1)
        value = "7" if column == "at" else '\'{"size":"1000"}\'' if column == "detail" else "'forged'"
        raw(catalog, f"UPDATE holdfast_audit SET {column} = {value} WHERE number = {number}")
        return number

    return forge


def remove(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(1, COUNT)
    raw(catalog, f"DELETE FROM holdfast_audit WHERE number = {number}")
    return number


def remove_and_close_the_gap(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(1, COUNT)
    raw(catalog, f"DELETE FROM holdfast_audit WHERE number = {number}")
    for later in range(number + 1, COUNT + 1):
        raw(catalog, f"UPDATE holdfast_audit SET number = {later - 1} WHERE number = {later}")
    return number


def swap(catalog: Catalog, rng: random.Random) -> int:
    first, second = sorted(rng.sample(range(1, COUNT + 1), 2))
    for old, new in ((first, 999), (second, first), (999, second)):
        raw(catalog, f"UPDATE holdfast_audit SET number = {new} WHERE number = {old}")
    return first


def swap_contents(catalog: Catalog, rng: random.Random) -> int:
    """All but number and chain value change places."""
    first, second = sorted(rng.sample(range(1, COUNT + 1), 2))
    columns = [name for name in COLUMNS if name not in ("number", "chain")]
    rows = {
        number: raw(catalog, f"SELECT {', '.join(columns)} FROM holdfast_audit WHERE number = {number}")[0]
        for number in (first, second)
    }
    with catalog.storage.write() as connection:
        for target, source in ((first, second), (second, first)):
            given = ", ".join(f"{name} = :{name}" for name in columns)
            statement = sa.text(f"UPDATE holdfast_audit SET {given} WHERE number = {target}")
            connection.execute(statement, dict(zip(columns, rows[source], strict=True)))
    return first


def cut(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(1, COUNT + 1)
    raw(catalog, f"DELETE FROM holdfast_audit WHERE number >= {number}")
    return number


def cut_and_fix_the_count(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(2, COUNT + 1)
    raw(
        catalog,
        f"DELETE FROM holdfast_audit WHERE number >= {number}",
        f"UPDATE holdfast_audit_head SET entries = {number - 1}, "
        f"chain = (SELECT chain FROM holdfast_audit WHERE number = {number - 1})",
    )
    return number


def cut_and_remove_the_head(catalog: Catalog, rng: random.Random) -> int:
    number = cut(catalog, rng)
    raw(catalog, "DELETE FROM holdfast_audit_head")
    return number


def remove_everything(catalog: Catalog, rng: random.Random) -> int:
    raw(catalog, "DELETE FROM holdfast_audit", "DELETE FROM holdfast_audit_head")
    return 1


def insert_at_the_end(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(1, COUNT + 1)
    columns = ", ".join(name for name in COLUMNS if name != "number")
    raw(
        catalog,
        f"INSERT INTO holdfast_audit (number, {columns}) SELECT {COUNT + 1}, {columns} FROM holdfast_audit "
        f"WHERE number = {number}",
    )
    return COUNT + 1


def insert_in_between(catalog: Catalog, rng: random.Random) -> int:
    number = rng.randrange(1, COUNT + 1)
    for later in range(COUNT, number - 1, -1):
        raw(catalog, f"UPDATE holdfast_audit SET number = {later + 1} WHERE number = {later}")
    columns = ", ".join(name for name in COLUMNS if name not in ("number", "actor"))
    raw(
        catalog,
        f"INSERT INTO holdfast_audit (number, actor, {columns}) SELECT {number}, 'forged', {columns} "
        f"FROM holdfast_audit WHERE number = {number + 1}",
    )
    return number


FORGERIES: dict[str, Forgery] = {
    **{f"edit {column}": edit(column) for column in COLUMNS if column != "number"},
    "remove": remove,
    "remove and close the gap": remove_and_close_the_gap,
    "swap": swap,
    "swap contents": swap_contents,
    "cut": cut,
    "cut and fix the count": cut_and_fix_the_count,
    "cut and remove the head": cut_and_remove_the_head,
    "remove everything": remove_everything,
    "insert at the end": insert_at_the_end,
    "insert in between": insert_in_between,
}


@pytest.mark.parametrize("name", FORGERIES)
def test_every_forgery_is_found_and_stays_found(catalog: Catalog, rng: random.Random, name: str) -> None:
    """Also after the log has grown again: what was forged never heals."""
    fill(catalog)
    unguarded(catalog)
    where = FORGERIES[name](catalog, rng)
    verdict = catalog.audit.verify()
    assert not verdict.whole
    assert verdict.first_bad == where
    assert verdict.reason in {"edited", "missing", "reordered", "cut"}
    fill(catalog, 3)
    later = catalog.audit.verify()
    assert not later.whole
    assert later.first_bad == where
    assert later.entries == verdict.entries + 3, "what was done since is in the log nevertheless"


@pytest.mark.parametrize(
    ("name", "reason"), [("swap", "reordered"), ("remove", "missing"), ("cut", "cut"), ("edit actor", "edited")]
)
def test_the_reason_is_named(catalog: Catalog, name: str, reason: str) -> None:
    fill(catalog)
    unguarded(catalog)
    FORGERIES[name](catalog, random.Random(5))
    assert catalog.audit.verify().reason == reason


def test_an_older_copy_of_everything_is_found_by_a_head_from_outside(catalog: Catalog) -> None:
    fill(catalog)
    older = raw(catalog, "SELECT entries, chain, mac FROM holdfast_audit_head")[0]
    fill(catalog, 2)
    head = catalog.audit.verify().head
    unguarded(catalog)
    raw(
        catalog,
        f"DELETE FROM holdfast_audit WHERE number > {COUNT}",
        f"UPDATE holdfast_audit_head SET entries = {older[0]}, chain = '{older[1]}', mac = '{older[2]}'",
    )
    assert catalog.audit.verify().whole, "from inside this cannot be seen"
    verdict = catalog.audit.verify(head)
    assert (verdict.whole, verdict.first_bad, verdict.reason) == (False, COUNT + 1, "cut")


def test_a_moment_of_another_zone_is_chained_as_the_moment_it_is(catalog: Catalog) -> None:
    catalog.audit.append(NOON.astimezone(timezone(timedelta(hours=-7))), "a", "b")
    assert catalog.audit.verify().whole
