"""One held lock: taking it, keeping it fresh, noticing its loss, giving it back."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import Self

from holdfast.errors import (
    BackendError,
    HoldfastError,
    LockLost,
    ObjectNotFound,
    RepositoryLocked,
)
from holdfast.format import lock as lock_format
from holdfast.model.event import Listener, Warned
from holdfast.model.ids import LockId, short
from holdfast.model.lock import Lock
from holdfast.protocols import FileKind, Handle
from holdfast.repository.lock_files import (
    HELD_HERE,
    REFRESH_S,
    STALE_S,
    FoundLock,
    describe,
    is_dead,
    read_locks,
)
from holdfast.repository.repository import Repository
from holdfast.runtime import host

LOST_S = STALE_S - 1.5 * REFRESH_S
SETTLE_S = 0.2
_LOOK_AGAIN_S = 10.0
_TICK_S = 5.0
_NS = 1_000_000_000


class RepositoryLock:
    """One held lock, kept fresh by a thread. Made by `acquire`.

    Attributes:
        exclusive: whether nobody else may be there.
    """

    def __init__(self, repository: Repository, exclusive: bool, listener: Listener) -> None:
        self.exclusive = exclusive
        self._repository = repository
        self._listener = listener
        self._known: dict[bytes, FoundLock] = {}
        self._warned: set[bytes] = set()
        self._mutex = threading.RLock()
        self._stop = threading.Event()
        self._settled = threading.Event()
        self._failure: HoldfastError | None = None
        self._thread: threading.Thread | None = None
        self._name: bytes | None = None
        self._refreshed_ns = 0
        self._seen_ns = 0

    @property
    def name(self) -> bytes | None:
        """The name of the present lock file, 32 bytes; None when not held."""
        return self._name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    # --- taking ---------------------------------------------------------------------------------

    def take(self, *, confirm_later: bool = False) -> None:
        """One attempt to take the lock. Raises `RepositoryLocked`; nothing of ours is left behind then."""
        self._stop.clear()
        self._settled.clear()
        self._failure = None
        self._give_way_to_others()
        self._write()
        if confirm_later:
            self._start(settle=True)
            return
        try:
            self._settle()
        except BaseException:
            self._drop()
            raise
        self._start(settle=False)

    def _settle(self) -> None:
        """Waits for locks written at the same moment to appear in listings, then looks again."""
        self._repository.clock.sleep(SETTLE_S)
        self._give_way_to_others()
        self._settled.set()

    def _settle_behind(self) -> None:
        """`_settle` in the thread: ends early when the lock is released, and leaves its error for `confirm`."""
        # SAFETY: whatever ends the look, only one that came to its end lets anybody commit.
        failure: HoldfastError | None = LockLost(url=self._repository.url, reason="it could not be confirmed")
        try:
            if not self._stop.wait(SETTLE_S):
                self._give_way_to_others()
            failure = None
        except HoldfastError as error:
            failure = error
        finally:
            if failure is not None:
                with self._mutex:
                    self._failure = failure
                    self._stop.set()
            self._settled.set()
            if failure is not None:
                with self._mutex:
                    self._drop()

    def _give_way_to_others(self) -> None:
        for found in read_locks(self._repository, self._known):
            if found.id == self._name:
                continue
            lock = found.lock
            if lock is None:
                self._warn_once(found.id, "lock-unreadable", found.problem)
            elif is_dead(lock, found.id, self._now_ns()):
                self._take_over(found.id, lock)
            elif lock.exclusive or self.exclusive:
                raise RepositoryLocked(
                    url=self._repository.url,
                    holder=describe(lock),
                    since=lock.time.at().isoformat(sep=" ", timespec="seconds"),
                )

    def _take_over(self, name: LockId, lock: Lock) -> None:
        self._warn_once(name, "lock-taken-over", describe(lock))
        # A dead lock is no obstacle even where it cannot be deleted.
        with contextlib.suppress(BackendError):
            # SAFETY: `is_dead`; a holder that only slept finds its lock gone before it commits.
            self._repository.remove(FileKind.LOCK, name)

    def _warn_once(self, name: LockId, code: str, detail: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            self._listener(Warned(code=code, subject=f"{FileKind.LOCK.value}/{short(name)}", detail=detail))

    def _now_ns(self) -> int:
        return self._repository.clock.now().ns

    # --- files ----------------------------------------------------------------------------------

    def _write(self) -> None:
        """Stores a lock with the present time and makes it the current one."""
        now = self._repository.clock.now()
        lock = Lock(
            time=now,
            exclusive=self.exclusive,
            hostname=host.hostname(),
            username=host.username(),
            pid=host.process_id(),
            uid=host.user_id(),
            gid=host.group_id(),
        )
        name = self._repository.save_unpacked(FileKind.LOCK, lock_format.encode(lock))
        HELD_HERE.add(name)
        self._name = name
        self._refreshed_ns = self._seen_ns = now.ns

    def _delete(self, name: bytes) -> None:
        with contextlib.suppress(ObjectNotFound):
            # SAFETY: only ever called with the name of a lock this object wrote.
            self._repository.remove(FileKind.LOCK, name)
        HELD_HERE.discard(name)

    def _drop(self) -> None:
        """Deletes the current lock file, if any; a failure leaves it to be taken over once this process is gone."""
        name, self._name = self._name, None
        if name is not None:
            try:
                self._delete(name)
            except BackendError as error:
                self._listener(Warned(code="lock-left-behind", subject=short(name), detail=error.phrase))

    def _exists(self, name: bytes) -> bool:
        try:
            self._repository.backend.size(Handle(FileKind.LOCK, name.hex()))
        except ObjectNotFound:
            return False
        return True

    # --- keeping --------------------------------------------------------------------------------

    def _start(self, *, settle: bool) -> None:
        self._thread = threading.Thread(target=self._keep, args=(settle,), name="holdfast-lock", daemon=True)
        self._thread.start()

    def _keep(self, settle: bool) -> None:
        """The thread's work: the second look, if it was put off, then a new lock file every five minutes."""
        if settle:
            self._settle_behind()
        while not self._stop.wait(_TICK_S):
            if self._now_ns() - self._refreshed_ns >= REFRESH_S * _NS:
                with contextlib.suppress(HoldfastError):
                    # A failed refresh is tried again at the next tick; `ensure_held` is what gives up.
                    self.refresh()

    def refresh(self) -> None:
        """Writes a new lock, then deletes the old one.

        Raises:
            LockLost: the old one is gone, so somebody has taken it over.
            BackendError: the storage failed; the old lock stands.
        """
        with self._mutex:
            old = self._name
            if old is None or self._failure is not None:
                return
            if not self._exists(old):
                self._lose("its lock file was removed")
            self._write()
            with contextlib.suppress(BackendError):
                self._delete(old)
                return
            # It could not be deleted: it stays, grows stale, and is taken over by somebody else.
            HELD_HERE.discard(old)

    def confirm(self) -> None:
        """Waits for the second look. Raises what it raised, `RepositoryLocked` above all."""
        self._settled.wait()
        if self._failure is not None:
            raise self._failure

    def ensure_held(self) -> None:
        """To be called right before anything is committed or deleted.

        Looks for the own lock file unless it was seen in the last seconds by the wall clock, which goes on while
        a process or machine sleeps. A lock that could not be refreshed for 22.5 minutes is renewed only if its
        file is still there and nobody has come in between.

        Raises:
            LockLost: the repository may be in use by somebody who thinks we are gone.
            RepositoryLocked: the put-off second look found a conflict.
        """
        self.confirm()
        with self._mutex:
            if self._name is None:
                raise LockLost(url=self._repository.url, reason="it was released")
            now = self._now_ns()
            if abs(now - self._refreshed_ns) > LOST_S * _NS:
                self._recover()
            elif abs(now - self._seen_ns) > _LOOK_AGAIN_S * _NS:
                if not self._exists(self._name):
                    self._lose("its lock file was removed")
                self._seen_ns = now

    def _recover(self) -> None:
        """After a long sleep: goes on only if the old lock outlived the new one's settling and nobody conflicts."""
        old = self._name
        assert old is not None
        try:
            if not self._exists(old):
                self._lose("it was not refreshed in time and its lock file is gone")
            self._write()
            self._repository.clock.sleep(SETTLE_S)
            if not self._exists(old):
                self._lose("it was not refreshed in time and somebody has just taken it over")
            HELD_HERE.add(old)
            self._delete(old)
            self._give_way_to_others()
        except (BackendError, RepositoryLocked) as error:
            self._lose(str(error))

    def _lose(self, reason: str) -> None:
        self._failure = LockLost(url=self._repository.url, reason=reason)
        self._stop.set()
        self._drop()
        raise self._failure

    def release(self) -> None:
        """Ends the refreshing and deletes the lock file. Does nothing the second time."""
        self._stop.set()
        with self._mutex:
            self._drop()
        if self._thread is not None:
            self._thread.join(timeout=_TICK_S)
