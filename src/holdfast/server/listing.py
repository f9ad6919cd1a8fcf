"""Lists and totals out of the mirror, made once for each state of it: ten thousand backups are asked for often."""

from __future__ import annotations

import threading
from typing import NamedTuple

import msgspec

from holdfast.model.backup import StoredBackup
from holdfast.runtime.translation import render
from holdfast.server.shapes import listed_entries, primary
from holdfast.service.service import Service

_ALL = 1_000_000


class Totals(NamedTuple):
    """All backups in numbers, each counted once, with the size of the copy that is spoken of."""

    backups: int
    size_bytes: int
    oldest: int | None
    newest: int | None


class _Made(NamedTuple):
    version: int
    entries: list[dict[str, object]]
    totals: Totals
    encoded: dict[str, bytes]


class Lists:
    """What is listed, kept until the mirror changes. Safe in threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._made: _Made | None = None

    def document(self, message: str, language: str) -> bytes:
        """The whole list as the body of an answer, encoded."""
        made = self._current()
        known = made.encoded.get(language)
        if known is None:
            data = {
                "backups": made.entries,
                "total_count": made.totals.backups,
                "total_size": made.totals.size_bytes,
            }
            body = {"success": True, "message": render(message, {}, language), "data": data}
            known = made.encoded[language] = msgspec.json.encode(body)
        return known

    def totals(self) -> Totals:
        """All backups in numbers."""
        return self._current().totals

    def copies(self, backup_id: str) -> list[StoredBackup]:
        """All copies of one backup."""
        return self._service.catalog.copies.of(self._service.app_name, backup_id)

    def primary(self, backup_id: str) -> StoredBackup | None:
        """The copy of a backup that is spoken of."""
        copies = self.copies(backup_id)
        return primary(copies, self._service.config) if copies else None

    def _current(self) -> _Made:
        version = self._service.mirror.version
        with self._lock:
            if self._made is None or self._made.version != version:
                self._made = self._make(version)
            return self._made

    def _make(self, version: int) -> _Made:
        copies = self._service.catalog.copies.page(self._service.app_name, limit=_ALL)
        entries = listed_entries(copies, self._service.config)
        moments = [int(str(entry["created_at"])) for entry in entries]
        totals = Totals(
            backups=len(entries),
            size_bytes=sum(int(str(entry["size"])) for entry in entries),
            oldest=min(moments, default=None),
            newest=max(moments, default=None),
        )
        return _Made(version, entries, totals, {})
