"""What a courier needs of whoever keeps deliveries; the catalog is one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from holdfast.model.notice import Delivery, DeliveryState


class Deliveries(Protocol):
    """Where deliveries are kept."""

    def add(self, delivery: Delivery) -> None:
        """Keeps a new one."""
        ...

    def take_due(self, at: datetime, limit: int, *, hold_s: float) -> list[Delivery]:
        """Those that wait and whose `next_at` has come, the oldest first; nobody else gets them for `hold_s`."""
        ...

    def save(self, delivery: Delivery) -> None:
        """Replaces one by its id."""
        ...

    def find(self, states: Collection[DeliveryState], limit: int) -> list[Delivery]:
        """The newest ones; of all states if none is named."""
        ...

    def forget_older(self, at: datetime) -> object:
        """Drops those that were made before and do not wait any more."""
        ...
