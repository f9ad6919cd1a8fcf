"""Transactions on a database, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.catalog.failures import named_failures

WRITES = "holdfast_writes"


class Storage:
    """One database. Threads and processes may share it.

    Attributes:
        place: the database as people may read it.
    """

    def __init__(self, engine: sa.Engine, place: str, *, single_connection: bool = False) -> None:
        """`single_connection`: the database lives in memory, so that even those who read wait for each other."""
        self.engine = engine
        self.place = place
        self._local = engine.dialect.name == "sqlite"
        # SQLite lets those who wait for it poll; threads of one process queue up here instead, and none starves.
        self._writing: contextlib.AbstractContextManager[object]
        self._writing = threading.Lock() if self._local else contextlib.nullcontext()
        self._reading = self._writing if single_connection else contextlib.nullcontext()

    @contextlib.contextmanager
    def read(self) -> Generator[sa.Connection]:
        """A transaction that only reads and sees one state."""
        with self._reading, named_failures(self.place), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Generator[sa.Connection]:
        """A transaction that writes; committed at its end, undone when it raises.

        DURABILITY: when this returns, what was written survives the end of the process and of the machine's power.
        """
        with self._writing, named_failures(self.place), self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def take_turn(self, connection: sa.Connection, name: str) -> None:
        """Makes transactions that write to one thing go one after the other; in SQLite all do anyway."""
        if not self._local:
            number = int.from_bytes(hashlib.sha256(f"holdfast:{name}".encode()).digest()[:8], "big", signed=True)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An `INSERT` that may say what happens `ON CONFLICT`."""
        return sqlite.insert(table) if self._local else postgresql.insert(table)

    def upsert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        rows: Sequence[Mapping[str, object]],
        key: Sequence[sa.Column[Any]],
    ) -> None:
        """Writes whole rows, new or in place of those with the same key."""
        statement = self.insert(table)
        fresh = {column.name: statement.excluded[column.name] for column in table.c if column not in set(key)}
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=fresh), rows)

    def close(self) -> None:
        """Gives back all connections."""
        self.engine.dispose()
