"""Restoring chosen tables or rows into a SQLite database that is in use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.errors import RestoreError, RestoreRefused, SourceError
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.sources.place_rename import rename_new, safety_name, sync_directory, sync_file
from holdfast.sources.rows.sqlite_sink import SqliteSink
from holdfast.sources.rows.sqlite_store import SqliteRows
from holdfast.sources.server_tables import bring_over, parse_choices, undo_tables
from holdfast.sources.sqlite_copy import copy_database
from holdfast.sources.sqlite_options import SqliteOptions
from holdfast.sources.sqlite_stage import build
from holdfast.sources.sqlite_swap import take_over_owner


def plan_tables(path: Path, chain: Sequence[StoredContent], request: LoadRequest) -> LoadPlan:
    """What `load_tables` would do. Raises `RestoreRefused` where there is no database to restore into."""
    if not path.exists():
        raise RestoreRefused(destination=str(path), reason="tables are restored into a database that exists")
    copies = (str(safety_name(path, request.stamp)),) if request.safety_copy else ()
    return LoadPlan(
        destination=str(path),
        replaces=tuple(f"{path}: {table}" for table in request.tables),
        safety_copies=copies,
        directory=path.parent,
        needed_bytes=path.stat().st_size + sum(content.component.content_bytes for content in chain),
    )


def load_tables(
    path: Path, chain: Sequence[StoredContent], request: LoadRequest, source: str, options: SqliteOptions
) -> LoadReport:
    """Replaces tables or rows in one transaction; everything else stays, and the application may go on.

    Raises:
        RestoreError: nothing was changed.
        DamageError: the content is not whole; nothing was changed.
    """
    plan_tables(path, chain, request)
    staged = build(request.scratch / "tables.db", chain, request, str(path), source)
    copy = _keep(path, request, source, options) if request.safety_copy else None
    try:
        with SqliteRows(staged.path, source) as store, SqliteSink(path, source, options.busy_timeout_s) as sink:
            choices = parse_choices(request.tables, {table.name: table for table in store.tables()})
            rows = bring_over(store, sink, choices, request.cancelled).rows
    except BaseException:
        # SAFETY: the transaction was undone, so the copy is one of what is there.
        if copy is not None:
            with suppress(OSError):
                copy.unlink()
        raise
    return LoadReport(
        destination=str(path),
        safety_copies=(str(copy),) if copy else (),
        undo=undo_tables(copy, source, request.destination),
        rows=rows,
        checks=("rows of the restored tables counted", "foreign keys checked"),
    )


def _keep(path: Path, request: LoadRequest, source: str, options: SqliteOptions) -> Path:
    """A copy of the whole database, taken while others use it."""
    copy = safety_name(path, request.stamp)
    temporary = copy.with_name(f".holdfast-new-{copy.name}"[:255])
    try:
        temporary.unlink(missing_ok=True)
        copy_database(path, source, options, temporary, request.listener, request.cancelled)
        os.chmod(temporary, 0o600)
        take_over_owner(temporary, path)
        sync_file(temporary)
        rename_new(temporary, copy)
        sync_directory(copy.parent)
    except SourceError as error:
        raise RestoreError(path=str(path), reason=error.phrase) from error
    except OSError as error:
        raise RestoreError(path=str(copy), reason=error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return copy
