"""Sends a whole backup as one file: the file of the archive itself where there is one, else an export made for it."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from base64 import b64encode
from collections import OrderedDict
from http import HTTPStatus
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from holdfast.archive.bundle_file import sum_name
from holdfast.errors import (
    BackupDamaged,
    BackupNotFound,
    ChecksumMismatch,
    HoldfastError,
    RangeRefused,
    TooManyRequests,
)
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


class _Sent(FileResponse):
    """A file in larger parts than usual: each takes a turn of a thread, and backups want turns, too."""

    chunk_size = 256 * 1024


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


def download(site: Site, lists: Lists, request: Request, backup_id: str) -> Response:
    """The answer that sends a backup.

    Raises:
        BackupNotFound: there is none of that id.
        BackupDamaged, ChecksumMismatch: no copy of it is whole.
        RangeRefused: a part of it was asked for that cannot be sent.
        HoldfastError: it cannot be put into one file.
    """
    try:
        answer = _answer(site, lists, request, backup_id)
    except HoldfastError as error:
        site.write(request, "backup.download", subject=backup_id, outcome=outcome_of(error))
        raise
    site.write(request, "backup.download", subject=backup_id)
    if answer.status_code != HTTPStatus.NOT_MODIFIED:
        site.tell(_notice(site, request, backup_id))
    return answer


def _answer(site: Site, lists: Lists, request: Request, backup_id: str) -> Response:
    copies = lists.copies(backup_id)
    if not copies:
        raise BackupNotFound(backup=backup_id, target=", ".join(site.service.config.targets))
    sound = [stored for stored in copies if stored.marks.damaged_at is None]
    if not sound:
        reason = copies[0].marks.damage or "a check found it so"
        raise BackupDamaged(backup=backup_id, target=copies[0].target, reason=reason)
    problem: HoldfastError | None = None
    files = [path for path in (file_of(stored, site.service.config) for stored in sound) if path is not None]
    for path in files:
        try:
            return _of_file(path, request)
        except ChecksumMismatch as error:
            problem = error
        except FileNotFoundError:
            # Somebody deletes it at this moment.
            problem = problem or BackupNotFound(backup=backup_id, target=sound[0].target)
    if problem is not None and len(files) == len(sound):
        raise problem
    return _of_export(site, request, backup_id)


def _of_file(path: Path, request: Request) -> Response:
    digest = _DIGESTS.of(path)
    _check_digest(path, digest.hex())
    tag = f'"{digest.hex()}"'
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    # A part of another file than the one that is there now is of no use: then all of it is sent.
    if request.headers.get("if-range", tag) == tag:
        _check_range(request.headers.get("range", ""), path.stat().st_size)
    return _sent(path, path.name, None)


def _check_digest(path: Path, found: str) -> None:
    """INVARIANT: a file that was changed since it was made is never sent as the backup that it was."""
    noted = path.parent / sum_name(path.name.partition(".")[0])
    try:
        expected = noted.read_text(encoding="ascii", errors="replace").split()[0]
    except (FileNotFoundError, IndexError):
        return
    if expected != found:
        raise ChecksumMismatch(path=path.name, found=found, expected=expected)


def _of_export(site: Site, request: Request, backup_id: str) -> Response:
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
    return _Sent(path, headers=headers, media_type=media_type, filename=name, background=afterwards)


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
