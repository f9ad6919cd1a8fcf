"""Puts a restored database in the place of the live one, in one transaction.

Two renamings of databases are one transaction: whoever connects finds the former database or the restored one, and a
server that dies in between wakes up with the former. Renaming locks out new connections and waits a few seconds for
those that are there; meanwhile they are ended from a second connection. Nothing is left behind when it fails: no
switch is set that somebody would have to put back.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

from holdfast.errors import DestinationBusy, Phrase
from holdfast.sources.postgresql_databases import Databases
from holdfast.sources.postgresql_server import PostgresqlServer

_END_EVERY_S = 0.2
_END = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = %s AND pid <> pg_catalog.pg_backend_pid() AND backend_type <> 'autovacuum worker'
"""


def swap_in(databases: Databases, restored: str, live: str, kept: str | None) -> None:
    """Renames `live` to `kept`, and `restored` to `live`, both or neither.

    Args:
        kept: a free name; None if there is no live database.

    Raises:
        DestinationBusy: connections to the live database could not be ended.
        LoadFailed: the server did not take it.
    """
    import psycopg
    from psycopg import sql

    names = [sql.Identifier(name) for name in (restored, live)]
    rename = "ALTER DATABASE {} RENAME TO {}"
    if kept is None:
        databases.run(rename, *names)
        return
    try:
        with _ending_connections(databases.server, live), databases.connection.transaction():
            databases.connection.execute(sql.SQL(rename).format(names[1], sql.Identifier(kept)))
            databases.connection.execute(sql.SQL(rename).format(*names))
    except psycopg.errors.ObjectInUse as error:
        reason = databases.server.reason(error)
        raise DestinationBusy(destination=databases.server.location, reason=reason) from error
    except psycopg.Error as error:
        raise databases.failed(error) from error


@contextlib.contextmanager
def _ending_connections(server: PostgresqlServer, name: str) -> Generator[None]:
    """Ends the connections to a database, again and again until the block ends."""
    import psycopg

    over = threading.Event()
    connection = server.connect("postgres")

    def end() -> None:
        while not over.is_set():
            # What cannot be ended, the renaming reports.
            with contextlib.suppress(psycopg.Error):
                connection.execute(_END, (name,))
            over.wait(_END_EVERY_S)

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        connection.close()


def undo_sentence(live: str, kept: str) -> str:
    """What a person types to have the former database back."""
    from psycopg import sql

    def quoted(name: str) -> str:
        return sql.Identifier(name).as_string(None)

    steps = (
        f"ALTER DATABASE {quoted(live)} RENAME TO {quoted(live[:50] + '_undone')}; "
        f"ALTER DATABASE {quoted(kept)} RENAME TO {quoted(live)};"
    )
    return Phrase("Stop the application, connect to the database postgres with psql and run: {steps}", {"steps": steps})
