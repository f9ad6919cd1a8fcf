"""Leases: the right to do something, for a time, for one holder at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa

from holdfast.catalog.columns import plain
from holdfast.catalog.schema import leases
from holdfast.catalog.storage import Storage
from holdfast.model.run import Lease

_NOBODY = ""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Leases:
    """The leases of a catalog.

    INVARIANT: at no moment does a name have two holders, and a fence is never given to two. Rows stay for ever, so
    that fences grow.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def acquire(self, name: str, holder: str, ttl_s: float, at: datetime) -> Lease | None:
        """Takes a lease that nobody holds, or that has expired; its fence is higher than all before.

        Who holds it already gets it again with the same fence, so that a call whose answer was lost can be repeated.

        Returns:
            None if somebody else holds it.
        """
        expires_at = at + timedelta(seconds=ttl_s)
        insert = self._storage.insert(leases).values(name=name, holder=holder, fence=1, expires_at=expires_at)
        still_mine = sa.and_(leases.c.holder == holder, leases.c.expires_at > at)
        statement = insert.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={
                "holder": holder,
                "fence": leases.c.fence + sa.case((still_mine, 0), else_=1),
                "expires_at": expires_at,
            },
            where=sa.or_(leases.c.holder == holder, leases.c.expires_at <= at),
        )
        return self._changed(statement.returning(leases))

    def renew(self, lease: Lease, ttl_s: float, at: datetime) -> Lease | None:
        """Holds a lease for longer, also after it has expired if nobody took it.

        Returns:
            None if it is lost: released, or somebody else held it since.
        """
        statement = sa.update(leases).where(*_same(lease)).values(expires_at=at + timedelta(seconds=ttl_s))
        return self._changed(statement.returning(leases))

    def release(self, lease: Lease) -> None:
        """Gives a lease back. Does nothing if it is lost."""
        values = {"holder": _NOBODY, "expires_at": _LONG_AGO}
        self._changed(sa.update(leases).where(*_same(lease)).values(values).returning(leases))

    def holder(self, name: str, at: datetime) -> Lease | None:
        """The lease as somebody holds it at a moment; None if nobody does."""
        held = (leases.c.name == name, leases.c.holder != _NOBODY, leases.c.expires_at > at)
        with self._storage.read() as connection:
            row = connection.execute(sa.select(leases).where(*held)).mappings().first()
        return None if row is None else msgspec.convert(plain(row), Lease)

    def _changed(self, statement: sa.Executable) -> Lease | None:
        with self._storage.write() as connection:
            row = connection.execute(statement).mappings().first()
        return None if row is None else msgspec.convert(plain(row), Lease)


def _same(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return leases.c.name == lease.name, leases.c.holder == lease.holder, leases.c.fence == lease.fence
