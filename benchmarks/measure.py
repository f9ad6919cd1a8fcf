"""Running a command and measuring it from outside: time, processor time, and memory of its whole process tree."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_INTERVAL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run. `peak_bytes` is the largest sum of the tree's proportional shares seen, or of one process's own peak."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def run(command: Sequence[str | Path], env: Mapping[str, str], log: Path) -> Measured:
    """Runs a command to its end; fails loudly if it fails.

    What earlier runs left to be written is written first, so that nobody pays for somebody else's data.
    """
    os.sync()
    with open(log, "ab") as output:
        before = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), env=dict(env), stdout=output, stderr=output)
        watcher = _Watcher(process.pid)
        watcher.start()
        _pid, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.stop()
    if process.returncode != 0:
        raise SystemExit(f"{command} exited with {process.returncode}; see {log}")
    return Measured(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=max(watcher.peak_bytes, usage.ru_maxrss * 1024),
    )


class _Watcher(threading.Thread):
    """Adds up the proportional set sizes of a process and its descendants, now and then."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self._ended.wait(_INTERVAL_S):
            self.peak_bytes = max(self.peak_bytes, sum(map(_share, _tree(self._pid))))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += map(int, children.split())
    return found


def _share(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
