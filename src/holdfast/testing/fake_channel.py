"""A channel and a list of deliveries that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from holdfast.errors import DeliveryFailed
from holdfast.model.notice import Delivery, DeliveryState, Occasion


class Sent(NamedTuple):
    """One message that a channel was given."""

    title: str
    body: str
    occasion: Occasion
    run_id: str


class FakeChannel:
    """Satisfies `holdfast.protocols.channel.Channel`.

    Attributes:
        sent: what arrived.
        failures: raised one after the other before anything arrives; an endless failure is `always`.
        hold: if set, `send` waits for it.
    """

    def __init__(self, name: str = "1:fake", *, is_ping: bool = False) -> None:
        self.name = name
        self.is_ping = is_ping
        self.sent: list[Sent] = []
        self.failures: list[Exception] = []
        self.always: DeliveryFailed | None = None
        self.hold: threading.Event | None = None
        self.attempts = 0

    def send(self, title: str, body: str, *, occasion: Occasion, run_id: str, deadline_s: float) -> None:
        """Takes a message, or fails as told."""
        del deadline_s
        self.attempts += 1
        if self.hold is not None:
            self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)
        if self.always is not None:
            raise self.always
        self.sent.append(Sent(title, body, occasion, run_id))


class FakeDeliveries:
    """Satisfies `holdfast.notifiers.keeping.Deliveries` in memory.

    Attributes:
        rows: by id, in the order in which they were added.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Delivery] = {}
        self._lock = threading.Lock()

    def add(self, delivery: Delivery) -> None:
        """Keeps a new one."""
        with self._lock:
            self.rows.setdefault(delivery.delivery_id, delivery)

    def take_due(self, at: datetime, limit: int = 100, *, hold_s: float = 300) -> list[Delivery]:
        """Those that wait and whose time has come; nobody else gets them for a while."""
        with self._lock:
            waiting = [row for row in self.rows.values() if row.state is DeliveryState.WAITING]
            due = [row for row in waiting if row.next_at is None or row.next_at <= at][:limit]
            for row in due:
                self.rows[row.delivery_id] = msgspec.structs.replace(row, next_at=at + timedelta(seconds=hold_s))
            return due

    def save(self, delivery: Delivery) -> None:
        """Replaces one."""
        with self._lock:
            self.rows[delivery.delivery_id] = delivery

    def find(self, states: Collection[DeliveryState] = (), limit: int = 100) -> list[Delivery]:
        """The newest ones."""
        with self._lock:
            found = [row for row in self.rows.values() if not states or row.state in states]
            return sorted(found, key=lambda row: row.created_at, reverse=True)[:limit]

    def forget_older(self, at: datetime) -> int:
        """Drops what is old and does not wait any more."""
        with self._lock:
            old = [
                key for key, row in self.rows.items() if row.created_at < at and row.state is not DeliveryState.WAITING
            ]
            for key in old:
                del self.rows[key]
            return len(old)
