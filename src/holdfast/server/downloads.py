"""Sends a whole backup as one file: the file of the archive itself where there is one, else an export made for it."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from base64 import b64encode
from collections import OrderedDict
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse

from holdfast.errors import BackupNotFound, HoldfastError, RangeRefused, TooManyRequests
from holdfast.model.notice import Notice
from holdfast.notifiers.occasions import downloaded
from holdfast.operations.export import export_backup
from holdfast.operations.lock import private_directory
from holdfast.operations.requests import ExportRequest
from holdfast.server.gate import address_of
from holdfast.server.listing import Lists
from holdfast.server.shapes import file_of
from holdfast.server.site import Site, outcome_of

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")
_BLOCK_BYTES = 1 << 20
_KNOWN = 1000
_EXPORTS_AT_ONCE = 2


class _Digests:
    """SHA-256 of files that were sent before, as long as they do not change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()

    def of(self, path: Path) -> bytes:
        """The digest of a file's content; reads it the first time."""
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = _digest(path)
            with self._lock:
                self._known[key] = known
                while len(self._known) > _KNOWN:
                    self._known.popitem(last=False)
        return known


_DIGESTS = _Digests()
_EXPORTS = threading.BoundedSemaphore(_EXPORTS_AT_ONCE)


def download(site: Site, lists: Lists, request: Request, backup_id: str) -> FileResponse:
    """The answer that sends a backup.

    Raises:
        BackupNotFound: there is none of that id.
        RangeRefused: a part of it was asked for that cannot be sent.
        HoldfastError: it cannot be put into one file.
    """
    try:
        answer = _answer(site, lists, request, backup_id)
    except HoldfastError as error:
        site.write(request, "backup.download", subject=backup_id, outcome=outcome_of(error))
        raise
    site.write(request, "backup.download", subject=backup_id)
    site.tell(_notice(site, request, backup_id))
    return answer


def _answer(site: Site, lists: Lists, request: Request, backup_id: str) -> FileResponse:
    copies = lists.copies(backup_id)
    if not copies:
        raise BackupNotFound(backup=backup_id, target=", ".join(site.service.config.targets))
    files = [path for path in (file_of(stored, site.service.config) for stored in copies) if path is not None]
    if files:
        _check_range(request.headers.get("range", ""), files[0].stat().st_size)
        return _sent(files[0], files[0].name, None)
    path = _exported(site, backup_id)
    if "range" in request.headers:
        # Every export is a file of its own: parts of two of them would not fit together.
        size = path.stat().st_size
        path.unlink()
        raise RangeRefused(size=size)
    return _sent(path, f"{backup_id}.zip", BackgroundTask(path.unlink, missing_ok=True))


def _check_range(asked: str, size: int) -> None:
    """Refuses several ranges at once, and what does not begin within the file."""
    if not asked:
        return
    found = _RANGE.match(asked.replace(" ", ""))
    if found is None:
        raise RangeRefused(size=size)
    first, last = found[1], found[2]
    fits = int(first) < size and (not last or int(first) <= int(last)) if first else bool(last) and int(last) > 0
    if not fits:
        raise RangeRefused(size=size)


def _exported(site: Site, backup_id: str) -> Path:
    if not _EXPORTS.acquire(blocking=False):
        raise TooManyRequests(seconds=30)
    try:
        with site.service.open() as app:
            folder = private_directory(app.config.state_dir / "downloads")
            path = folder / f"{secrets.token_hex(16)}.zip"
            export_backup(app.context, ExportRequest(what=backup_id, output=path))
            return path
    finally:
        _EXPORTS.release()


def _sent(path: Path, name: str, afterwards: BackgroundTask | None) -> FileResponse:
    digest = _DIGESTS.of(path)
    headers = {
        "Repr-Digest": f"sha-256=:{b64encode(digest).decode()}:",
        "X-Checksum-SHA256": digest.hex(),
        "ETag": f'"{digest.hex()}"',
        "Accept-Ranges": "none" if afterwards is not None else "bytes",
    }
    # An encrypted archive is no zip to whoever opens it.
    media_type = "application/zip" if name.endswith(".zip") else "application/octet-stream"
    return FileResponse(path, headers=headers, media_type=media_type, filename=name, background=afterwards)


def _notice(site: Site, request: Request, backup_id: str) -> Notice:
    token = site.token(request)
    return downloaded(
        site.service.app_name,
        site.service.now(),
        backup_id,
        actor=f"token:{token.token_id}",
        address=address_of(request.scope),
    )


def _digest(path: Path) -> bytes:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.digest()
