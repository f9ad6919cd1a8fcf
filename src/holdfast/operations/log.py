"""The log beside the backups: one line per event, for people and for grep."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Generator, Iterable
from datetime import datetime

import msgspec

from holdfast.errors import HoldfastError, Interrupted
from holdfast.model.component import Problem
from holdfast.model.event import Event, Warned
from holdfast.operations.context import AppContext
from holdfast.operations.lock import make_folders
from holdfast.runtime.unforeseen import named

INFO = "INFO"
WARNING = "WARNING"
ERROR = "ERROR"

_FAILED = "log-failed"

COMPLETED = "Backup completed successfully"

# Names of files and tables may hold anything; a log line must stay one line and must not steer a terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def line(moment: datetime, level: str, text: str) -> str:
    """`2024-01-01 12:00:00,123 - INFO - text`, in the moment's own zone, as Python's logging writes it."""
    printable = _CONTROL.sub(" ", text).encode("utf-8", "backslashreplace").decode()
    return f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d} - {level} - {printable}\n"


def write(context: AppContext, level: str, text: str) -> None:
    """Appends to every log of the application. A log that cannot be written is told to the listener."""
    data = line(context.clock.now().at(), level, text).encode()
    for path in context.log_paths:
        try:
            make_folders(path.parent)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            try:
                # One write, so that lines of two processes do not mix.
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            context.listener(Warned(code=_FAILED, subject=str(path), detail=error.strerror or str(error)))


def write_problems(context: AppContext, problems: Iterable[Problem]) -> None:
    """A warning for each problem of a report."""
    for problem in problems:
        write(context, WARNING, f"{problem.subject}: {problem.detail or problem.code}")


@contextlib.contextmanager
def logged(context: AppContext, what: str) -> Generator[None]:
    """Logs how an operation began, and, if it raises, how it failed; its success is for the operation to tell."""
    write(context, INFO, f"{what} started")
    try:
        yield
    except Interrupted as error:
        write(context, ERROR, f"{what} interrupted: {error}")
        raise
    except HoldfastError as error:
        write(context, ERROR, f"{what} failed: {error} ({error.code})")
        raise
    except BaseException as error:
        unforeseen = named(error)
        write(context, ERROR, f"{what} failed: {unforeseen} ({unforeseen.code})")
        raise


def logging_warnings(context: AppContext) -> AppContext:
    """The same, with a listener that may be called from any thread and also writes every warning into the logs.

    That a log cannot be written is told once for each of them.
    """
    gate = threading.Lock()
    unwritable: set[str] = set()

    def tell(event: Event) -> None:
        if isinstance(event, Warned) and event.code == _FAILED:
            if event.subject in unwritable:
                return  # it is the same for every line
            unwritable.add(event.subject)
        context.listener(event)

    inner = msgspec.structs.replace(context, listener=tell)

    def listen(event: Event) -> None:
        with gate:
            if isinstance(event, Warned) and event.code != _FAILED:
                write(inner, WARNING, f"{event.subject}: {event.detail or event.code}")
            tell(event)

    return msgspec.structs.replace(context, listener=listen)


def amount(size_bytes: int) -> str:
    """A size for people: `12.3 MiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
