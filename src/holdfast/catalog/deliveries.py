"""Notices on their way to people: kept until they arrived, or nobody wants them any more."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from holdfast.catalog.columns import plain
from holdfast.catalog.schema import deliveries
from holdfast.catalog.storage import Storage
from holdfast.model.notice import Delivery, DeliveryState


class Deliveries:
    """The deliveries of a catalog."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, delivery: Delivery) -> None:
        """Adds a delivery. Does nothing if there is one with its id."""
        statement = self._storage.insert(deliveries).values(msgspec.structs.asdict(delivery)).on_conflict_do_nothing()
        with self._storage.write() as connection:
            connection.execute(statement)

    def due(self, at: datetime, limit: int = 100) -> list[Delivery]:
        """Waiting deliveries whose time has come, in the order in which it came."""
        statement = sa.select(deliveries).where(*_due(at)).order_by(*_BY_TIME).limit(limit)
        with self._storage.read() as connection:
            return [_delivery(row) for row in connection.execute(statement).mappings()]

    def take_due(self, at: datetime, limit: int = 100, *, hold_s: float = 300) -> list[Delivery]:
        """Like `due`, and other processes do not see them as due for a while, so that each is sent by one only.

        A process that ends before it saved them leaves them due again after `hold_s` seconds.
        """
        with self._storage.write() as connection:
            self._storage.take_turn(connection, "deliveries")
            statement = sa.select(deliveries).where(*_due(at)).order_by(*_BY_TIME).limit(limit)
            found = [_delivery(row) for row in connection.execute(statement).mappings()]
            ids = [delivery.delivery_id for delivery in found]
            held = sa.update(deliveries).where(deliveries.c.delivery_id.in_(ids))
            connection.execute(held.values(next_at=at + timedelta(seconds=hold_s)))
        return found

    def save(self, delivery: Delivery) -> None:
        """Writes a whole delivery, new or in place of the one with its id."""
        with self._storage.write() as connection:
            values = msgspec.structs.asdict(delivery)
            self._storage.upsert(connection, deliveries, [values], [deliveries.c.delivery_id])

    def find(self, states: Collection[DeliveryState] = (), limit: int = 100) -> list[Delivery]:
        """Deliveries in these states, or all, newest first."""
        statement = sa.select(deliveries).order_by(deliveries.c.created_at.desc(), deliveries.c.delivery_id.desc())
        if states:
            statement = statement.where(deliveries.c.state.in_([state.value for state in states]))
        with self._storage.read() as connection:
            return [_delivery(row) for row in connection.execute(statement.limit(limit)).mappings()]

    def forget_older(self, at: datetime) -> int:
        """Removes deliveries from before a moment that are not waiting any more; returns how many."""
        ended = (deliveries.c.created_at < at, deliveries.c.state != DeliveryState.WAITING.value)
        with self._storage.write() as connection:
            removed = connection.execute(sa.delete(deliveries).where(*ended).returning(deliveries.c.delivery_id))
            return len(removed.all())


_BY_TIME = (sa.func.coalesce(deliveries.c.next_at, deliveries.c.created_at), deliveries.c.delivery_id)


def _due(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    come = sa.or_(deliveries.c.next_at.is_(None), deliveries.c.next_at <= at)
    return deliveries.c.state == DeliveryState.WAITING.value, come


def _delivery(row: sa.RowMapping) -> Delivery:
    return msgspec.convert(plain(row), Delivery)
