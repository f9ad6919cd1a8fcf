"""Locks: files by which processes that use a repository at once keep out of each other's way.

A lock is shared or exclusive and conflicts with every other one if either is exclusive. Nothing arbitrates but
the order of listings: write the own lock, wait, look again, and give way if there is a conflict. Which locks of
others count is the business of `holdfast.repository.lock_files`; keeping one is that of
`holdfast.repository.held_lock`.

COMPAT(restic): a process that holds a lock must survive SIGHUP (`install_signal_handlers` sees to that): with it,
`restic unlock` on the same machine finds out whether the process is alive.
"""

from __future__ import annotations

from holdfast.errors import RepositoryLocked
from holdfast.model.event import Listener, ignore
from holdfast.repository.held_lock import RepositoryLock
from holdfast.repository.lock_files import FoundLock, UnlockReport, read_locks, unlock
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken

__all__ = ["FoundLock", "RepositoryLock", "UnlockReport", "acquire", "read_locks", "unlock"]

_RETRY_FIRST_S = 5.0
_RETRY_MOST_S = 60.0


def acquire(
    repository: Repository,
    exclusive: bool,
    *,
    retry_s: float = 0,
    confirm_later: bool = False,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> RepositoryLock:
    """Locks the repository; use the result as a context manager.

    Args:
        exclusive: nobody else may hold any lock.
        retry_s: how long to wait for others, looking again after 5 s and then ever longer.
        confirm_later: do the second look in the background; `RepositoryLock.ensure_held` and
            `RepositoryLock.confirm` wait for it. For operations that change nothing before they call one of them.
        listener: told about locks taken over and locks that cannot be read.
        cancel: ends the waiting.

    Raises:
        RepositoryLocked: somebody else holds a conflicting lock.
    """
    deadline = repository.clock.monotonic() + retry_s
    pause = _RETRY_FIRST_S
    lock = RepositoryLock(repository, exclusive, listener)
    while True:
        try:
            lock.take(confirm_later=confirm_later)
        except RepositoryLocked:
            left = deadline - repository.clock.monotonic()
            if left <= 0:
                raise
            _sleep(repository, min(pause, left), cancel)
            pause = min(2 * pause, _RETRY_MOST_S)
        else:
            return lock


def _sleep(repository: Repository, seconds: float, cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.raise_if_cancelled()
    while seconds > 0:
        repository.clock.sleep(min(1.0, seconds))
        seconds -= 1.0
        if cancel is not None:
            cancel.raise_if_cancelled()
