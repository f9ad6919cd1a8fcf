"""What doctor looks at on this machine: state, locks, leftovers, logs, hooks, the clock."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from holdfast.errors import Phrase
from holdfast.operations.context import AppContext
from holdfast.operations.doctor_report import Finding
from holdfast.operations.due_hooks import owed
from holdfast.operations.journal import FOLDER, JournalRecord
from holdfast.operations.lock import lock_holder
from holdfast.operations.scratch import scratch_base
from holdfast.runtime import host
from holdfast.runtime.programs import find_program

_EARLIEST_YEAR = 2024


def examine_machine(context: AppContext) -> list[Finding]:
    """Everything that is neither a source nor a target."""
    found = [_clock(context), *_state(context), *_restores(context), *_owed(context), *_leftovers(context)]
    found += [finding for path in context.log_paths for finding in _log(path)]
    for hook in (
        *context.hooks.before_backup,
        *context.hooks.after_backup,
        *context.hooks.before_restore,
        *context.hooks.after_restore,
    ):
        found += _hook(context, hook)
    return found


def _clock(context: AppContext) -> Finding:
    now = context.now()
    if now.year < _EARLIEST_YEAR:
        hint = "Set the clock: backups are named by it, and retention counts by it."
        detail = Phrase("it shows {isoformat}", {"isoformat": now.isoformat(timespec="seconds")})
        return Finding(level="error", code="clock", subject=Phrase("clock", {}), detail=detail, hint=hint)
    return Finding(level="ok", code="clock", subject=Phrase("clock", {}), detail=now.isoformat(timespec="seconds"))


def _state(context: AppContext) -> list[Finding]:
    subject = Phrase("state directory {state_dir}", {"state_dir": context.state_dir})
    try:
        status = os.stat(context.state_dir)
    except FileNotFoundError:
        return [Finding(level="ok", code="state-dir", subject=subject, detail="will be made by the first backup")]
    except OSError as error:
        return [_unusable(subject, error)]
    if stat.S_IMODE(status.st_mode) & 0o077:
        hint = Phrase("Run chmod 700 {state_dir}.", {"state_dir": shlex.quote(str(context.state_dir))})
        return [Finding(level="error", code="state-dir", subject=subject, detail="others may look into it", hint=hint)]
    if status.st_uid not in (host.user_id(), 0):
        advice = "Run Holdfast as the user that owns it."
        return [
            Finding(level="error", code="state-dir", subject=subject, detail="it belongs to another user", hint=advice)
        ]
    holder = lock_holder(context)
    if holder:
        return [
            Finding(
                level="note",
                code="app-busy",
                subject=Phrase("lock", {}),
                detail=Phrase("a run is at work: {holder}", {"holder": holder}),
            )
        ]
    return [Finding(level="ok", code="state-dir", subject=subject, detail="private, and no run is at work")]


def _unusable(subject: str, error: OSError) -> Finding:
    hint = "Check its permissions and those of the folders above it."
    detail = error.strerror or str(error)
    return Finding(level="error", code="access-denied", subject=subject, detail=detail, hint=hint)


def _restores(context: AppContext) -> list[Finding]:
    """Restores that were ended from outside: what they replaced is named in their journals."""
    found: list[Finding] = []
    records: dict[str, JournalRecord] = {}
    for path in sorted((context.state_dir / FOLDER).glob("*.json")):
        try:
            records[str(path)] = msgspec.json.decode(path.read_bytes(), type=JournalRecord)
        except (OSError, msgspec.MsgspecError):
            detail, hint = "it cannot be read", "Look at it, and delete it if it is of no use."
            found.append(Finding(level="warning", code="journal", subject=str(path), detail=detail, hint=hint))
    for name, record in records.items():
        if record.finished_at is None and not _restored_since(record, records.values()) and not lock_holder(context):
            reached = ", ".join(f"{entry.source} {entry.state}" for entry in record.components)
            detail = Phrase(
                "the restore of {backup_id} was ended in the middle: {reached}",
                {"backup_id": record.backup_id, "reached": reached},
            )
            hint = "Restore again, or put back the safety copies that the journal names; then delete the journal."
            found.append(Finding(level="error", code="restore-unfinished", subject=name, detail=detail, hint=hint))
    return found


def _owed(context: AppContext) -> list[Finding]:
    """Hooks that were to bring the application back, and did not run because their run was ended from outside."""
    if lock_holder(context):
        return []
    found: list[Finding] = []
    for note in owed(context):
        programs = ", ".join(due.program for due in note.due)
        since = note.started_at.isoformat(timespec="seconds")
        values = {"operation": note.operation, "since": since, "began": ", ".join(note.began), "programs": programs}
        detail = Phrase("the {operation} of {since} ended, and before these hooks: {programs}", values)
        if note.began:
            detail = Phrase(
                "the {operation} of {since} ended after it had run {began}, and before these hooks: {programs}", values
            )
        hint = "The application may be stopped. Run `holdfast doctor --finish-hooks`, which runs them."
        found.append(Finding(level="error", code="hooks-due", subject=Phrase("hooks", {}), detail=detail, hint=hint))
    return found


def _restored_since(record: JournalRecord, others: Iterable[JournalRecord]) -> bool:
    """Whether later restores brought all of it to where it was to go, which is what was advised."""
    done = {
        (entry.source, entry.destination)
        for other in others
        if other.started_at > record.started_at and other.finished_at is not None
        for entry in other.components
        if entry.state == "done"
    }
    wanted = {(entry.source, entry.destination) for entry in record.components}
    return bool(wanted) and wanted <= done


def _leftovers(context: AppContext) -> list[Finding]:
    base = scratch_base(context)
    try:
        left = os.listdir(base)
    except OSError:
        return []
    if not left or lock_holder(context):
        return []
    detail = "a run that was killed left temporary files, which are removed now"
    return [Finding(level="note", code="leftovers", subject=str(base), detail=detail)]


def _log(path: Path) -> list[Finding]:
    subject = Phrase("log {path}", {"path": path})
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_unusable(subject, error)]
    if stat.S_IMODE(status.st_mode) & 0o077:
        hint = Phrase("Run chmod 600 {path}.", {"path": shlex.quote(str(path))})
        return [Finding(level="warning", code="log", subject=subject, detail="others may read it", hint=hint)]
    if not os.access(path, os.W_OK):
        return [Finding(level="warning", code="log", subject=subject, detail="it cannot be written to", hint="")]
    return [Finding(level="ok", code="log", subject=subject)]


def _hook(context: AppContext, hook: str) -> list[Finding]:
    try:
        program = shlex.split(hook)[0]
    except (ValueError, IndexError):
        program = ""
    relative = context.hooks.directory / program
    if program and (find_program([program]) or (os.sep in program and os.access(relative, os.X_OK))):
        return []
    detail = Phrase("the program {program} is not there, or cannot be run", {"program": repr(program or hook)})
    hint = "Correct the hook in holdfast.toml, or install the program."
    return [
        Finding(
            level="error", code="hook-failed", subject=Phrase("hook {hook}", {"hook": hook}), detail=detail, hint=hint
        )
    ]
