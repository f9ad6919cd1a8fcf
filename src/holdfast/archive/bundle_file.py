"""The record inside a bundle, found from the bundle's end."""

from __future__ import annotations

import re

from holdfast.archive.layouts.bundle import MANIFEST
from holdfast.archive.origin import Origin
from holdfast.archive.record import RECORD_MAX_BYTES
from holdfast.archive.zip_reader import ZipReader
from holdfast.errors import DamageError, ObjectNotFound
from holdfast.protocols.folder import Folder

_TAIL_BYTES = 1024
_MARK = b"PK\x05\x06"
_COMMENT = re.compile(rb"holdfast: manifest\.json at ([0-9]{1,20})\Z")
_SUM = re.compile(rb"([0-9a-f]{64})  ")
_STEP_BYTES = 64 * 1024


def comment(position: int) -> bytes:
    """What the end of a bundle says about where its record is."""
    return b"holdfast: %s at %d" % (MANIFEST.encode(), position)


def read_record(folder: Folder, name: str, size_bytes: int, target: str) -> bytes:
    """The record inside a bundle, by two requests; empty if there is none."""
    tail = _read(folder, name, max(0, size_bytes - _TAIL_BYTES), _TAIL_BYTES)
    found = _COMMENT.search(tail[max(0, tail.rfind(_MARK)) :])
    if found is None or int(found[1]) >= size_bytes:
        return b""
    reader = ZipReader(folder.read(name, int(found[1])), Origin(name, target))
    try:
        for member in reader.members():
            if member.name != MANIFEST:
                return b""
            parts: list[bytes] = []
            total = 0
            while block := member.content.read(_STEP_BYTES):
                parts.append(block)
                total += len(block)
                if total > RECORD_MAX_BYTES:
                    return b""
            return b"".join(parts)
    except DamageError:
        return b""
    finally:
        reader.close()
    return b""


def sum_name(backup_id: str) -> str:
    """Where the checksum of a bundle is kept, which cannot lie in the bundle itself."""
    return f".holdfast/{backup_id}.sha256"


def sum_text(sha256: str, name: str) -> bytes:
    """The checksum as `sha256sum --check` reads it, from the archive's folder."""
    return f"{sha256}  {name}\n".encode()


def read_sum(folder: Folder, backup_id: str) -> str:
    """The checksum of a bundle; empty if nobody knows it."""
    try:
        found = _SUM.match(_read(folder, sum_name(backup_id), 0, 4096))
    except ObjectNotFound:
        return ""
    return found[1].decode() if found else ""


def _read(folder: Folder, name: str, offset: int, size_bytes: int) -> bytes:
    reader = folder.read(name, offset)
    try:
        parts: list[bytes] = []
        while size_bytes > 0 and (block := reader.read(size_bytes)):
            parts.append(block)
            size_bytes -= len(block)
        return b"".join(parts)
    finally:
        reader.close()
