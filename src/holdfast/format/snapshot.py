"""Snapshot documents.

Source: format sheet, section 9.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.format.document import UINT32_LIMIT, Buffer, parse_id
from holdfast.format.document import decode as decode_document
from holdfast.format.gojson import quote_text
from holdfast.format.timestamp import parse, render_instant
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.snapshot import Snapshot, SnapshotSummary

_UInt32 = Annotated[int, Meta(ge=0, lt=UINT32_LIMIT)]
_Count = Annotated[int, Meta(ge=0)]

_COUNTS = (
    "files_new", "files_changed", "files_unmodified", "dirs_new", "dirs_changed", "dirs_unmodified",
    "data_blobs", "tree_blobs", "data_added", "data_added_packed", "total_files_processed", "total_bytes_processed",
)  # fmt: skip


class _SummaryDocument(msgspec.Struct):
    backup_start: str
    backup_end: str
    files_new: _Count = 0
    files_changed: _Count = 0
    files_unmodified: _Count = 0
    dirs_new: _Count = 0
    dirs_changed: _Count = 0
    dirs_unmodified: _Count = 0
    data_blobs: _Count = 0
    tree_blobs: _Count = 0
    data_added: _Count = 0
    data_added_packed: _Count = 0
    total_files_processed: _Count = 0
    total_bytes_processed: _Count = 0


class _SnapshotDocument(msgspec.Struct):
    time: str
    tree: str
    paths: list[str] | None = None
    parent: str | None = None
    hostname: str = ""
    username: str = ""
    uid: _UInt32 = 0
    gid: _UInt32 = 0
    excludes: list[str] | None = None
    tags: list[str] | None = None
    original: str | None = None
    program_version: str = ""
    summary: _SummaryDocument | None = None


_SNAPSHOT = msgspec.json.Decoder(_SnapshotDocument)


def encode(snapshot: Snapshot) -> bytes:
    """The JSON of a snapshot; its `id` is not part of it."""
    fields = [f'"time":"{render_instant(snapshot.time)}"']
    if snapshot.parent is not None:
        fields.append(f'"parent":"{snapshot.parent.hex()}"')
    fields.append(f'"tree":"{snapshot.tree.hex()}"')
    fields.append(f'"paths":{_strings(snapshot.paths)}')
    fields += [
        f'"{name}":{quote_text(text)}'
        for name, text in (("hostname", snapshot.hostname), ("username", snapshot.username))
        if text
    ]
    fields += [f'"{name}":{number}' for name, number in (("uid", snapshot.uid), ("gid", snapshot.gid)) if number]
    fields += [
        f'"{name}":{_strings(texts)}'
        for name, texts in (("excludes", snapshot.excludes), ("tags", snapshot.tags))
        if texts
    ]
    if snapshot.original is not None:
        fields.append(f'"original":"{snapshot.original.hex()}"')
    if snapshot.program_version:
        fields.append(f'"program_version":{quote_text(snapshot.program_version)}')
    if snapshot.summary is not None:
        fields.append(f'"summary":{_encode_summary(snapshot.summary)}')
    return ("{" + ",".join(fields) + "}").encode()


def decode(document: Buffer, what: object = "snapshot", *, id: SnapshotId | None = None) -> Snapshot:  # noqa: A002
    """Reads a snapshot.

    Args:
        what: the file, for the error.
        id: the name it was stored under.

    Raises:
        FormatError: not a snapshot.
    """
    raw = decode_document(_SNAPSHOT, document, what)
    return Snapshot(
        time=parse(raw.time, what),
        tree=BlobId(parse_id(raw.tree, what)),
        paths=tuple(raw.paths or ()),
        hostname=raw.hostname,
        username=raw.username,
        uid=raw.uid,
        gid=raw.gid,
        excludes=tuple(raw.excludes or ()),
        tags=tuple(raw.tags or ()),
        parent=SnapshotId(parse_id(raw.parent, what)) if raw.parent else None,
        original=SnapshotId(parse_id(raw.original, what)) if raw.original else None,
        program_version=raw.program_version,
        summary=None if raw.summary is None else _decode_summary(raw.summary, what),
        id=id,
    )


def _strings(texts: tuple[str, ...]) -> str:
    return "[" + ",".join(map(quote_text, texts)) + "]"


def _encode_summary(summary: SnapshotSummary) -> str:
    counts = ",".join(f'"{name}":{getattr(summary, name)}' for name in _COUNTS)
    start, end = render_instant(summary.backup_start), render_instant(summary.backup_end)
    return f'{{"backup_start":"{start}","backup_end":"{end}",{counts}}}'


def _decode_summary(raw: _SummaryDocument, what: object) -> SnapshotSummary:
    return SnapshotSummary(
        backup_start=parse(raw.backup_start, what),
        backup_end=parse(raw.backup_end, what),
        **{name: getattr(raw, name) for name in _COUNTS},
    )
