"""Commands around a run: before it, and after it whatever became of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from holdfast.errors import HookFailed, Phrase
from holdfast.model.component import Problem
from holdfast.model.event import Progress
from holdfast.operations import log
from holdfast.operations.context import AppContext
from holdfast.runtime.programs import Patience, Program


def run_hooks(
    context: AppContext, hooks: Sequence[str], told: Mapping[str, str], *, cancelled: Callable[[], None]
) -> None:
    """Runs commands one after the other.

    Args:
        hooks: each a program and its arguments.
        told: what they find in their environment, under names that begin with `HOLDFAST_`.
        cancelled: raises when they are to stop.

    Raises:
        HookFailed: one did not succeed; those after it did not run.
    """
    for hook in hooks:
        context.listener(Progress(phase="hook", current=hook))
        log.write(context, log.INFO, f"Running hook: {program_of(hook)}")
        _run(context, hook, told, cancelled)


def run_after(context: AppContext, hooks: Sequence[str], told: Mapping[str, str]) -> list[HookFailed]:
    """Runs commands that bring an application back: all of them, even when one fails or the run was cancelled."""
    failed: list[HookFailed] = []
    for hook in hooks:
        try:
            run_hooks(context, [hook], told, cancelled=lambda: None)
        except HookFailed as error:
            failed.append(error)
    return failed


def problem_of(error: HookFailed) -> Problem:
    """What a report says about a hook that failed."""
    return Problem(code=error.code, subject=str(error.context["hook"]), detail=error.phrase)


def _run(context: AppContext, hook: str, told: Mapping[str, str], cancelled: Callable[[], None]) -> None:
    try:
        command = shlex.split(hook)
    except ValueError as error:
        raise HookFailed(hook=hook, reason=str(error)) from error
    if not command:
        raise HookFailed(hook=hook, reason="it names no program")

    def silent(seconds: float) -> HookFailed:
        return HookFailed(
            hook=hook, reason=Phrase("it said nothing for {seconds} s and was ended", {"seconds": f"{seconds:.0f}"})
        )

    patience = Patience(context.hooks.timeout_s, silent, cancelled)
    environment = {f"HOLDFAST_{name}": value for name, value in told.items()}
    try:
        with Program(command, patience, environment=environment, directory=str(context.hooks.directory)) as program:
            while program.read():
                pass
            ending = program.finish()
    except (OSError, ValueError) as error:
        raise HookFailed(hook=hook, reason=getattr(error, "strerror", None) or str(error)) from error
    if not ending.succeeded:
        raise HookFailed(hook=hook, reason=ending.words)


def program_of(hook: str) -> str:
    """The program alone: arguments may hold what does not belong into a log or a file."""
    return hook.split(maxsplit=1)[0] if hook.split() else hook
