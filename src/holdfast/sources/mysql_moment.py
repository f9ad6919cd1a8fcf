"""The moment that a MySQL or MariaDB dump is of.

No server lets one connection see the snapshot of another. The dump program opens its own, and our counts need one of
the same moment. So the writers of the database are held up for an instant: its tables are locked for reading (which
needs LOCK TABLES), or else the whole server (FLUSH TABLES WITH READ LOCK, which needs RELOAD), then our snapshot is
opened and the program started, and when it shows that it has its own, the lock is given back. Everything agrees to the
row then.

Where neither is allowed, or somebody's long transaction is in the way, nobody can tell whether the two are the same.
Rows are then counted before the dump and once more after it, and what was dumped has to lie between the two: a table
that did not change has to agree exactly, and one that changed must not have more or fewer rows than it had around the
dump. The same holds for tables whose engine has no transactions. A busy queue can fail this although its dump is right;
the right LOCK TABLES helps.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from holdfast.errors import DumpFailed, Phrase, SourceError
from holdfast.sources.mysql_catalog import Catalog, count_rows, read_catalog
from holdfast.sources.mysql_server import MysqlServer, ask, qualified, refuse_control_characters
from holdfast.sources.rows.mysql_store import MysqlRows

if TYPE_CHECKING:
    from holdfast.sources.mysql_server import Connection

_WAIT_FOR_LOCK_S = 5
_HOLD_S = 20.0


class Moment:
    """A moment of one database, held from entering the context to leaving it.

    Attributes:
        catalog: what is in the database.
        proven: whether the dump program is known to see the same state as our snapshots; final after `released`.
    """

    def __init__(self, server: MysqlServer, left_out: frozenset[str]) -> None:
        self._server = server
        self._left_out = left_out
        self._lock: Connection | None = None
        self._guard = threading.Lock()
        self._timer = threading.Timer(_HOLD_S, self._too_late)
        self._held = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._counts: dict[str, int] = {}
        self._error: SourceError | None = None
        self.proven = False

    def __enter__(self) -> Self:
        import pymysql

        with contextlib.ExitStack() as held:
            try:
                self._connection = self._closed_by(held)
                self.catalog: Catalog = read_catalog(self._connection, self._schema)
                self._refuse_names()
                self._take_lock(held)
                self._connection_id = int(str(ask(self._connection, "SELECT CONNECTION_ID()")[0][0]))
                ask(self._connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                ask(self._connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
                self.store = held.enter_context(self.new_store())
            except (pymysql.Error, OSError) as error:
                raise DumpFailed(source=self._server.source, reason=self._server.reason(error)) from None
            self._held = held.pop_all()
        return self

    def new_store(self) -> MysqlRows:
        """Rows of the database, in a snapshot that is opened when its context is entered."""
        return MysqlRows(self._server.connect, self._server.location, self._server.source)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that are dumped."""
        return tuple(name for name in self.catalog.tables if name not in self._left_out)

    @property
    def _schema(self) -> str:
        return self._server.address.database

    def _closed_by(self, held: contextlib.ExitStack) -> Connection:
        connection = self._server.connect()
        held.callback(_close, connection)
        return connection

    def _refuse_names(self) -> None:
        for thing in self.catalog.things:
            refuse_control_characters(thing.name, self._server.source)
        for name in self.catalog.triggers:
            refuse_control_characters(name, self._server.source)

    def _take_lock(self, held: contextlib.ExitStack) -> None:
        """Holds up writers, if this user may and nobody is in the way."""
        import pymysql

        lock = self._closed_by(held)
        ask(lock, f"SET SESSION lock_wait_timeout = {_WAIT_FOR_LOCK_S}")
        named = ", ".join(f"{qualified(self._schema, name)} READ" for name in self.tables)
        for statement in (f"LOCK TABLES {named}" if named else "DO 0", "FLUSH TABLES WITH READ LOCK"):
            try:
                ask(lock, statement)
            except pymysql.Error:
                continue  # not allowed, or not in time: the next way, or none, which `proven` tells
            self._lock = lock
            self.proven = True
            self._timer.daemon = True
            self._timer.start()
            return

    def released(self) -> None:
        """The dump program has its snapshot: writers go on."""
        self._release(proven=True)

    def let_go(self) -> None:
        """No dump program is going to be started now: writers go on."""
        self._release(proven=False)

    def _too_late(self) -> None:
        # Nobody's application is held up for longer, even if it can no longer be told what the program sees.
        self._release(proven=False)

    def _release(self, *, proven: bool) -> None:
        import pymysql

        with self._guard:
            lock, self._lock = self._lock, None
            if lock is None:
                return
            self.proven = proven
            self._timer.cancel()
            with contextlib.suppress(pymysql.Error, OSError):
                ask(lock, "UNLOCK TABLES")
            _close(lock)

    def start_counting(self) -> None:
        """Begins to count in our snapshot, in a thread; does nothing the second time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._count, daemon=True)
            self._thread.start()

    def _count(self) -> None:
        self._counts = self._counted(self._connection)

    def _counted(self, connection: Connection) -> dict[str, int]:
        import pymysql

        counts: dict[str, int] = {}
        for table in self.tables:
            try:
                counts[table] = count_rows(connection, self._schema, table)
            except (pymysql.Error, OSError) as error:
                reason = Phrase(
                    "rows of table {table} cannot be counted: {reason}",
                    {"table": table, "reason": self._server.reason(error)},
                )
                self._error = DumpFailed(source=self._server.source, reason=reason)
                break
        return counts

    def agreement(self) -> Callable[[str, int], str]:
        """A judge of the number of rows dumped for a table: gives what is wrong, or nothing. Raises `SourceError`."""
        self.start_counting()
        assert self._thread is not None
        self._thread.join()
        again: dict[str, int] = {}
        if self._error is None and (not self.proven or self.catalog.fickle):
            with contextlib.closing(self._server.connect()) as connection:
                again = self._counted(connection)
        if self._error is not None:
            raise self._error

        def judged(table: str, dumped: int) -> str:
            before = self._counts[table]
            if self.proven and table not in self.catalog.fickle:
                return (
                    ""
                    if dumped == before
                    else Phrase(
                        "table {table} has {before} rows and the dump has {dumped}",
                        {"table": table, "before": before, "dumped": dumped},
                    )
                )
            after = again[table]
            if min(before, after) <= dumped <= max(before, after):
                return ""
            said = Phrase(
                "table {table} had {before} rows before the dump and {after} after it, and the dump has {dumped}",
                {"table": table, "before": before, "after": after, "dumped": dumped},
            )
            return said if self.proven else f"{said} (the right LOCK TABLES would let both see the same)"

        return judged

    def __exit__(self, *_: object) -> None:
        import pymysql

        self._release(proven=False)
        self._timer.cancel()
        if self._thread is not None and self._thread.is_alive():
            with (
                contextlib.suppress(pymysql.Error, OSError, SourceError),
                contextlib.closing(self._server.connect()) as connection,
            ):
                ask(connection, f"KILL {self._connection_id}")
            self._thread.join()
        self._held.close()


def _close(connection: Connection) -> None:
    import pymysql

    with contextlib.suppress(pymysql.Error, OSError):  # it may be gone, or closed already
        connection.close()
