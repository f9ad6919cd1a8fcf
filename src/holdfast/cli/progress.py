"""How far an operation is: bars on a terminal, a line now and then elsewhere, status documents for programs."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from holdfast.cli import values
from holdfast.cli.output import Printer, is_terminal
from holdfast.cli.text import escape, translated
from holdfast.model.event import Event, Listener, Progress, Warned, phase_in_words
from holdfast.runtime.clock import Clock, SystemClock

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_LINE_EVERY_S = 10.0
_STATUS_EVERY_S = 1.0
_BAR_EVERY_S = 0.1
_BARS_AFTER_S = 0.4


class ProgressListener(AbstractContextManager["ProgressListener"]):
    """Shows the events of one operation. Use as a context manager, and call it from any thread.

    Warnings are shown at once, progress not more often than somebody can read it.

    Args:
        printer: where to.
        clock: when.
        statuses: with --json, print documents about progress; not where the output is one document.
    """

    def __init__(self, printer: Printer, clock: Clock | None = None, *, statuses: bool = True) -> None:
        self._printer = printer
        self._statuses = statuses
        self._clock = clock or SystemClock()
        self._guard = threading.Lock()
        self._started = self._clock.monotonic()
        self._phase = ""
        self._next_at = 0.0
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._on_terminal = is_terminal(printer.err) and not printer.json_output
        self.warnings = 0

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        with self._guard:
            if isinstance(event, Warned):
                self.warnings += 1
                self._show_warning(event)
            elif not self._printer.quiet:
                self._take(event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._guard:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def __enter__(self) -> Self:
        return self

    def _take(self, event: Progress) -> None:
        now = self._clock.monotonic()
        new_phase = event.phase != self._phase
        if now < self._next_at and not new_phase:
            return
        self._phase = event.phase
        if self._printer.json_output:
            self._next_at = now + _STATUS_EVERY_S
            if self._statuses:
                self._show_status(event, now)
        elif self._on_terminal:
            self._next_at = now + _BAR_EVERY_S
            if now - self._started >= _BARS_AFTER_S:
                self._show_bar(event, new_phase)
        elif now - self._started >= _LINE_EVERY_S:
            self._next_at = now + _LINE_EVERY_S
            self._show_line(event, now)

    def _show_warning(self, event: Warned) -> None:
        if self._printer.json_output:
            self._printer.message(
                "warning", stream=self._printer.err, code=event.code, subject=event.subject, detail=event.detail
            )
        elif event.detail:
            self._printer.warn("{subject}: {detail}", subject=event.subject, detail=event.detail)
        else:
            self._printer.warn("{subject}: {detail}", subject=event.subject, detail=event.code)

    def _show_status(self, event: Progress, now: float) -> None:
        # A reader who has gone must not stop a restore in the middle: the stream remembers, and the command fails
        # when its work is done.
        with suppress(OSError):
            self._printer.message(
                "status",
                phase=event.phase,
                seconds_elapsed=int(now - self._started),
                percent_done=_share(event),
                items_done=event.items_done,
                items_total=event.items_total,
                bytes_done=event.bytes_done,
                bytes_total=event.bytes_total,
                current=event.current,
                **_as_restic_calls_it(event),
            )

    def _show_line(self, event: Progress, now: float) -> None:
        parts = [f"[{values.duration(now - self._started)}]", translated(phase_in_words(event.phase)), *_amounts(event)]
        if event.bytes_total or event.items_total:
            parts.insert(1, values.percent(_share(event), 1))
        self._printer.err.write(" ".join(part for part in parts if part) + "\n")
        self._printer.err.flush()

    def _show_bar(self, event: Progress, new_phase: bool) -> None:
        if self._bars is None:
            self._bars = _make_bars(self._printer)
            self._bars.start()
        if self._task is None or new_phase:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(translated(phase_in_words(event.phase)), total=None, amount="", current="")
        done, total = _measure(event)
        self._bars.update(
            self._task,
            description=translated(phase_in_words(event.phase)),
            completed=done,
            total=total or None,
            amount=" ".join(_amounts(event)),
            current=escape(event.current),
        )


def _as_restic_calls_it(event: Progress) -> dict[str, Any]:
    """COMPAT(restic): programs that watch a backup or a restore look for these names."""
    if event.phase not in ("backup", "restore"):
        return {}
    totals = {"total_files": event.items_total, "total_bytes": event.bytes_total}
    if event.phase == "restore":
        return {**totals, "files_restored": event.items_done, "bytes_restored": event.bytes_done}
    return {**totals, "files_done": event.items_done, "current_files": [event.current] if event.current else []}


def only_warnings(listener: Listener) -> Listener:
    """Tells a listener nothing but warnings, for a command that prints results meanwhile."""

    def tell(event: Event) -> None:
        if isinstance(event, Warned):
            listener(event)

    return tell


def _measure(event: Progress) -> tuple[int, int]:
    if event.bytes_total or not event.items_total:
        return event.bytes_done, event.bytes_total
    return event.items_done, event.items_total


def _share(event: Progress) -> float:
    done, total = _measure(event)
    return min(1.0, done / total) if total else 0.0


def _amounts(event: Progress) -> list[str]:
    amounts: list[str] = []
    if event.items_done or event.items_total:
        amounts.append(f"{event.items_done}/{event.items_total}" if event.items_total else str(event.items_done))
    if event.bytes_done or event.bytes_total:
        done = values.size(event.bytes_done)
        amounts.append(f"{done} / {values.size(event.bytes_total)}" if event.bytes_total else done)
    return amounts


def _make_bars(printer: Printer) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    console = Console(file=printer.err, no_color=not printer.color, highlight=False, markup=False)
    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[current]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        refresh_per_second=8,
    )
