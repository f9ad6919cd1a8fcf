"""Snapshots and locks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.errors import FormatError
from holdfast.format import lock, snapshot
from holdfast.format.timestamp import parse
from holdfast.model.ids import BlobId, SnapshotId
from holdfast.model.lock import Lock
from holdfast.model.snapshot import Snapshot, SnapshotSummary

TREE = BlobId(b"\x11" * 32)
FULL = Snapshot(
    time=parse("2026-03-01T10:20:30.000000001+03:30"), tree=TREE, paths=("/b", "/a <x>"), hostname="h", username="u",
    uid=7, gid=8, excludes=("*.tmp",), tags=("one", "two"), parent=SnapshotId(b"\x22" * 32),
    original=SnapshotId(b"\x33" * 32), program_version="holdfast 1",
    summary=SnapshotSummary(
        backup_start=parse("2026-03-01T10:20:30+03:30"), backup_end=parse("2026-03-01T10:21:30+03:30"), files_new=1,
        total_bytes_processed=1 << 50,
    ),
)  # fmt: skip


def test_full_snapshot_has_every_field_in_order() -> None:
    text = snapshot.encode(FULL)
    document = json.loads(text)
    assert list(document) == [
        "time", "parent", "tree", "paths", "hostname", "username", "uid", "gid", "excludes", "tags", "original",
        "program_version", "summary",
    ]  # fmt: skip
    assert list(document["summary"]) == [
        "backup_start", "backup_end", "files_new", "files_changed", "files_unmodified", "dirs_new", "dirs_changed",
        "dirs_unmodified", "data_blobs", "tree_blobs", "data_added", "data_added_packed", "total_files_processed",
        "total_bytes_processed",
    ]  # fmt: skip
    assert document["time"] == "2026-03-01T10:20:30.000000001+03:30"
    assert b'"/a \\u003cx\\u003e"' in text
    assert b" " not in text.replace(b"/a ", b"").replace(b"holdfast 1", b"")
    assert snapshot.decode(text) == FULL


def test_bare_snapshot_omits_what_is_empty() -> None:
    bare = Snapshot(time=parse("2026-03-01T10:20:30Z"), tree=TREE, paths=())
    assert snapshot.encode(bare).decode() == f'{{"time":"2026-03-01T10:20:30Z","tree":"{TREE.hex()}","paths":[]}}'
    assert snapshot.decode(snapshot.encode(bare)) == bare


def test_snapshots_of_others_are_read() -> None:
    document = json.dumps(
        {"time": "2016-01-01T00:00:00+01:00", "tree": TREE.hex(), "paths": None, "tags": None, "label": "x", "uid": 0,
         "delete": {"After": "2030-01-01T00:00:00Z"}, "summary": {"backup_start": "2016-01-01T00:00:00+01:00",
         "backup_end": "2016-01-01T00:00:00+01:00", "command": "rustic"}},
    ).encode()  # fmt: skip
    name = SnapshotId(b"\x44" * 32)
    read = snapshot.decode(document, id=name)
    assert (read.paths, read.tags, read.id, read.time.offset_s) == ((), (), name, 3600)
    assert read.summary is not None


@pytest.mark.parametrize(
    "change",
    [
        {"time": "now"}, {"time": None}, {"tree": "xx"}, {"tree": None}, {"paths": ["a", 1]}, {"paths": "a"},
        {"uid": -1}, {"uid": 1 << 32}, {"parent": "zz" * 32}, {"original": "1"}, {"summary": {}}, {"summary": []},
        {"summary": {"backup_start": "2026-01-01T00:00:00Z", "backup_end": "x"}}, {"tags": [None]},
        {"hostname": ["h"]},
    ],
)  # fmt: skip
def test_malformed_snapshots_are_refused(change: dict[str, Any]) -> None:
    document = json.loads(snapshot.encode(FULL)) | change
    with pytest.raises(FormatError, match="snapshots/abc"):
        snapshot.decode(json.dumps(document).encode(), "snapshots/abc")


def test_lock_is_written_as_restic_writes_it() -> None:
    made = Lock(time=parse("2026-03-01T10:20:30Z"), exclusive=True, hostname="h", username="u", pid=12, uid=5)
    text = b'{"time":"2026-03-01T10:20:30Z","exclusive":true,"hostname":"h","username":"u","pid":12,"uid":5}'
    assert lock.encode(made) == text
    assert lock.decode(text) == made


@pytest.mark.parametrize(
    "change", [{"time": ""}, {"exclusive": 1}, {"exclusive": None}, {"pid": -1}, {"pid": 10**30}, {"uid": 1 << 32}]
)
def test_malformed_locks_are_refused(change: dict[str, Any]) -> None:
    document = {"time": "2026-03-01T10:20:30Z", "exclusive": False, "hostname": "h", "username": "u", "pid": 1}
    with pytest.raises(FormatError, match="locks/abc"):
        lock.decode(json.dumps(document | change).encode(), "locks/abc")
