"""Settings that people change while the server runs: plain documents by name."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.catalog.schema import settings
from holdfast.catalog.storage import Storage


class Settings:
    """The settings of a catalog. A value is what JSON can say, but not null."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, key: str) -> object | None:
        """A setting; None if it was never put."""
        with self._storage.read() as connection:
            value: object | None = connection.scalar(sa.select(settings.c.value).where(settings.c.key == key))
        return value

    def put(self, key: str, value: object) -> None:
        """Writes a setting, new or in place of the former."""
        with self._storage.write() as connection:
            self._storage.upsert(connection, settings, [{"key": key, "value": value}], [settings.c.key])

    def all(self) -> dict[str, object]:
        """All settings by name."""
        with self._storage.read() as connection:
            rows = connection.execute(sa.select(settings.c.key, settings.c.value).order_by(settings.c.key)).all()
        return {row.key: row.value for row in rows}
