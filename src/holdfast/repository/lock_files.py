"""Lock files of everybody: reading them, telling the dead from the living, clearing away.

Who is gone loses its lock to whoever meets it (restic waits for `unlock`). A lock counts as dead when

- it names this host and a process that does not run, or one that began after the lock was written, or
- its time is more than 30 minutes from now. Live holders write a new lock every 5 minutes. The distance counts
  in both directions: a lock from the future comes from a clock that was wrong, and must not last until then.

Taking over is safe because a holder that was merely asleep looks for its own lock before it commits anything
(`RepositoryLock.ensure_held`). A file that is no lock of this repository (damaged, empty, foreign) cannot be
anyone's lock, since real ones are named by their content and sealed: it is passed over with a warning.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from holdfast.errors import DamageError, ObjectNotFound
from holdfast.format import lock as lock_format
from holdfast.model.ids import LockId
from holdfast.model.lock import Lock
from holdfast.protocols import FileKind, Handle
from holdfast.repository.repository import Repository
from holdfast.runtime import host

REFRESH_S = 5 * 60.0
STALE_S = 30 * 60.0
_REUSE_MARGIN_S = REFRESH_S
_NS = 1_000_000_000

HELD_HERE: set[bytes] = set()
"""Names of the locks this process holds: one that carries its id and is not among them is from an earlier process."""


class FoundLock(msgspec.Struct, frozen=True):
    """A lock file. `lock` is None where it cannot be read, and `problem` says why."""

    id: LockId
    lock: Lock | None
    problem: str = ""


def read_locks(repository: Repository, known: dict[bytes, FoundLock] | None = None) -> list[FoundLock]:
    """Loads every lock file; those that vanish meanwhile are left out.

    Args:
        known: what earlier calls found; locks never change, so they are loaded once.
    """
    known = {} if known is None else known
    names = sorted(repository.names(FileKind.LOCK))
    missing = [name for name in names if name not in known]
    if len(missing) > 1:
        with ThreadPoolExecutor(max(1, min(8, repository.backend.connections))) as threads:
            found = list(threads.map(partial(_load, repository), missing))
    else:
        found = [_load(repository, name) for name in missing]
    known.update((lock.id, lock) for lock in found if lock is not None)
    return [known[name] for name in names if name in known]


def _load(repository: Repository, name: bytes) -> FoundLock | None:
    handle = Handle(FileKind.LOCK, name.hex())
    try:
        return FoundLock(LockId(name), lock_format.decode(repository.load_unpacked(FileKind.LOCK, name), handle))
    except ObjectNotFound:
        return None
    except DamageError as error:
        return FoundLock(LockId(name), None, error.phrase)


def is_dead(lock: Lock, name: bytes, now_ns: int) -> bool:
    """Whether the holder of a lock cannot be using the repository any more."""
    if abs(now_ns - lock.time.ns) > STALE_S * _NS:
        return True
    if lock.hostname != host.hostname() or not lock.hostname:
        return False
    if lock.pid == host.process_id():
        return name not in HELD_HERE and _began_after(lock, now_ns, 0)
    return not host.pid_alive(lock.pid) or _began_after(lock, now_ns, _REUSE_MARGIN_S)


def _began_after(lock: Lock, now_ns: int, margin_s: float) -> bool:
    """Whether the process that has the lock's id now is younger than the lock, and so another one."""
    age_s = host.process_age_s(lock.pid)
    return age_s is not None and now_ns - age_s * _NS > lock.time.ns + margin_s * _NS


def describe(lock: Lock) -> str:
    """Who holds a lock, for people."""
    return f"{lock.username}@{lock.hostname} (process {lock.pid})"


class UnlockReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `unlock` did.

    Attributes:
        removed: locks of the dead, or all of them if that was asked for.
        kept: locks that are in use.
        unreadable: how many of the removed files were no lock of this repository.
    """

    removed: list[FoundLock]
    kept: list[FoundLock]
    unreadable: int = 0


def unlock(repository: Repository, remove_all: bool = False) -> UnlockReport:
    """Deletes the locks of the dead and files that are no lock, or, when told to, every lock."""
    removed: list[FoundLock] = []
    kept: list[FoundLock] = []
    now_ns = repository.clock.now().ns
    for found in read_locks(repository):
        if remove_all or found.lock is None or is_dead(found.lock, found.id, now_ns):
            with contextlib.suppress(ObjectNotFound):
                # SAFETY: dead or unreadable, or the caller insists.
                repository.remove(FileKind.LOCK, found.id)
            removed.append(found)
        else:
            kept.append(found)
    return UnlockReport(removed=removed, kept=kept, unreadable=sum(found.lock is None for found in removed))
