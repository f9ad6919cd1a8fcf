"""How programs end: the process group, what they said, and the words for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import IO, NamedTuple

from holdfast.errors import Phrase

_TERM_S = 2.0
_JOIN_S = 2.0
_POLL_S = 0.02
_KEPT_BYTES = 64 << 10
_SHOWN_LINES = 3
_SHOWN_CHARACTERS = 400


class Ending(NamedTuple):
    """How a program ended.

    Attributes:
        program: its base name.
        status: its exit status; minus the number of the signal that killed it.
        left_child: whether a child of it still held its output open; the child was killed.
        said: the first and last 64 KiB of what it wrote for people, without secrets.
    """

    program: str
    status: int
    left_child: bool
    said: str

    @property
    def succeeded(self) -> bool:
        """Whether it reported success and left nobody behind. Says nothing about what it did."""
        return self.status == 0 and not self.left_child

    @property
    def words(self) -> str:
        """One line: how it ended and the beginning of what it said, safe to show."""
        if self.status < 0:
            how = Phrase(
                "{program} was killed by {signal_name}",
                {"program": self.program, "signal_name": _signal_name(-self.status)},
            )
        elif self.status == 0 and self.left_child:
            how = Phrase("{program} left a child behind that kept its output open", {"program": self.program})
        else:
            how = Phrase("{program} ended with status {status}", {"program": self.program, "status": self.status})
        said = self.shown
        return f"{how}: {said}" if said else how

    @property
    def shown(self) -> str:
        """The first lines of what it said, in one line, with control characters replaced."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()][:_SHOWN_LINES]
        text = "; ".join("".join(c if c.isprintable() else "�" for c in line) for line in lines)
        return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


class KeptOutput:
    """Reads a pipe to its end in a thread of its own and keeps the beginning and the end of what comes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._first = bytearray()
        self._last = bytearray()
        self._dropped = 0
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with self._pipe:
            while block := os.read(self._pipe.fileno(), _KEPT_BYTES):
                room = _KEPT_BYTES - len(self._first)
                self._first += block[:room]
                self._last += block[room:]
                if len(self._last) > _KEPT_BYTES:
                    self._dropped += len(self._last) - _KEPT_BYTES
                    del self._last[:-_KEPT_BYTES]

    def finish(self) -> bytes:
        """What was kept. A pipe that somebody outside the group still holds open is not waited for."""
        self._thread.join(_JOIN_S)
        gap = f"\n[{self._dropped} bytes left out]\n".encode() if self._dropped else b""
        return bytes(self._first) + gap + bytes(self._last)


class Group:
    """The process group of a program that was started with a session of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def exited(self) -> bool:
        """Whether the program itself ended. It is not reaped yet, so that the number of its group stays taken."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self, seconds: float) -> None:
        """Waits for the end of the program, at most this long."""
        deadline = time.monotonic() + seconds
        while not self.exited() and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals everybody in the group, as long as the number of the group cannot be somebody else's."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def reap(self) -> int:
        """Takes the status of a program that ended, and kills whoever is left of its group."""
        self.kill()
        return self._process.wait()

    def end(self) -> None:
        """Ends the program, first politely, with its group."""
        if not self.exited():
            self.kill(signal.SIGTERM)
            self.wait(_TERM_S)
        self.reap()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
