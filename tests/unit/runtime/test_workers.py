"""Worker processes, and what becomes of work whose process is killed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from holdfast.runtime.workers import WorkerPool

# Forking needs a process with one thread, which this one may not be.
_PROGRAM = """
import os, signal, sys
from holdfast.errors import HoldfastError
from holdfast.runtime.workers import WorkerPool

def die(number):
    os.kill(os.getpid(), number)

def fail():
    raise ValueError("of its own")

with WorkerPool(2) as pool:
    assert pool.parallel
    assert [pool.submit(abs, -number).result() for number in range(20)] == list(range(20))
    try:
        pool.submit(fail).result()
    except ValueError as error:
        print("own", error)
    others = [pool.submit(die, signal.SIGKILL)] + [pool.submit(abs, -1) for _ in range(5)]
    for future in others[:1]:
        try:
            future.result()
        except HoldfastError as error:
            print(error.code)
    try:
        pool.submit(abs, 1).result()
    except HoldfastError as error:
        print(error.code)
"""


def test_a_killed_worker_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["own of its own", "worker-killed", "worker-killed", ""]


def test_without_processes_the_caller_does_the_work() -> None:
    with WorkerPool(0) as pool:
        assert not pool.parallel
        assert pool.submit(os.getpid).result() == os.getpid()
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()
