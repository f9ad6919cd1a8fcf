"""Standard output and standard error that may fail: full disks, closed pipes and terminals that are gone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class StandardStreams:
    """Stands between the command and where its output goes, and remembers what went wrong there.

    A result that cannot be written is an error of its own, which must be told apart from one of a backup's storage;
    text that nobody can read must not stop a backup or a restore. After the first failure a stream takes everything
    and writes nothing, so that nothing fails again while the command ends.

    Attributes:
        failure: the first error of standard output; None while all is well. That of standard error is nobody's.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None
        self._former: list[tuple[str, TextIO, io.TextIOWrapper]] = []

    def install(self) -> None:
        """Takes the place of the streams that the process began with; others belong to who put them there."""
        _replace_closed_streams()
        for name, failed in (("stdout", self._failed), ("stderr", _ignored)):
            stream: TextIO = getattr(sys, name)
            if stream is getattr(sys, f"__{name}__"):
                self._former.append((name, stream, _guarded(stream, failed)))
        for name, _, guarded in self._former:
            setattr(sys, name, guarded)

    def require_written(self) -> None:
        """Sends off what is left; raises the first error of standard output, whoever passed over it."""
        sys.stdout.flush()
        if self.failure is not None:
            raise self.failure

    def remove(self) -> None:
        """Puts the former streams back, after a command that has ended, well or not."""
        for name, former, guarded in self._former:
            with suppress(OSError):
                guarded.flush()
            # An unfinished archive may still hold what is below, and writes its end when it is collected.
            guarded.detach()
            setattr(sys, name, former)
        self._former.clear()

    def is_cause(self, error: BaseException) -> bool:
        """Whether an error is, or came of, the failure of standard output."""
        seen: BaseException | None = error
        while seen is not None and self.failure is not None:
            if seen is self.failure:
                return True
            seen = seen.__cause__ or seen.__context__
        return False

    def _failed(self, error: OSError) -> None:
        self.failure = error
        raise error


def _replace_closed_streams() -> None:
    """Whoever starts us without output wants none. Files that are opened later must not get its number either."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process


class _Guarded(io.FileIO):
    """The raw end of a stream; its first failure is told, and is the last."""

    def __init__(self, descriptor: int, failed: Callable[[OSError], None]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._tell_failure = failed
        self._is_broken = False

    def write(self, content: ReadableBuffer, /) -> int:
        if not self._is_broken:
            try:
                return super().write(content)
            except OSError as error:
                self._is_broken = True
                self._tell_failure(error)
        return memoryview(content).nbytes


def _guarded(stream: TextIO, failed: Callable[[OSError], None]) -> io.TextIOWrapper:
    """The same stream over a raw end that is watched."""
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Guarded(stream.fileno(), failed)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=bool(stream.line_buffering),
        write_through=getattr(stream, "write_through", False),
    )


def _ignored(error: OSError) -> None:
    """Nobody can be told that there is nobody to tell; the exit status and the log still say how it ended."""
