"""Lists and totals out of the mirror, kept ready to be sent: ten thousand backups are asked for often."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from holdfast.catalog.copies import Copies
from holdfast.errors import english
from holdfast.model.backup import StoredBackup
from holdfast.runtime.translation import render
from holdfast.server.shapes import listed_entry, primary, recorded
from holdfast.service.service import Service

_AT_ONCE = 500
_PIECE_BYTES = 64 * 1024
# Most of what can be saved is saved by the least effort: all entries are alike.
_EFFORT = 1
_GZIP = 31


class Document(NamedTuple):
    """The body of an answer in pieces as they are sent, as it is and compressed by gzip.

    Attributes:
        etag: what names its content, for clients that ask whether it has changed.
    """

    etag: str
    plain: tuple[bytes, ...]
    packed: tuple[bytes, ...]


class Totals(NamedTuple):
    """All backups in numbers, each counted once, with the size of the copy that is spoken of."""

    backups: int
    size_bytes: int
    oldest: int | None
    newest: int | None


class _Row(NamedTuple):
    """One backup as a list shows it, and the digests of the copies that it was made from. Unlisted: not encoded."""

    made_of: tuple[str, ...]
    created_at: datetime
    backup_id: str
    type: str
    size_bytes: int
    encoded: bytes


class _State(NamedTuple):
    version: int
    rows: list[_Row]
    documents: dict[tuple[str, str], Document]


Shape = Callable[[list[StoredBackup]], tuple[dict[str, Any] | None, int]]


class View:
    """All backups in one shape. Safe in threads; what did not change is not made again.

    Args:
        version: what the mirror counts its changes with. It is read before the mirror is, so that a list which is
            asked for after a change holds it.
        shape: from the copies of one backup to its entry, which is None if it is not listed, and its size.
    """

    def __init__(self, copies: Copies, app: str, version: Callable[[], int], shape: Shape) -> None:
        self._copies = copies
        self._app = app
        self._version = version
        self._shape = shape
        self._lock = threading.Lock()
        self._kept: dict[str, _Row] = {}
        self._state: _State | None = None

    def known(self, key: tuple[str, str]) -> Document | None:
        """A document that is ready and not older than the mirror; never waits."""
        state = self._state
        return state.documents.get(key) if state is not None and state.version == self._version() else None

    def document(self, key: tuple[str, str], make: Callable[[Sequence[_Row]], tuple[bytes, bytes]]) -> Document:
        """A document of rows.

        Args:
            key: a type, or empty for all, and the language.
            make: what comes before and after the entries.
        """
        with self._lock:
            state = self._current()
            known = state.documents.get(key)
            if known is None:
                rows = [row for row in state.rows if key[0] in ("", row.type)]
                head, tail = make(rows)
                known = _document(head + b",".join(row.encoded for row in rows) + tail)
                state.documents[key] = known
            return known

    def totals(self) -> Totals:
        """All backups in numbers."""
        with self._lock:
            rows = self._current().rows
        return Totals(
            backups=len(rows),
            size_bytes=sum(row.size_bytes for row in rows),
            oldest=int(rows[-1].created_at.timestamp()) if rows else None,
            newest=int(rows[0].created_at.timestamp()) if rows else None,
        )

    def _current(self) -> _State:
        version = self._version()
        if self._state is None or self._state.version != version:
            self._state = _State(version, self._rows(), {})
        return self._state

    def _rows(self) -> list[_Row]:
        """The newest first."""
        outline = self._copies.outline(self._app)
        kept = {known: row for known, row in self._kept.items() if outline.get(known) == row.made_of}
        fresh = [backup_id for backup_id in outline if backup_id not in kept]
        for start in range(0, len(fresh), _AT_ONCE):
            copies = self._copies.some(self._app, fresh[start : start + _AT_ONCE])
            for backup_id, group in groupby(copies, key=lambda stored: stored.backup_id):
                kept[backup_id] = self._row(list(group), outline[backup_id])
        self._kept = kept
        return sorted((row for row in kept.values() if row.encoded), key=lambda row: row[1:3], reverse=True)

    def _row(self, copies: list[StoredBackup], made_of: tuple[str, ...]) -> _Row:
        entry, size_bytes = self._shape(copies)
        manifest = copies[0].manifest
        encoded = b"" if entry is None else msgspec.json.encode(entry, enc_hook=english)
        return _Row(made_of, manifest.created_at, manifest.backup_id, manifest.type.value, size_bytes, encoded)


class Lists:
    """What is listed, in all its shapes. Safe in threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._panel = self._view(lambda copies: listed_entry(copies, service.config))
        self._records = {role: self._record_view(role) for role in ("", "database", "storage", "config")}

    def warm(self) -> None:
        """Makes the list of an admin panel ready, so that whoever asks first does not wait for it."""
        self._panel.totals()

    def ready_panel(self, language: str) -> Document | None:
        """The list of an admin panel if it is ready; never waits."""
        return self._panel.known(("", language))

    def panel(self, message: str, language: str) -> Document:
        """The whole list of an admin panel."""

        def around(rows: Sequence[_Row]) -> tuple[bytes, bytes]:
            body = {"success": True, "message": render(message, {}, language)}
            return msgspec.json.encode(body)[:-1] + b',"data":{"backups":[', b"]," + _counted(rows)[1:] + b"}"

        return self._panel.document(("", language), around)

    def ready_records(self, wanted: str) -> Document | None:
        """Backups as the library returns them if they are ready; never waits."""
        role, kind = self._divided(wanted)
        return self._records[role].known((kind, ""))

    def records(self, wanted: str) -> Document:
        """Backups as the library returns them.

        Args:
            wanted: `all`, a type, or a role; of a role, the parts of full backups are listed too.
        """
        role, kind = self._divided(wanted)
        return self._records[role].document((kind, ""), _around_records)

    def _divided(self, wanted: str) -> tuple[str, str]:
        """The role and the type that are asked for, at most one of both."""
        role = wanted if wanted in self._records else ""
        return role, "" if role or wanted == "all" else wanted

    def totals(self) -> Totals:
        """All backups in numbers."""
        return self._panel.totals()

    def copies(self, backup_id: str) -> list[StoredBackup]:
        """All copies of one backup."""
        return self._service.catalog.copies.of(self._service.app_name, backup_id)

    def _record_view(self, role: str) -> View:
        return self._view(lambda copies: recorded(primary(copies, self._service.config), self._service.config, role))

    def _view(self, shape: Shape) -> View:
        service = self._service
        return View(service.catalog.copies, service.app_name, lambda: service.mirror.version, shape)


def _around_records(rows: Sequence[_Row]) -> tuple[bytes, bytes]:
    return b'{"success":true,"backups":[', b"]," + _counted(rows)[1:]


def _counted(rows: Sequence[_Row]) -> bytes:
    return msgspec.json.encode({"total_count": len(rows), "total_size": sum(row.size_bytes for row in rows)})


def _document(body: bytes) -> Document:
    packer = zlib.compressobj(_EFFORT, wbits=_GZIP)
    packed = packer.compress(body) + packer.flush()
    # Weak, because it names what is said and not how it is packed.
    return Document(f'W/"{hashlib.sha256(body).hexdigest()[:32]}"', _pieces(body), _pieces(packed))


def _pieces(body: bytes) -> tuple[bytes, ...]:
    return tuple(body[start : start + _PIECE_BYTES] for start in range(0, len(body), _PIECE_BYTES))
