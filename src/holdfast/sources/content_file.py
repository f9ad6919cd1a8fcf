"""The one file of a component, written as a file of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.archive.digest import ContentDigest
from holdfast.errors import DamageError, RestoreImpossible, RestoreRefused
from holdfast.model.node import NodeType
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.place_rename import rename_new, sync_directory

_BLOCK_BYTES = 1 << 20
_PRIVATE = 0o700
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_folder(destination: str | None) -> bool:
    """Whether a restore goes into a folder, and not into a database or back to where the content came from."""
    return destination is not None and "://" not in destination


class DumpFile:
    """A restore of a server's database into a folder: the dump as it is, which the server's own programs read.

    Args:
        base_dir: what a relative destination starts from.
    """

    def __init__(self, chain: Sequence[StoredContent], request: LoadRequest, base_dir: Path) -> None:
        self._content = chain[-1]
        self._request = request
        folder = Path(os.path.realpath(base_dir / (request.destination or "")))
        self._path = folder / self._content.component.file_name
        if len(chain) > 1:
            reason = "it holds changes, which only a database takes; give the URL of a new one"
            raise RestoreRefused(destination=str(folder), reason=reason)
        if request.tables:
            reason = "tables are restored into a database; give its URL"
            raise RestoreRefused(destination=str(folder), reason=reason)

    def plan(self) -> LoadPlan:
        """What would be done. Raises `RestoreRefused` if the file is there already."""
        _refuse_existing(self._path)
        return plan_file(self._path, self._content)

    def load(self) -> LoadReport:
        """Does it."""
        size_bytes = write_new(self._path, proved_blocks(self._content, self._request.cancelled))
        return file_report(self._path, size_bytes, self._content)


def plan_file(path: Path, content: StoredContent) -> LoadPlan:
    """What writing the file would take."""
    folder = next((one for one in path.parents if one.is_dir()), Path("/"))
    return LoadPlan(destination=str(path), directory=folder, needed_bytes=content.component.content_bytes)


def file_report(path: Path, size_bytes: int, content: StoredContent) -> LoadReport:
    """What was written: rows cannot be counted in a file, so its content is what was compared, if its hash is known."""
    checks = ("content compared",) if content.component.content_sha256 else ()
    return LoadReport(destination=str(path), file_count=1, content_bytes=size_bytes, checks=checks, as_file=True)


def proved_blocks(content: StoredContent, cancelled: Callable[[], None]) -> Iterator[bytes]:
    """The content. Raises `DamageError` at its end if it is not what was backed up."""
    name = content.component.name
    digest, found = ContentDigest(), False
    for entry in content.entries():
        if entry.node.type is not NodeType.FILE or entry.open is None:
            continue
        if found:
            raise DamageError(object=name, reason="it holds more than one file")
        found, sha256, size = True, hashlib.sha256(), 0
        reader = entry.open()
        try:
            while block := reader.read(_BLOCK_BYTES):
                cancelled()
                sha256.update(block)
                size += len(block)
                yield block
        finally:
            reader.close()
        digest.feed(entry, sha256.digest(), size)
    if not found:
        raise DamageError(object=name, reason="it holds no file")
    expected = content.component.content_sha256
    if expected and digest.hexdigest() != expected:
        raise DamageError(object=name, reason="its content is not what was backed up")


def write_new(path: Path, blocks: Iterable[bytes]) -> int:
    """Writes a file that must not exist, for its owner alone; it appears whole or not at all.

    Returns:
        Its bytes.

    Raises:
        RestoreRefused: it exists.
        RestoreImpossible: it cannot be written.
    """
    _refuse_existing(path)
    temporary = path.with_name(f".holdfast-new-{path.name}"[:255])
    size_bytes = 0
    try:
        for folder in reversed([one for one in path.parents if not one.exists()]):
            folder.mkdir(_PRIVATE)
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, _FILE_FLAGS, 0o600), "wb") as file:
            for block in blocks:
                size_bytes += file.write(block)
            file.flush()
            # DURABILITY: the bytes are on the disk before the name is given.
            os.fsync(file.fileno())
        rename_new(temporary, path)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise RestoreRefused(destination=str(path), reason="it exists") from error
    except OSError as error:
        raise RestoreImpossible(path=str(path), reason=error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return size_bytes


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise RestoreRefused(destination=str(path), reason="it exists")
