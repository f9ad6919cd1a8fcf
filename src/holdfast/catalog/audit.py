"""The audit log: who did what, in a form that shows every later change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa

from holdfast.catalog.audit_chain import GENESIS, Chain, Head
from holdfast.catalog.columns import plain, storable
from holdfast.catalog.schema import audit, audit_head
from holdfast.catalog.storage import Storage
from holdfast.model.access import AuditEntry, AuditVerdict

_TURN = "audit"
_THE_ONE = 1
_AT_ONCE = 500


class AuditLog:
    """The audit log of a catalog.

    SAFETY: the database refuses to change or remove entries; who gets around that, or writes into the file, still
    cannot make chain values without the key, which is kept elsewhere. Who has both the database and an older copy of it
    can put the older copy back; only a head that was noted elsewhere shows that (see `verify`).
    """

    def __init__(self, storage: Storage, key: bytes) -> None:
        self._storage = storage
        self._chain = Chain(key)

    def append(
        self,
        at: datetime,
        actor: str,
        action: str,
        *,
        subject: str = "",
        outcome: str = "done",
        address: str = "",
        detail: Mapping[str, str] | None = None,
    ) -> AuditEntry:
        """Writes that somebody did something. Values must hold no secret.

        A log whose end was forged takes entries nevertheless, so that nothing goes unseen; it never verifies again.
        """
        draft = AuditEntry(
            number=0,
            at=at,
            actor=storable(actor),
            action=storable(action),
            subject=storable(subject),
            outcome=storable(outcome),
            address=storable(address),
            detail={storable(name): storable(value) for name, value in (detail or {}).items()},
        )
        with self._storage.write() as connection:
            self._storage.take_turn(connection, _TURN)
            return self._appended(connection, draft)

    def verify(self, expected_head: str = "") -> AuditVerdict:
        """Reads the whole log and judges it.

        Args:
            expected_head: the `head` of an earlier verdict that was kept elsewhere; finds that an older copy of the
                whole log was put in place of the newer.
        """
        with self._storage.read() as connection:
            return self._chain.judge(lambda: _by_number(connection), _head(connection), expected_head)

    def entries(self, limit: int = 100, before: int | None = None) -> list[AuditEntry]:
        """Entries, newest first; those with a smaller number than `before` if it is given."""
        statement = sa.select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(audit.c.number < before)
        with self._storage.read() as connection:
            return [_entry(row) for row in connection.execute(statement).mappings()]

    def begin(self, connection: sa.Connection) -> None:
        """Writes the head of a log whose tables are being made; a log without one is taken for a log that lost it."""
        connection.execute(sa.insert(audit_head).values(one=_THE_ONE, **self._chain.head(0, GENESIS)._asdict()))

    def _appended(self, connection: sa.Connection, draft: AuditEntry) -> AuditEntry:
        head = _head(connection)
        last = connection.execute(sa.select(sa.func.max(audit.c.number))).scalar_one() or 0
        if head is not None and self._chain.authentic(head) and head.entries == last:
            entry = msgspec.structs.replace(draft, number=last + 1, chain=self._chain.link(head.chain, draft))
        else:
            previous = connection.scalar(sa.select(audit.c.chain).where(audit.c.number == last)) or GENESIS
            entry = msgspec.structs.replace(draft, number=last + 1, chain=self._chain.broken_link(previous, draft))
        connection.execute(sa.insert(audit).values(msgspec.structs.asdict(entry)))
        values = {"one": _THE_ONE, **self._chain.head(entry.number, entry.chain)._asdict()}
        self._storage.upsert(connection, audit_head, [values], [audit_head.c.one])
        return entry


def _by_number(connection: sa.Connection) -> Iterator[AuditEntry]:
    statement = sa.select(audit).order_by(audit.c.number).execution_options(yield_per=_AT_ONCE)
    # Who has seen enough lets go of the rest; a cursor of the server must not outlive that.
    with connection.execute(statement) as result:
        for row in result.mappings():
            yield _entry(row)


def _head(connection: sa.Connection) -> Head | None:
    columns = (audit_head.c.entries, audit_head.c.chain, audit_head.c.mac)
    row = connection.execute(sa.select(*columns).where(audit_head.c.one == _THE_ONE)).first()
    return None if row is None else Head(*row)


def _entry(row: sa.RowMapping) -> AuditEntry:
    return msgspec.convert(plain(row), AuditEntry)
