"""A file system in memory that logs every step, so that a crash can be cut in anywhere.

`SimFileSystem` stands in for `holdfast.backends.local_files.LocalFileSystem`. Its log, replayed up to a step,
leads to every state a crash there may leave; see `holdfast.testing.crash_states`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from holdfast.model.buffer import Buffer
from holdfast.runtime.clock import Clock
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.sim_disk import File, Kind, SimDisk, Step

Fault = Callable[[str, str], None]
"""Called with the name of a method and a path before anything happens; raises the `OSError` to inject."""

CHANGING = frozenset(
    {"mkdir", "open_temp", "write", "fsync", "close", "chmod", "rename", "link", "fsync_dir", "unlink"}
)
"""Methods that a program calls to change something."""

TAKING_SPACE = CHANGING - {"close", "unlink", "chmod"}
"""Methods that fail on a full disk."""


class FailAt:
    """A fault: the n-th call fails, and if told so every later one too.

    Args:
        number: which call, from 1 on; 0 only counts.
        error: the errno.
        for_good: later calls fail as well.
        methods: which calls count.

    Attributes:
        calls: how many came by.
        fired: how often it failed one.
    """

    def __init__(
        self, number: int, error: int, *, for_good: bool = False, methods: frozenset[str] = TAKING_SPACE
    ) -> None:
        self._number = number
        self._error = error
        self._for_good = for_good
        self._methods = methods
        self._guard = threading.Lock()
        self.calls = 0
        self.fired = 0

    def __call__(self, method: str, path: str) -> None:
        """Raises if it is this call's turn."""
        if method not in self._methods:
            return
        with self._guard:
            self.calls += 1
            due = self.calls == self._number or (self._for_good and self.calls > self._number > 0)
            self.fired += due
        if due:
            raise OSError(self._error, os.strerror(self._error), path)


class SimFileSystem:
    """Satisfies `holdfast.backends.local_files.FileSystem`. Safe to use from several threads.

    Args:
        disk: the state to begin with; it is changed.
        clock: gives modification times.
        fault: asked before every call.

    Attributes:
        disk: the present state.
        log: every step that was made, in order.
    """

    def __init__(self, disk: SimDisk | None = None, *, clock: Clock | None = None, fault: Fault | None = None) -> None:
        self.disk = disk if disk is not None else SimDisk()
        self.log: list[Step] = []
        self.fault = fault
        self._clock = clock if clock is not None else FakeClock()
        self._guard = threading.RLock()
        self._open: dict[int, int] = {}
        self._last_descriptor = 1000

    def _do(self, method: str, step: Step) -> None:
        with self._guard:
            if self.fault is not None:
                self.fault(method, step.path)
            self.disk.check(step)
            self._make(step)

    def _make(self, step: Step) -> None:
        self.disk.apply(step, self._clock.now().ns / 1_000_000_000)
        self.log.append(step)

    def _asked(self, method: str, path: str) -> None:
        if self.fault is not None:
            self.fault(method, path)

    # --- changing -------------------------------------------------------------------------------

    def mkdir(self, path: str, mode: int) -> None:
        """Makes one folder."""
        with self._guard:
            self._do("mkdir", Step(Kind.MKDIR, path, number=self.disk.newest + 1, mode=mode))

    def open_temp(self, path: str, mode: int) -> int:
        """Creates a file and opens it."""
        with self._guard:
            number = self.disk.newest + 1
            self._do("open_temp", Step(Kind.CREATE, path, number=number, mode=mode))
            self._last_descriptor += 1
            self._open[self._last_descriptor] = number
            return self._last_descriptor

    def write(self, fd: int, buffers: Sequence[Buffer]) -> int:
        """Appends all of the buffers."""
        data = b"".join(buffers)
        self._do("write", Step(Kind.WRITE, number=self._open[fd], data=data))
        return len(data)

    def size(self, fd: int) -> int:
        """Bytes in an open file."""
        return len(self.disk.file(self._open[fd]).content)

    def fsync(self, fd: int) -> None:
        """Makes content and permissions durable; a failure loses them for good, as on Linux."""
        number = self._open[fd]
        try:
            self._do("fsync", Step(Kind.SYNC, number=number))
        except OSError:
            with self._guard:
                self._make(Step(Kind.SYNC_FAILED, number=number))
            raise

    def close(self, fd: int) -> None:
        """Gives the descriptor back."""
        with self._guard:
            del self._open[fd]
        self._asked("close", "")

    def chmod(self, path: str, mode: int) -> None:
        """Sets permissions."""
        self._do("chmod", Step(Kind.CHMOD, path, mode=mode))

    def rename(self, src: str, dst: str) -> None:
        """Gives a file another name in the same folder."""
        self._do("rename", Step(Kind.RENAME, src, dst))

    def link(self, src: str, dst: str) -> None:
        """Gives a file a second name in the same folder."""
        self._do("link", Step(Kind.LINK, src, dst))

    def fsync_dir(self, path: str) -> None:
        """Makes the names in a folder durable."""
        self._do("fsync_dir", Step(Kind.SYNC_DIR, path))

    def unlink(self, path: str) -> None:
        """Removes a name."""
        self._do("unlink", Step(Kind.UNLINK, path))

    # --- reading --------------------------------------------------------------------------------

    def _file(self, path: str) -> File:
        return self.disk.file(self.disk.number_of(path), path)

    def read(self, path: str, offset: int, length: int | None) -> bytes:
        """Bytes of a file from an offset on."""
        self._asked("read", path)
        with self._guard:
            content = self._file(path).content
        return content[offset:] if length is None else content[offset : offset + length]

    def stat(self, path: str) -> int:
        """Bytes in a file."""
        self._asked("stat", path)
        with self._guard:
            return len(self._file(path).content)

    def mode(self, path: str) -> int:
        """Permission bits; folders have those of their owner only."""
        self._asked("mode", path)
        with self._guard:
            node = self.disk.nodes[self.disk.number_of(path)]
            return node.mode if isinstance(node, File) else 0o700

    def modified_s(self, path: str) -> float:
        """When the content last changed."""
        with self._guard:
            return self._file(path).modified_s

    def listdir(self, path: str) -> list[tuple[str, int]]:
        """Name and size of every file of a folder."""
        self._asked("listdir", path)
        with self._guard:
            folder = self.disk.folder(self.disk.number_of(path), path)
            found = [(name, self.disk.nodes[number]) for name, number in folder.names.items()]
            return [(name, len(node.content)) for name, node in found if isinstance(node, File)]
