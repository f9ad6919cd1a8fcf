"""Deliveries and settings."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast.catalog import Catalog
from holdfast.model.notice import Delivery, DeliveryState, Occasion
from unit.catalog.kit import NOON, after


def a_delivery(number: int, **changes: object) -> Delivery:
    delivery = Delivery(
        delivery_id=f"{number:032x}", channel="1:tgram", occasion=Occasion.LOW_SPACE, app="shop",
        created_at=after(number), title="t", body="b\n", next_at=after(number),
    )  # fmt: skip
    return replace(delivery, **changes)


def test_due_in_the_order_of_their_time(catalog: Catalog) -> None:
    waiting = [a_delivery(3, next_at=None), a_delivery(1), a_delivery(2), a_delivery(90)]
    ended = [a_delivery(5, state=DeliveryState.DELIVERED), a_delivery(6, state=DeliveryState.GIVEN_UP)]
    for delivery in waiting + ended:
        catalog.deliveries.add(delivery)
    assert catalog.deliveries.due(after(10), 10) == [waiting[1], waiting[2], waiting[0]]
    assert catalog.deliveries.due(after(10), 1) == [waiting[1]]
    assert catalog.deliveries.due(after(0), 10) == [waiting[0]], "without a time it is due at once"


def test_taken_by_one_only_and_due_again_if_nobody_saved_it(catalog: Catalog) -> None:
    catalog.deliveries.add(a_delivery(1))
    assert catalog.deliveries.take_due(after(5), hold_s=60) == [a_delivery(1)]
    assert catalog.deliveries.take_due(after(64), hold_s=60) == []
    assert [one.delivery_id for one in catalog.deliveries.take_due(after(65))] == [a_delivery(1).delivery_id]
    catalog.deliveries.save(a_delivery(1, state=DeliveryState.DELIVERED, delivered_at=after(66), attempts=2))
    assert catalog.deliveries.take_due(after(9999)) == []


def test_found_newest_first(catalog: Catalog) -> None:
    deliveries = [a_delivery(number, state=list(DeliveryState)[number % 3]) for number in range(9)]
    for delivery in deliveries:
        catalog.deliveries.add(delivery)
        catalog.deliveries.add(replace(delivery, title="never seen"))
    assert catalog.deliveries.find() == deliveries[::-1]
    assert catalog.deliveries.find((DeliveryState.GIVEN_UP,), 2) == [deliveries[8], deliveries[5]]


def test_only_ended_ones_are_forgotten(catalog: Catalog) -> None:
    deliveries = [a_delivery(number, state=list(DeliveryState)[number % 3]) for number in range(9)]
    for delivery in deliveries:
        catalog.deliveries.add(delivery)
    assert catalog.deliveries.forget_older(after(6)) == 4
    assert {one.delivery_id for one in catalog.deliveries.find((DeliveryState.WAITING,))} == {
        deliveries[number].delivery_id for number in (0, 3, 6)
    }
    assert len(catalog.deliveries.find()) == 5


def test_settings(catalog: Catalog) -> None:
    assert catalog.settings.get("schedule") is None
    catalog.settings.put("schedule", {"full": "0 2 * * *", "on": True})
    catalog.settings.put("count", 3)
    catalog.settings.put("count", 4)
    assert catalog.settings.get("schedule") == {"full": "0 2 * * *", "on": True}
    assert catalog.settings.all() == {"count": 4, "schedule": {"full": "0 2 * * *", "on": True}}
    assert catalog.settings.get("when") is None
    catalog.settings.put("when", NOON.isoformat())
    assert catalog.settings.get("when") == NOON.isoformat()
