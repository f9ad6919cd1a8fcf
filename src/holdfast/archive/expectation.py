"""What a record or sidecar near a file says about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace

from holdfast.archive import record
from holdfast.archive.layouts.layout import STAMP, FileRow
from holdfast.model.backup import Manifest
from holdfast.model.component import Component, Shape

_DATED = re.compile(rf".*?_?({STAMP})")
_BUNDLE = re.compile(r"(backup_[0-9]{4}(?:_[0-9]{2}){5}(?:_[1-9][0-9]{0,3})?)\.zip")


class Expectation(NamedTuple):
    """What is known of a file before it is read.

    Attributes:
        sha256: of the file as it is; empty if nobody knows.
        component: what it holds.
        path: of the entry whose content it is, if it is one of several.
        manifest: of the backup it belongs to.
    """

    sha256: str = ""
    component: Component | None = None
    path: bytes = b""
    manifest: Manifest | None = None


class _Sidecar(msgspec.Struct, frozen=True):
    checksum: str = ""
    backup_path: str = ""


def expectation(path: Path) -> Expectation:
    """Looks beside the file, and where the layouts keep their records."""
    checksum = ""
    for near in _near(path):
        data = _read(near)
        found = record.decode(data) if data else record.Record()
        if found.manifest is not None and (known := _from_record(found, found.manifest, path.name)) is not None:
            return known if known.sha256 else known._replace(sha256=checksum)
        checksum = checksum or _from_sidecar(data, path.name)
    return Expectation(checksum)


def _near(path: Path) -> list[Path]:
    bundle = _BUNDLE.match(path.name)
    if bundle is not None:
        return [path.parent / f"{bundle[1]}.json", path.parent / ".holdfast" / f"{bundle[1]}.sha256"]
    dated = _DATED.match(path.name)
    inside = re.fullmatch(rf"backup_{STAMP}", path.parent.name)
    if dated is None:
        return [path.parent / "backup_report.json"] if inside else []
    stem, stamp = dated[0], dated[1]
    names = [f"{stem}.json", f"{stem}.meta.json", f"manifest_{stamp}.json", "backup_report.json"]
    near = [path.parent / name for name in names if name != path.name]
    return [*near, path.parent / f"full_backup_{stamp}.json", path.parent.parent / "full" / f"full_backup_{stamp}.json"]


def _from_record(found: record.Record, manifest: Manifest, name: str) -> Expectation | None:
    content = [row for row in found.files if row.purpose in {"content", "bundle"}]
    row = next((row for row in content if _base(row) == name), None)
    if row is not None:
        return _expected(row, manifest, row.sha256)
    row = next((row for row in content if _base(row).startswith(f"{name}.")), None)
    # Unpacked by hand: its checksum is not known any more, but the digest of its content is.
    return None if row is None else _expected(row, manifest, "")


def _expected(row: FileRow, manifest: Manifest, sha256: str) -> Expectation:
    component = manifest.components.get(row.component)
    if component is not None and component.shape is Shape.FILES and row.path:
        table = row.path.removesuffix(".json")
        rows = {name: count for name, count in component.rows.items() if name == table}
        component = replace(
            component, rows=rows, file_count=1, content_bytes=row.unpacked_bytes or 0, content_sha256="", files=()
        )
    return Expectation(sha256, component, unquote_to_bytes(row.path), manifest)


def _from_sidecar(data: bytes, name: str) -> str:
    found = re.match(rb"([0-9a-f]{64})  (.+)\n\Z", data)
    if found is not None:
        return found[1].decode() if found[2].decode("utf-8", "replace") == name else ""
    try:
        sidecar = msgspec.json.decode(data, type=_Sidecar)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    known = re.fullmatch(r"[0-9a-f]{64}", sidecar.checksum) is not None
    return sidecar.checksum if known and sidecar.backup_path.rpartition("/")[2] == name else ""


def _base(row: FileRow) -> str:
    return row.name.rpartition("/")[2]


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() or path.stat().st_size > record.RECORD_MAX_BYTES:
            return b""
        return path.read_bytes()
    except OSError:
        return b""
