"""Worker processes for work that the interpreter lock would otherwise serialise.

Workers are forked, which is only safe while the process has a single thread: the command line makes its pool
first thing. Where forking is not safe (a server, a notebook) or not possible, the same functions run in the
calling thread, slower and otherwise alike.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import partial
from typing import ParamSpec, Self, TypeVar

from holdfast.errors import WorkerKilled
from holdfast.runtime.memory import keep_freed_memory

_PR_SET_PDEATHSIG = 1

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Runs module-level functions with picklable arguments. Where a worker is killed, calls end in `WorkerKilled`.

    Args:
        processes: how many; 0 runs everything in the calling thread. None takes one per core, 4 at most.
    """

    def __init__(self, processes: int | None = None) -> None:
        wanted = min(4, len(os.sched_getaffinity(0))) if processes is None else processes
        self.processes = wanted if wanted > 0 and _forking_is_safe() else 0
        self._executor: ProcessPoolExecutor | None = None
        if self.processes:
            context = multiprocessing.get_context("fork")
            self._executor = ProcessPoolExecutor(
                self.processes, context, initializer=_start_worker, initargs=(os.getpid(),)
            )
            # The executor forks on the first call; it must happen now, before anybody starts a thread.
            self._executor.submit(os.getpid).result()

    @property
    def parallel(self) -> bool:
        """Whether work really runs beside the caller."""
        return self._executor is not None

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Starts one call; in the calling thread, the returned future is already done."""
        future: Future[T] = Future()
        if self._executor is not None:
            try:
                self._executor.submit(function, *args, **kwargs).add_done_callback(partial(_pass_on, future))
            except BrokenExecutor as error:
                raise WorkerKilled from error
            return future
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - a future carries whatever the call raised to its caller
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Ends the workers; calls that have not started are dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pass_on(outer: Future[T], inner: Future[T]) -> None:
    """Gives the outcome of a call to whoever waits for it."""
    if inner.cancelled():
        outer.cancel()
    if not outer.set_running_or_notify_cancel():
        return
    error = inner.exception()
    if isinstance(error, BrokenExecutor):
        error = WorkerKilled()
    if error is not None:
        outer.set_exception(error)
    else:
        outer.set_result(inner.result())


def _forking_is_safe() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


def _start_worker(parent: int) -> None:
    """A signal for the whole group is for the parent to act on: it ends its workers itself."""
    import ctypes

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keep_freed_memory()
    # SAFETY: a parent that is killed outright cannot end anybody, and its workers hold the master key.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
