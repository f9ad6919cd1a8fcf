"""From a URL to a catalog that is ready."""

from __future__ import annotations

import contextlib
import functools
import hmac
import importlib
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import QueuePool, StaticPool

from holdfast.catalog.catalog import Catalog
from holdfast.catalog.failures import named_failures, place_of
from holdfast.catalog.private_file import prepared
from holdfast.catalog.schema import facts
from holdfast.catalog.storage import WRITES, Storage
from holdfast.catalog.upgrade import upgrade
from holdfast.errors import CatalogUnavailable, ExtraMissing, Phrase
from holdfast.runtime.clock import Clock

_LOCAL = "sqlite:///"
_BUSY_S = 30
_CONNECT_S = 10
_CONNECTIONS = 10
_MORE_CONNECTIONS = 20
_KEY_CHECK = "key_check"


class _ServerConnection(Protocol):
    def execute(self, sql: str, /) -> object: ...

    def commit(self) -> None: ...


class _LocalConnection(Protocol):
    isolation_level: str | None

    def execute(self, sql: str, /) -> object: ...


def opened(url: str, *, clock: Clock, key: bytes) -> Catalog:
    """See `holdfast.catalog.open_catalog`."""
    address = _address(url)
    place = place_of(address)
    memory = address.get_backend_name() == "sqlite" and address.database in (None, "", ":memory:")
    storage = Storage(_engine(address, memory=memory), place, single_connection=memory)
    alone: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if address.get_backend_name() == "sqlite" and not memory:
        alone = prepared(Path(address.database or ""))
    catalog = Catalog(storage, clock=clock, key=key)
    try:
        with alone, named_failures(place):
            upgrade(storage, functools.partial(_begin, catalog, key))
            _check_key(storage, key)
        if address.get_backend_name() == "sqlite" and not memory:
            storage.watch(Path(address.database or ""))
    except BaseException:
        storage.close()
        raise
    return catalog


def _begin(catalog: Catalog, key: bytes, connection: sa.Connection) -> None:
    catalog.audit.begin(connection)
    connection.execute(sa.insert(facts).values(name=_KEY_CHECK, value=_fingerprint(key)))


def _check_key(storage: Storage, key: bytes) -> None:
    """With another key no token would be good, and every entry of the audit log would look forged from then on."""
    with storage.read() as connection:
        known = connection.scalar(sa.select(facts.c.value).where(facts.c.name == _KEY_CHECK))
    if known is not None and not hmac.compare_digest(known, _fingerprint(key)):
        raise CatalogUnavailable(place=storage.place, reason="its key is another one than that of this machine")


def _fingerprint(key: bytes) -> str:
    return hmac.digest(key, b"holdfast catalog key 1", "sha256").hex()


def _address(url: str) -> sa.URL:
    if url.startswith(_LOCAL):
        # Not taken apart: a file may have any name, and `?` in it begins no options.
        return sa.URL.create("sqlite", database=url.removeprefix(_LOCAL))
    try:
        address = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        # The library's message quotes the URL, which may hold a password.
        raise CatalogUnavailable(place="[server] catalog", reason="its URL cannot be read") from None
    if address.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername != "sqlite":
        kind = Phrase("a catalog cannot be kept in {kind}", {"kind": address.drivername})
        raise CatalogUnavailable(place=place_of(address.set(drivername="postgresql")), reason=kind)
    return address


def _engine(address: sa.URL, *, memory: bool) -> sa.Engine:
    if address.get_backend_name() == "sqlite":
        arguments: dict[str, object] = {"check_same_thread": False, "timeout": _BUSY_S}
        pool = StaticPool if memory else QueuePool
        sizes = {} if memory else {"pool_size": _CONNECTIONS, "max_overflow": _MORE_CONNECTIONS}
        engine = sa.create_engine(address, connect_args=arguments, poolclass=pool, **sizes)
        event.listen(engine, "connect", _connected)
        event.listen(engine, "begin", _begun)
        return engine
    try:
        importlib.import_module("psycopg")
    except ImportError:
        raise ExtraMissing(what="a catalog in PostgreSQL", name="psycopg", extra="postgresql") from None
    engine = sa.create_engine(
        address,
        connect_args={"connect_timeout": _CONNECT_S, "application_name": "holdfast"},
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        pool_pre_ping=True,
    )
    event.listen(engine, "connect", _connected_to_server)
    return engine


def _connected(connection: _LocalConnection, _record: object) -> None:
    # Left alone, the driver begins and ends transactions by its own rules.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    # DURABILITY: what was committed survives a loss of power, too; in WAL mode anything less does not promise that.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _connected_to_server(connection: _ServerConnection, _record: object) -> None:
    # Left alone, a server waits for ever behind a transaction that somebody forgot.
    connection.execute(f"SET lock_timeout = '{_BUSY_S}s'")
    # DURABILITY: an administrator may have made commits faster and less safe for all programs but this.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    connection.commit()


def _begun(connection: sa.Connection) -> None:
    # A transaction that begins by reading and then writes can meet a lock it may not wait for.
    immediate = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
