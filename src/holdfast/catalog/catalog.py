"""A catalog: what is known of an application's runs, backups, tokens and messages."""

from __future__ import annotations

from typing import Self

from holdfast.catalog.audit import AuditLog
from holdfast.catalog.copies import Copies
from holdfast.catalog.deliveries import Deliveries
from holdfast.catalog.leases import Leases
from holdfast.catalog.runs import Runs
from holdfast.catalog.settings import Settings
from holdfast.catalog.storage import Storage
from holdfast.catalog.tokens import Tokens
from holdfast.errors import CatalogDamaged
from holdfast.runtime.clock import Clock

__all__ = ["AuditLog", "Catalog", "Copies", "Deliveries", "Leases", "Runs", "Settings", "Tokens"]


class Catalog:
    """One catalog. Threads may share it, and processes may open the same one. Close it, or use it as a context manager.

    Every call is a transaction of its own. All of them raise `CatalogUnavailable` when the database cannot be reached,
    is full or locked for too long, and `CatalogDamaged` when it is not whole.

    Attributes:
        place: where it is, as people may read it.
    """

    def __init__(self, storage: Storage, *, clock: Clock, key: bytes) -> None:
        self.storage = storage
        self.place = storage.place
        self.runs = Runs(storage)
        self.leases = Leases(storage)
        self.settings = Settings(storage)
        self.tokens = Tokens(storage, key)
        self.audit = AuditLog(storage, key)
        self.deliveries = Deliveries(storage)
        self.copies = Copies(storage, clock)

    def require_whole(self) -> None:
        """Reads all of a SQLite file for damage; a server looks after itself.

        Raises:
            CatalogDamaged: something is wrong.
        """
        with self.storage.read() as connection:
            if connection.dialect.name == "sqlite":
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                if found != "ok":
                    raise CatalogDamaged(place=self.place, reason=str(found).splitlines()[0])

    def close(self) -> None:
        """Gives back all connections."""
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
