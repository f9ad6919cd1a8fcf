"""Locks: who excludes whom, who is dead, who has lost."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.errors import BackendUnavailable, Interrupted, LockLost, RepositoryLocked
from holdfast.format import lock as lock_format
from holdfast.model.event import Event, Warned
from holdfast.model.instant import Instant
from holdfast.model.lock import Lock
from holdfast.protocols import FileKind, Handle, Payload, StoredObject
from holdfast.repository.locks import acquire, read_locks, unlock
from holdfast.repository.repository import Repository
from holdfast.runtime import host
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.fake_clock import FakeClock
from repository_kit import new_repository

MINUTE = 60 * 10**9


def write_lock(
    repository: Repository, *, age_min: float = 0, exclusive: bool = False, hostname: str = "elsewhere", pid: int = 1
) -> bytes:
    """A lock as another process would have written it."""
    time = Instant(ns=repository.clock.now().ns - round(age_min * MINUTE))
    lock = Lock(time=time, exclusive=exclusive, hostname=hostname, username="somebody", pid=pid)
    return repository.save_unpacked(FileKind.LOCK, lock_format.encode(lock))


def names(repository: Repository) -> list[bytes]:
    return sorted(repository.names(FileKind.LOCK))


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_a_lock_says_who_holds_it_and_is_gone_afterwards(repository: Repository) -> None:
    with acquire(repository, exclusive=True) as held:
        [found] = read_locks(repository)
        assert found.lock is not None
        assert (found.id, found.lock.pid, found.lock.hostname) == (held.name, os.getpid(), host.hostname())
        assert found.lock.exclusive
        held.ensure_held()
    assert names(repository) == []


def test_it_is_gone_after_an_error_too(repository: Repository) -> None:
    with pytest.raises(ZeroDivisionError), acquire(repository, exclusive=False):
        raise ZeroDivisionError
    assert names(repository) == []


@pytest.mark.parametrize(("mine", "theirs"), [(True, False), (False, True), (True, True)])
def test_exclusive_locks_conflict_with_all(repository: Repository, mine: bool, theirs: bool) -> None:
    other = write_lock(repository, exclusive=theirs)
    with pytest.raises(RepositoryLocked, match=r"somebody@elsewhere \(process 1\)"):
        acquire(repository, exclusive=mine)
    assert names(repository) == [other]


def test_shared_locks_go_together(repository: Repository) -> None:
    write_lock(repository)
    with acquire(repository, exclusive=False), acquire(repository, exclusive=False, confirm_later=True) as third:
        third.ensure_held()
        assert len(names(repository)) == 3


def test_a_second_exclusive_lock_in_this_process_conflicts(repository: Repository) -> None:
    with acquire(repository, exclusive=True), pytest.raises(RepositoryLocked):
        acquire(repository, exclusive=True)


@pytest.mark.parametrize(
    ("age_min", "hostname", "pid"),
    [(31, "elsewhere", 1), (-31, "elsewhere", 1), (31, None, os.getppid()), (0, None, -1), (29, None, os.getpid())],
    ids=["old", "from the future", "old here", "dead process", "our id, before our time"],
)
def test_the_dead_are_taken_over(repository: Repository, age_min: float, hostname: str | None, pid: int) -> None:
    events: list[Event] = []
    write_lock(
        repository,
        age_min=age_min,
        exclusive=True,
        hostname=host.hostname() if hostname is None else hostname,
        pid=dead_pid() if pid == -1 else pid,
    )
    with acquire(repository, exclusive=True, listener=events.append) as held:
        assert names(repository) == [held.name]
    assert [event.code for event in events if isinstance(event, Warned)] == ["lock-taken-over"]


@pytest.mark.parametrize(
    ("age_min", "hostname", "pid"),
    [(29, "elsewhere", 1), (-29, "elsewhere", 1), (0, None, os.getppid()), (0, None, os.getpid())],
    ids=["young", "a little in the future", "live process", "our id in another container"],
)
def test_the_living_keep_theirs(repository: Repository, age_min: float, hostname: str | None, pid: int) -> None:
    write_lock(repository, age_min=age_min, hostname=host.hostname() if hostname is None else hostname, pid=pid)
    with pytest.raises(RepositoryLocked):
        acquire(repository, exclusive=True)
    assert len(names(repository)) == 1


def test_a_reused_process_id_does_not_keep_a_lock_alive(repository: Repository) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        write_lock(repository, age_min=20, exclusive=True, hostname=host.hostname(), pid=child.pid)
        with acquire(repository, exclusive=True) as held:
            assert names(repository) == [held.name]
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("content", [b"", b"garbage", b"x" * 100], ids=["empty", "short", "no seal"])
@pytest.mark.parametrize("honest_name", [True, False])
def test_a_file_that_is_no_lock_bricks_nothing(
    repository: Repository, backend: MemoryBackend, content: bytes, honest_name: bool
) -> None:
    name = sha256(content).hexdigest() if honest_name else "a" * 64
    backend.save(Handle(FileKind.LOCK, name), [content])
    events: list[Event] = []
    with acquire(repository, exclusive=True, listener=events.append) as held:
        held.ensure_held()
    assert [event.code for event in events if isinstance(event, Warned)] == ["lock-unreadable"]
    assert [name.hex() for name in names(repository)] == [name]


def test_a_lock_of_another_repository_is_no_lock_here(repository: Repository, backend: MemoryBackend) -> None:
    stranger = new_repository(MemoryBackend("other"), clock=FakeClock())
    name = write_lock(stranger, exclusive=True)
    backend.save(Handle(FileKind.LOCK, name.hex()), [stranger.backend.load(Handle(FileKind.LOCK, name.hex()))])
    with acquire(repository, exclusive=True) as held:
        held.ensure_held()


class _Intruding(MemoryBackend):
    """Lets somebody else lock right after the next lock is stored."""

    intruder: threading.Event | None = None
    repository: Repository | None = None

    def save(self, handle: Handle, data: Payload) -> None:
        super().save(handle, data)
        repository, self.repository = self.repository, None
        if handle.kind is FileKind.LOCK and repository is not None:
            write_lock(repository, exclusive=True)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("confirm_later", [False, True])
def test_the_second_look_sees_who_came_at_the_same_moment(confirm_later: bool, exclusive: bool) -> None:
    backend = _Intruding("intruding")
    repository = new_repository(backend, clock=FakeClock())
    backend.repository = repository
    if confirm_later:
        with acquire(repository, exclusive, confirm_later=True) as held, pytest.raises(RepositoryLocked):
            held.ensure_held()
    else:
        with pytest.raises(RepositoryLocked):
            acquire(repository, exclusive)
    assert len(names(repository)) == 1


def test_waiting_looks_again_ever_more_slowly(repository: Repository, clock: FakeClock) -> None:
    write_lock(repository, exclusive=True)
    with pytest.raises(RepositoryLocked):
        acquire(repository, exclusive=False, retry_s=300)
    assert 300 <= sum(clock.slept) < 310
    # Each failed look is cheap: 5, 10, 20, 40, 60, 60, 60 and the remaining 45 seconds.
    assert clock.slept.count(1.0) == 300


def test_waiting_ends_when_the_holder_turns_out_dead(repository: Repository, clock: FakeClock) -> None:
    write_lock(repository, exclusive=True, age_min=20)
    with acquire(repository, exclusive=True, retry_s=3600):
        assert 600 < sum(clock.slept) < 700


def test_waiting_can_be_cancelled(repository: Repository) -> None:
    write_lock(repository, exclusive=True)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Interrupted):
        acquire(repository, exclusive=True, retry_s=300, cancel=token)


def test_a_refresh_writes_a_new_lock_before_it_deletes_the_old(repository: Repository, clock: FakeClock) -> None:
    with acquire(repository, exclusive=True) as held:
        before = held.name
        clock.advance(300)
        held.refresh()
        assert names(repository) == [held.name]
        assert held.name != before
        [found] = read_locks(repository)
        assert found.lock is not None
        assert found.lock.time == clock.now()


def test_a_lock_that_was_removed_is_noticed(repository: Repository, clock: FakeClock) -> None:
    with acquire(repository, exclusive=True) as held:
        unlock(repository, remove_all=True)
        held.ensure_held()  # seen a moment ago
        clock.advance(11)
        with pytest.raises(LockLost):
            held.ensure_held()
        with pytest.raises(LockLost):
            held.ensure_held()
    assert names(repository) == []


def test_after_a_long_sleep_the_lock_is_renewed_if_nobody_came(repository: Repository, clock: FakeClock) -> None:
    with acquire(repository, exclusive=True) as held:
        before = held.name
        clock.set_wall(clock.now().ns + 60 * MINUTE)
        held.ensure_held()
        assert names(repository) == [held.name] != [before]


def test_after_a_long_sleep_a_lock_that_was_taken_over_is_lost(repository: Repository, clock: FakeClock) -> None:
    with acquire(repository, exclusive=True) as held:
        clock.set_wall(clock.now().ns + 60 * MINUTE)
        assert unlock(repository).removed
        other = write_lock(repository, exclusive=True)
        with pytest.raises(LockLost):
            held.ensure_held()
        assert names(repository) == [other]


class _Failing(MemoryBackend):
    """Does not take any more locks once told so."""

    failing = False

    def save(self, handle: Handle, data: Payload) -> None:
        if self.failing and handle.kind is FileKind.LOCK:
            raise BackendUnavailable(url=self.url, object=handle, reason="planted")
        super().save(handle, data)


def test_a_lock_that_cannot_be_refreshed_is_lost_in_the_end(clock: FakeClock) -> None:
    backend = _Failing("failing")
    repository = new_repository(backend, clock=clock)
    with acquire(repository, exclusive=True) as held:
        backend.failing = True
        clock.advance(20 * 60)
        with pytest.raises(BackendUnavailable):
            held.refresh()
        held.ensure_held()
        clock.advance(3 * 60)
        with pytest.raises(LockLost, match="planted"):
            held.ensure_held()


def test_a_storage_that_takes_no_locks_says_so() -> None:
    backend = _Failing("failing")
    repository = new_repository(backend, clock=FakeClock())
    backend.failing = True
    with pytest.raises(BackendUnavailable):
        acquire(repository, exclusive=False)


def test_unlock_removes_the_dead_and_the_unreadable_only(repository: Repository, backend: MemoryBackend) -> None:
    live, dead = write_lock(repository), write_lock(repository, age_min=40)
    backend.save(Handle(FileKind.LOCK, "b" * 64), [b"garbage"])
    report = unlock(repository)
    assert {found.id for found in report.removed} == {dead, b"\xbb" * 32}
    assert (report.unreadable, [found.id for found in report.kept]) == (1, [live])
    assert [found.id for found in unlock(repository, remove_all=True).removed] == [live]
    assert names(repository) == []


def test_thousands_of_dead_locks_are_cleared(repository: Repository) -> None:
    for number in range(2_000):
        write_lock(repository, age_min=31 + number, exclusive=True)
    with acquire(repository, exclusive=True) as held:
        assert names(repository) == [held.name]


def test_many_threads_never_hold_an_exclusive_lock_together(backend: MemoryBackend) -> None:
    repository = new_repository(backend, clock=None)
    inside: list[int] = []
    entered = 0

    def run(number: int) -> None:
        nonlocal entered
        for _ in range(2):
            try:
                with acquire(repository, exclusive=True) as held:
                    held.ensure_held()
                    inside.append(number)
                    assert inside == [number]
                    entered += 1
                    inside.remove(number)
            except RepositoryLocked:
                continue

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == []
    assert names(repository) == []


class _Broken(MemoryBackend):
    """Fails in a way nobody foresaw once a lock is there."""

    def list(self, kind: FileKind) -> Iterator[StoredObject]:
        listed = [*super().list(kind)]
        if kind is FileKind.LOCK and listed:
            raise RuntimeError("nobody foresaw this")
        return iter(listed)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_second_look_that_fails_in_any_way_is_not_taken_for_none_there() -> None:
    repository = new_repository(_Broken("test"))
    with acquire(repository, False, confirm_later=True) as lock, pytest.raises(LockLost, match="confirmed"):
        lock.ensure_held()
