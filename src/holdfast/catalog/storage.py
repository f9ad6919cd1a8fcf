"""Transactions on a database, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.catalog.failures import named_failures
from holdfast.errors import CatalogUnavailable

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
        self._file: Path | None = None
        self._identity: tuple[int, int] | None = None
        self._reading = self._writing if single_connection else contextlib.nullcontext()

    def watch(self, file: Path) -> None:
        """From now on works only while the file that is open is the one that is there."""
        self._identity = _identity(file)
        self._file = file

    def _check_file(self) -> None:
        """SAFETY: a file that was deleted takes all that is written to it, and none of it is ever found again."""
        if self._file is None or self._identity == (found := _identity(self._file)):
            return
        if found is None:
            raise CatalogUnavailable(place=self.place, reason="its file was deleted while it was in use")
        # Somebody has made it anew: what is open leads to the former one.
        self.engine.dispose()
        self._identity = found

    @contextlib.contextmanager
    def read(self) -> Generator[sa.Connection]:
        """A transaction that only reads and sees one state."""
        self._check_file()
        with self._reading, named_failures(self.place), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Generator[sa.Connection]:
        """A transaction that writes; committed at its end, undone when it raises.

        DURABILITY: when this returns, what was written survives the end of the process and of the machine's power.
        """
        self._check_file()
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


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
