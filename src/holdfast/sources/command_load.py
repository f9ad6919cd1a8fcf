"""Giving output back to a program, or writing it to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from holdfast.errors import LoadFailed, Phrase, RestoreError, RestoreMismatch, RestoreRefused, SourceError
from holdfast.model.event import Progress
from holdfast.protocols import LoadPlan, LoadReport, LoadRequest, StoredContent
from holdfast.runtime.programs import Patience, Program
from holdfast.sources.command_options import CommandOptions, words_of
from holdfast.sources.content_file import file_report, plan_file, proved_blocks, write_new


class Programs(Protocol):
    """What a load needs of its source."""

    name: str

    def start(self, command: str | tuple[str, ...], patience: Patience, *, feeds: bool = False) -> Program:
        """Starts a program."""
        ...

    def rows(self, patience: Patience) -> dict[str, int]:
        """Counts."""
        ...


class CommandLoad:
    """One restore.

    Args:
        content: what was printed.
        base_dir: what a relative destination starts from.
    """

    def __init__(
        self, source: Programs, options: CommandOptions, content: StoredContent, request: LoadRequest, base_dir: Path
    ) -> None:
        self._source = source
        self._options = options
        self._content = content
        self._request = request
        self._file = None
        if request.destination is not None:
            path = Path(os.path.realpath(base_dir / request.destination))
            self._file = path / content.component.file_name
        elif not options.load:
            raise RestoreRefused(
                destination=source.name, reason="no `load` program is configured that takes the output back"
            )

    def plan(self) -> LoadPlan:
        """What would be done."""
        if self._file is None:
            return LoadPlan(destination=self._program, replaces=(f"whatever {self._program} replaces",))
        return plan_file(self._file, self._content)

    @property
    def _program(self) -> str:
        return os.path.basename(words_of(self._options.load)[0]) if self._options.load else ""

    def run(self) -> LoadReport:
        """Does it."""
        if self._file is not None:
            return file_report(self._file, write_new(self._file, self._blocks()), self._content)
        # SAFETY: a program that reads cannot take back what it was given. So all of the content is read and compared
        # before the first byte of it is given out.
        for _block in self._blocks():
            pass
        size_bytes = self._feed()
        rows = self._counted()
        checks = (f"{self._program} succeeded", *(("rows counted",) if rows else ()))
        return LoadReport(destination=self._program, rows=rows, file_count=1, content_bytes=size_bytes, checks=checks)

    def _blocks(self) -> Iterator[bytes]:
        return proved_blocks(self._content, self._request.cancelled)

    # --- a program ------------------------------------------------------------------------------

    def _feed(self) -> int:
        total, taken = 0, True
        patience = self._patience()
        try:
            with self._source.start(self._options.load, patience, feeds=True) as program:
                for block in self._blocks():
                    taken = program.feed(block)
                    if not taken:
                        break
                    total += len(block)
                    self._request.listener(Progress(phase="restoring", bytes_done=total, current=self._source.name))
                ending = program.finish()
        except SourceError as error:
            raise LoadFailed(destination=self._program, reason=error.phrase) from error
        if not ending.succeeded:
            raise LoadFailed(destination=self._program, reason=ending.words)
        if not taken:
            raise LoadFailed(
                destination=self._program,
                reason=Phrase("{program} did not read all of its input", {"program": ending.program}),
            )
        return total

    def _patience(self) -> Patience:
        seconds = self._options.timeout_s or self._request.timeout_s
        return Patience(seconds, self._stalled, self._request.cancelled)

    def _stalled(self, seconds: float) -> RestoreError:
        return LoadFailed(
            destination=self._program,
            reason=Phrase("it took and gave nothing for {seconds} s", {"seconds": f"{seconds:g}"}),
        )

    def _counted(self) -> dict[str, int]:
        expected = self._content.component.rows
        try:
            rows = self._source.rows(self._patience())
        except SourceError as error:
            raise RestoreMismatch(destination=self._program, reason=error.phrase) from error
        for name, count in expected.items():
            if rows and rows.get(name) != count:
                raise RestoreMismatch(
                    destination=self._program,
                    reason=Phrase(
                        "{name} has {get} rows instead of {count}",
                        {"name": name, "get": rows.get(name, 0), "count": count},
                    ),
                )
        return rows
