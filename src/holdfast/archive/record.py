"""Records: the file that makes a backup one, and proves itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.archive.layouts.layout import FileRow
from holdfast.archive.layouts.typed import readable
from holdfast.model.backup import Manifest, is_backup_id

RECORD_MAX_BYTES = 64 * 1024 * 1024
_SEAL = re.compile(rb'"record_sha256": "([0-9a-f]{64})"')
_BLANK = b"0" * 64


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored file as it is written into a record."""

    name: str
    size: int
    sha256: str
    component: str = ""
    purpose: str = "content"
    path: str = ""
    compression: str = ""
    encryption: str = ""
    unpacked_size: int = 0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says, apart from what is for people.

    Attributes:
        manifest: None in a sidecar, which is no record.
        files: what is stored, state and sidecars included.
        intact: whether it is as it was written.
        damaged: whether it cannot be understood at all.
    """

    manifest: Manifest | None = None
    files: tuple[FileRow, ...] = ()
    intact: bool = True
    damaged: bool = False


class _Document(msgspec.Struct, frozen=True):
    holdfast: msgspec.Raw = msgspec.Raw(b"{}")
    stored: list[Row] = []


class _Reference(msgspec.Struct, frozen=True):
    backup_id: str = ""
    components: msgspec.Raw = msgspec.Raw(b"")


def encode(fields: Mapping[str, object], manifest: Manifest, files: Sequence[FileRow]) -> bytes:
    """A record: fields for people first, then the stored files, the manifest, and a hash over all of it."""
    document: dict[str, object] = {
        **fields,
        "stored": [_row(file) for file in files],
        "holdfast": manifest,
        "record_sha256": _BLANK.decode(),
    }
    text = readable(document)
    return text.replace(b'"record_sha256": "' + _BLANK, b'"record_sha256": "' + _seal(text).encode())


def decode(data: bytes) -> Record:
    """Reads a record or a sidecar; whatever it is given, it raises nothing."""
    try:
        document = msgspec.json.decode(data, type=_Document)
        reference = msgspec.json.decode(document.holdfast, type=_Reference)
        if not bytes(reference.components):
            return Record(damaged=not is_backup_id(reference.backup_id))
        manifest = msgspec.json.decode(document.holdfast, type=Manifest)
        if not is_backup_id(manifest.backup_id):
            return Record(damaged=True)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Record(damaged=True)
    return Record(manifest=manifest, files=tuple(_file(row) for row in document.stored), intact=_is_intact(data))


def _is_intact(data: bytes) -> bool:
    found = list(_SEAL.finditer(data))
    if not found:
        return False
    last = found[-1]
    blank = data[: last.start(1)] + _BLANK + data[last.end(1) :]
    return _seal(blank) == last[1].decode()


def _seal(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _row(file: FileRow) -> Row:
    return Row(
        name=file.name,
        size=file.size_bytes,
        sha256=file.sha256,
        component=file.component,
        purpose=file.purpose,
        path=file.path,
        compression=file.compression,
        encryption=file.encryption,
        unpacked_size=file.unpacked_bytes or 0,
    )


def _file(row: Row) -> FileRow:
    return FileRow(
        row.name,
        row.component,
        row.purpose,
        row.size,
        row.sha256,
        row.path,
        row.compression,
        row.encryption,
        row.unpacked_size,
    )
