"""Leases: one holder, growing fences."""

from __future__ import annotations

from holdfast.catalog import Catalog
from unit.catalog.kit import NOON, after


def test_one_holds_it(catalog: Catalog) -> None:
    first = catalog.leases.acquire("scheduler:shop", "a", 60, NOON)
    assert first is not None
    assert (first.fence, first.expires_at) == (1, after(60))
    assert catalog.leases.acquire("scheduler:shop", "b", 60, after(59.999)) is None
    assert catalog.leases.holder("scheduler:shop", after(59)) == first
    assert catalog.leases.holder("scheduler:shop", after(60)) is None
    assert catalog.leases.holder("scheduler:blog", NOON) is None
    other = catalog.leases.acquire("scheduler:blog", "b", 60, NOON)
    assert other is not None


def test_who_holds_it_gets_it_again_with_the_same_fence(catalog: Catalog) -> None:
    first = catalog.leases.acquire("x", "a", 60, NOON)
    again = catalog.leases.acquire("x", "a", 60, after(30))
    assert first is not None
    assert again is not None
    assert (again.fence, again.expires_at) == (first.fence, after(90))


def test_an_expired_lease_is_taken_over_with_a_higher_fence(catalog: Catalog) -> None:
    first = catalog.leases.acquire("x", "a", 60, NOON)
    second = catalog.leases.acquire("x", "b", 60, after(60))
    assert first is not None
    assert second is not None
    assert second.fence == first.fence + 1
    assert catalog.leases.renew(first, 60, after(61)) is None
    catalog.leases.release(first)
    assert catalog.leases.holder("x", after(61)) == second, "who lost it cannot give it back"


def test_who_comes_back_after_its_lease_expired_is_a_new_holder(catalog: Catalog) -> None:
    first = catalog.leases.acquire("x", "a", 60, NOON)
    again = catalog.leases.acquire("x", "a", 60, after(61))
    assert first is not None
    assert again is not None
    assert again.fence == first.fence + 1


def test_renewed_as_long_as_nobody_took_it(catalog: Catalog) -> None:
    lease = catalog.leases.acquire("x", "a", 60, NOON)
    assert lease is not None
    renewed = catalog.leases.renew(lease, 60, after(50))
    assert renewed is not None
    assert (renewed.fence, renewed.expires_at) == (1, after(110))
    assert catalog.leases.renew(renewed, 60, after(200)) is not None, "it expired, and nobody wanted it"


def test_a_released_lease_is_free_and_its_fence_is_not_used_again(catalog: Catalog) -> None:
    lease = catalog.leases.acquire("x", "a", 60, NOON)
    assert lease is not None
    catalog.leases.release(lease)
    assert catalog.leases.holder("x", NOON) is None
    assert catalog.leases.renew(lease, 60, NOON) is None
    second = catalog.leases.acquire("x", "b", 60, NOON)
    assert second is not None
    assert second.fence == 2
