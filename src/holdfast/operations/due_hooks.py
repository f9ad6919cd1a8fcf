"""Hooks that bring an application back are owed from the moment something may have stopped it.

A process that is killed between the hooks before a run and those after it leaves the application stopped. So what is
owed is noted before the first hook begins and struck out as each hook after the run succeeds. Whoever looks later -
`doctor`, the next run - finds it there, and `doctor --finish-hooks` runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.errors import HookFailed, Phrase, TargetError
from holdfast.model.event import Warned
from holdfast.operations.context import AppContext
from holdfast.operations.hooks import program_of, run_after, run_hooks
from holdfast.operations.lock import private_directory, run_lock
from holdfast.operations.private_file import put_whole, remove_whole
from holdfast.operations.reports import FinishedHooks

FOLDER = "hooks"
RESTORE = "restore"
BACKUP = "backup"


class DueHook(msgspec.Struct, frozen=True, kw_only=True):
    """One hook, without its arguments, which may hold what does not belong into a file."""

    program: str
    sha256: str


class HookNote(msgspec.Struct, frozen=True, kw_only=True):
    """What one run owes. `began` names the programs of hooks before the run that were begun."""

    operation: str
    started_at: datetime
    told: dict[str, str]
    began: tuple[str, ...] = ()
    due: tuple[DueHook, ...] = ()


class OwedHooks:
    """The hooks of one run. The caller holds the application's lock.

    Args:
        operation: `restore` or `backup`.
        before: run by `begin`.
        after: run by `finish`; without any nothing is noted.
        told: what they find in their environment.
    """

    def __init__(
        self, context: AppContext, operation: str, before: Sequence[str], after: Sequence[str], told: dict[str, str]
    ) -> None:
        self._context = context
        self._before = before
        self._after = after
        self._note = HookNote(
            operation=operation,
            started_at=context.now(),
            told={"APP": context.app, "OPERATION": operation, **told},
            due=tuple(_due(hook) for hook in after),
        )

    def begin(self) -> None:
        """Runs the hooks before the run.

        Raises:
            TargetError: what is owed cannot be noted; nothing was run.
            HookFailed: one did not succeed; those after it did not run.
            Interrupted: it was cancelled.
        """
        for hook in self._before:
            if self._after:
                began = (*self._note.began, program_of(hook))
                self._note = msgspec.structs.replace(self._note, began=began)
                # INVARIANT: no hook begins that may stop the application before it is noted what brings it back.
                _write(self._context, self._note)
            cancelled = self._context.cancel.raise_if_cancelled
            run_hooks(self._context, [hook], self._note.told, cancelled=cancelled)

    def finish(self) -> list[HookFailed]:
        """Runs the hooks after the run: all of them, even when one fails or the run was cancelled."""
        failed = run_after(self._context, self._after, self._note.told)
        _settle(self._context, self._note, failed)
        return failed


def finish_hooks(context: AppContext) -> FinishedHooks:
    """Runs what runs that were killed still owe.

    Raises:
        AppBusy: a run is at work, and will do it itself.
    """
    ran: list[str] = []
    gone: list[str] = []
    failed: list[HookFailed] = []
    with run_lock(context):
        for note in owed(context):
            configured = {_due(hook).sha256: hook for hook in _configured(context, note.operation)}
            hooks = [configured[due.sha256] for due in note.due if due.sha256 in configured]
            gone += [due.program for due in note.due if due.sha256 not in configured]
            errors = run_after(context, hooks, note.told)
            _settle(context, note, errors)
            failed += errors
            spoilt = {error.context["hook"] for error in errors}
            ran += [program_of(hook) for hook in hooks if hook not in spoilt]
    return FinishedHooks(ran=tuple(ran), gone=tuple(gone), failed=tuple(failed))


def owed(context: AppContext) -> list[HookNote]:
    """What runs that ended too early owe; a note that cannot be read owes what is configured now."""
    found: list[HookNote] = []
    for operation in (RESTORE, BACKUP):
        path = _path(context, operation)
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=HookNote))
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError):
            due = tuple(_due(hook) for hook in _configured(context, operation))
            told = {"APP": context.app, "OPERATION": operation}
            found.append(HookNote(operation=operation, started_at=context.now(), told=told, due=due))
    return [note for note in found if note.due]


def warn_of_owed(context: AppContext) -> None:
    """Tells whoever begins the next run. The caller holds the lock, so that no run is at work that owes it rightly."""
    for note in owed(context):
        programs = ", ".join(due.program for due in note.due)
        detail = Phrase(
            "a {operation} ended before these ran, which bring the application back: {programs}",
            {"operation": note.operation, "programs": programs},
        )
        context.listener(Warned(code="hooks-due", subject="holdfast doctor --finish-hooks", detail=detail))


def _settle(context: AppContext, note: HookNote, failed: Sequence[HookFailed]) -> None:
    """Leaves what failed in the note; with nothing left the note goes."""
    path = _path(context, note.operation)
    left = [_due(str(error.context["hook"])) for error in failed]
    try:
        if left and path.exists():
            put_whole(path, msgspec.json.encode(msgspec.structs.replace(note, due=tuple(left))))
        elif path.exists():
            remove_whole(path)
    except OSError as error:
        reason = error.strerror or str(error)
        context.listener(
            Warned(
                code="hooks-due",
                subject=str(path),
                detail=Phrase("it cannot be brought up to date: {reason}", {"reason": reason}),
            )
        )


def _write(context: AppContext, note: HookNote) -> None:
    path = _path(context, note.operation)
    try:
        private_directory(private_directory(context.state_dir) / FOLDER)
        put_whole(path, msgspec.json.encode(note))
    except OSError as error:
        values = {"path": path, "reason": error.strerror or str(error)}
        raise TargetError(
            detail=Phrase("the note of hooks that are due, {path}, cannot be written: {reason}", values)
        ) from error


def _path(context: AppContext, operation: str) -> Path:
    return context.state_dir / FOLDER / f"{operation}.json"


def _configured(context: AppContext, operation: str) -> tuple[str, ...]:
    return context.hooks.after_restore if operation == RESTORE else context.hooks.after_backup


def _due(hook: str) -> DueHook:
    return DueHook(program=program_of(hook), sha256=hashlib.sha256(hook.encode()).hexdigest())
