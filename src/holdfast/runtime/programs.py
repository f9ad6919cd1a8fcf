"""Runs external programs: argument lists, a small environment, a process group that ends with us.

A program is judged by its caller. What is promised here is that it never hangs the caller, never fills its memory,
never outlives it, and that how it ended can be told in words.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple, Self

from holdfast.errors import HoldfastError
from holdfast.model.buffer import Buffer
from holdfast.runtime.program_ending import Ending, Group, KeptOutput

_BLOCK_BYTES = 1 << 20
_SLICE_S = 0.1
_CHILD_GRACE_S = 1.0
_F_SETPIPE_SZ = 1031
_KEPT_VARIABLES = ("HOME", "LANG", "TMPDIR", "TZ", "USER")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Patience(NamedTuple):
    """What ends a program early.

    Attributes:
        silence_s: how long it may neither give nor take anything.
        silent: what to raise then, from the seconds.
        cancelled: raises when the operation is to stop; asked several times a second.
    """

    silence_s: float
    silent: Callable[[float], HoldfastError]
    cancelled: Callable[[], None]


class Program:
    """A running program. Use it as a context manager: leaving kills its process group if it still runs.

    Args:
        command: the program and its arguments.
        patience: when to give up on it.
        environment: added to the small environment (see `small_environment`).
        feeds: whether `feed` gives it input; without, its input is empty. While it is fed, its output is drained and
            only the ends of it are kept.
        pass_fds: descriptors that it inherits under the same numbers.
        secrets: texts that are blotted out of what it says.
        directory: its working directory.

    Raises:
        OSError: it cannot be started: not there, not executable, not a program.
        ValueError: an argument contains a NUL byte.
    """

    def __init__(
        self,
        command: Sequence[str],
        patience: Patience,
        *,
        environment: Mapping[str, str] | None = None,
        feeds: bool = False,
        pass_fds: Sequence[int] = (),
        secrets: Sequence[bytes] = (),
        directory: str = "/",
    ) -> None:
        self._name = os.path.basename(command[0])
        self._patience = patience
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=small_environment(environment),
            cwd=directory,
            pass_fds=pass_fds,
            start_new_session=True,
            bufsize=0,
        )
        self._group = Group(self._process)
        self._secrets = tuple(secrets)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._errors = KeptOutput(self._process.stderr)
        self._output = KeptOutput(self._process.stdout) if feeds else None
        self._stdout = self._process.stdout.fileno()
        self._ended = feeds
        self._lingers = False
        self._after_exit_bytes = 0
        for pipe in (self._process.stdin, None if feeds else self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                with contextlib.suppress(OSError):  # a larger pipe is only faster
                    fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, _BLOCK_BYTES)

    @property
    def pid(self) -> int:
        """Its process id, and the number of its group."""
        return self._process.pid

    def read(self, size: int = -1) -> bytes:
        """Some of its output, at most `size` bytes or 1 MiB; empty at its end.

        A child that keeps the output open after the program itself ended counts as the end; see `Ending.left_child`.
        """
        wanted = _BLOCK_BYTES if size < 0 else min(size, _BLOCK_BYTES)
        if self._ended:
            return b""
        started = exited_at = None
        while True:
            self._patience.cancelled()
            if _ready(self._stdout, select.POLLIN):
                block = os.read(self._stdout, wanted)
                return self._taken(block)
            now = time.monotonic()
            started = now if started is None else started
            if self._group.exited():
                exited_at = now if exited_at is None else exited_at
                if now - exited_at > _CHILD_GRACE_S:
                    return self._abandon()
            elif now - started > self._patience.silence_s:
                self._give_up()

    def _taken(self, block: bytes) -> bytes:
        if not block:
            self._ended = True
        elif self._group.exited():
            # A pipe holds what was written before the exit and no more than its size: whoever writes more is a child.
            self._after_exit_bytes += len(block)
            if self._after_exit_bytes > 2 * _BLOCK_BYTES:
                return self._abandon()
        return block

    def _abandon(self) -> bytes:
        self._ended = self._lingers = True
        self._group.kill()
        return b""

    def feed(self, block: Buffer) -> bool:
        """Gives it input. False when it takes no more: it ended, or closed its input."""
        stdin = self._process.stdin
        assert stdin is not None
        rest, started = memoryview(block), time.monotonic()
        while rest and not stdin.closed:
            self._patience.cancelled()
            if not _ready(stdin.fileno(), select.POLLOUT):
                if self._group.exited():
                    return False
                if time.monotonic() - started > self._patience.silence_s:
                    self._give_up()
                continue
            try:
                rest = rest[os.write(stdin.fileno(), rest[:_BLOCK_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
            started = time.monotonic()
        return not stdin.closed

    def finish(self) -> Ending:
        """Waits for its end, after closing its input, and says how it was. Output that was not read is dropped."""
        self._close_input()
        started = time.monotonic()
        while not self._group.exited():
            self._patience.cancelled()
            if not self._ended and _ready(self._stdout, select.POLLIN) and self.read():
                started = time.monotonic()
            elif time.monotonic() - started > self._patience.silence_s:
                self._give_up()
            else:
                self._group.wait(_SLICE_S)
        status = self._group.reap()
        kept = self._errors.finish() if self._output is None else self._output.finish() + self._errors.finish()
        return Ending(self._name, status, self._lingers, self._blotted(kept))

    def _blotted(self, said: bytes) -> str:
        for secret in self._secrets:
            if secret:
                said = said.replace(secret, b"***")
        return said.decode("utf-8", "replace")

    def _give_up(self) -> None:
        self.close()
        raise self._patience.silent(self._patience.silence_s)

    def _close_input(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def close(self) -> None:
        """Ends the group if it is not over: SIGTERM, a moment, SIGKILL. Does nothing after `finish`."""
        self._group.end()
        self._close_input()
        self._errors.finish()
        if self._output is not None:
            self._output.finish()
        elif self._process.stdout is not None:
            self._process.stdout.close()
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def small_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """What programs see of our environment: where programs and the home are, UTF-8, and what is added."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.environ.get("PATH", _DEFAULT_PATH), **kept, "LC_ALL": "C.UTF-8", **(added or {})}


def find_program(names: Sequence[str], folder: str = "") -> str | None:
    """The path of the first of these programs that is there and executable; in `folder` alone if one is given."""
    found = (shutil.which(name, path=folder or os.environ.get("PATH", _DEFAULT_PATH)) for name in names)
    return next((path for path in found if path), None)


def run_program(command: Sequence[str], patience: Patience, limit_bytes: int = 1 << 20) -> tuple[bytes, Ending]:
    """Runs a program with empty input to its end and returns the beginning of its output. Raises `OSError`."""
    output = bytearray()
    with Program(command, patience) as program:
        while block := program.read():
            output += block[: limit_bytes - len(output)]
        return bytes(output), program.finish()


@contextlib.contextmanager
def secret_file(content: bytes) -> Generator[tuple[str, int]]:
    """A file of mode 0600 that exists in memory only: its path for a program, and the descriptor to pass on to it."""
    descriptor = os.memfd_create("secret", 0)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def _ready(descriptor: int, event: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(_SLICE_S * 1000))
