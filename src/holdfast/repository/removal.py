"""Deleting many files of one kind, several at once, for as long as the lock stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from holdfast.errors import BackendError, ObjectNotFound
from holdfast.model.event import Listener, Progress, Warned, ignore
from holdfast.protocols import FileKind, Handle
from holdfast.repository.locks import RepositoryLock
from holdfast.repository.repository import Repository
from holdfast.runtime.cancel import CancelToken

_THREADS_MAX = 16


class RemovalFailure(msgspec.Struct, frozen=True):
    """A file that could not be deleted. `code` is that of the error, `detail` its message."""

    name: bytes
    code: str
    detail: str


class Removals(msgspec.Struct, frozen=True):
    """What became of the files: those that are gone and those that are still there."""

    removed: tuple[bytes, ...]
    failed: tuple[RemovalFailure, ...]


def remove_files(
    repository: Repository,
    lock: RepositoryLock,
    kind: FileKind,
    names: Sequence[bytes],
    *,
    strict: bool = False,
    listener: Listener = ignore,
    cancel: CancelToken | None = None,
) -> Removals:
    """Deletes files; one that is gone already counts as deleted, one that cannot be deleted is told and passed over.

    Args:
        strict: raise for a file that cannot be deleted.

    SAFETY: the caller decided on each name, under the exclusive lock it passes, which is looked after before each
    single deletion.

    Raises:
        BackendError: `strict`, and a file could not be deleted.
        LockLost: the repository may be in use by somebody else; some files may have been deleted by then.
        Interrupted: cancelled, with the same reservation.
    """
    if not lock.exclusive:
        raise ValueError("deleting needs an exclusive lock")
    token = cancel or CancelToken()

    def remove(name: bytes) -> RemovalFailure | None:
        token.raise_if_cancelled()
        lock.ensure_held()
        return _remove(repository, kind, name, strict=strict)

    return _collect(remove, kind, names, min(_THREADS_MAX, repository.backend.connections), listener)


def _remove(repository: Repository, kind: FileKind, name: bytes, *, strict: bool) -> RemovalFailure | None:
    try:
        # SAFETY: see `remove_files`.
        repository.remove(kind, name)
    except ObjectNotFound:
        return None
    except BackendError as error:
        if strict:
            raise
        return RemovalFailure(name, error.code, error.phrase)
    return None


def _collect(
    remove: Callable[[bytes], RemovalFailure | None],
    kind: FileKind,
    names: Sequence[bytes],
    threads: int,
    listener: Listener,
) -> Removals:
    removed: list[bytes] = []
    failed: list[RemovalFailure] = []
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="holdfast-remove") as executor:
        # The first error that `remove` raises ends the iteration, which drops what has not been started.
        for name, failure in zip(names, executor.map(remove, names), strict=True):
            if failure is None:
                removed.append(name)
            else:
                failed.append(failure)
                listener(Warned(code=failure.code, subject=str(Handle(kind, name.hex())), detail=failure.detail))
            done = len(removed) + len(failed)
            listener(Progress(phase=f"remove-{kind.value}", items_done=done, items_total=len(names)))
    return Removals(tuple(removed), tuple(failed))
