"""Restoring a SQLite database, in place or elsewhere."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.errors import Phrase, RestoreError, RestoreMismatch, RestoreRefused
from holdfast.model.event import Progress
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.place_rename import rename_new, safety_name, sync_directory
from holdfast.sources.sqlite_check import count_rows
from holdfast.sources.sqlite_opening import closing, open_snapshot
from holdfast.sources.sqlite_place import side_files, staging_of
from holdfast.sources.sqlite_stage import Staged, build, compare_rows, discard
from holdfast.sources.sqlite_swap import refuse_users, replace, undo_of

_PRIVATE = 0o700
_PERMISSIONS = 0o666
_JUDGE_WAIT_S = 10.0


def plan_load(path: Path, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
    """What `load_database` would do."""
    in_place = request.destination is None
    replaces = [path, *side_files(path)] if os.path.lexists(path) and in_place else []
    copies = (str(safety_name(path, request.stamp)),) if replaces and request.safety_copy else ()
    return LoadPlan(
        destination=str(path),
        replaces=tuple(map(str, replaces)),
        safety_copies=copies,
        directory=_existing(path.parent),
        needed_bytes=sum(content.component.content_bytes for content in chain),
    )


def load_database(path: Path, chain: Sequence[StoredContent], request: LoadRequest, source: str) -> LoadReport:
    """Builds the database beside its destination, judges it, and gives it its name.

    Args:
        path: the file; the live one if `request.destination` is None, else one that must not exist.

    Raises:
        RestoreError: the destination is as it was.
        DamageError: the content is not whole; the destination is as it was.
    """
    in_place = request.destination is None
    if not in_place:
        _refuse_existing(path)
    elif path.exists():
        refuse_users(path)
    _make_folder(path.parent)
    staging = staging_of(path)
    request.listener(Progress(phase="restoring", current=path.name))
    try:
        staged = build(staging, chain, request, str(path), source)
        _set_owner(staging, chain[0])
        copies = _put(staging, path, request, in_place=in_place)
    finally:
        with suppress(OSError):
            discard(staging)
    rows = _judge(path, chain[-1], staged, source, request)
    return LoadReport(
        destination=str(path),
        safety_copies=tuple(map(str, copies)),
        undo=undo_of(path, copies),
        rows=rows,
        file_count=1,
        content_bytes=staged.size_bytes,
        checks=(
            "PRAGMA integrity_check: ok",
            Phrase("rows of all tables counted (tables: {count})", {"count": len(rows)}),
        ),
    )


def _put(staging: Path, path: Path, request: LoadRequest, *, in_place: bool) -> list[Path]:
    if in_place:
        return replace(staging, path, request.stamp, keep=request.safety_copy, cancelled=request.cancelled)
    try:
        rename_new(staging, path)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise RestoreRefused(destination=str(path), reason="it exists") from error
    except OSError as error:
        raise RestoreError(path=str(path), reason=error.strerror or str(error)) from error
    return []


def _refuse_existing(path: Path) -> None:
    for taken in [path, *side_files(path)]:
        if os.path.lexists(taken):
            raise RestoreRefused(destination=str(path), reason=Phrase("{taken} exists", {"taken": taken}))


def _make_folder(folder: Path) -> None:
    try:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(_PRIVATE)
    except OSError as error:
        raise RestoreError(path=str(folder), reason=error.strerror or str(error)) from error


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), folder)


def _set_owner(staging: Path, content: StoredContent) -> None:
    """What the backup says about owner and permissions; a live database that is replaced has the last word."""
    facts = content.component.facts
    with suppress(ValueError, OSError):
        user, group = map(int, facts.get("owner", "").split(":"))
        os.chown(staging, user, group)
    with suppress(ValueError, OSError):
        os.chmod(staging, int(facts.get("mode", ""), 8) & _PERMISSIONS)


def _judge(path: Path, content: StoredContent, staged: Staged, source: str, request: LoadRequest) -> dict[str, int]:
    """Counts what is in the destination now."""
    try:
        with closing(open_snapshot(path, source, _JUDGE_WAIT_S, request.cancelled)) as database:
            rows = count_rows(database)
    except sqlite3.Error as error:
        raise RestoreMismatch(destination=str(path), reason=str(error)) from error
    compare_rows(rows, content.component.rows or staged.found.rows, str(path))
    return rows
