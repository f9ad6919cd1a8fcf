import threading

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.backends.wrappers.retry import RetryBackend, RetryPolicy
from holdfast.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    Interrupted,
    ObjectExists,
    ObjectNotFound,
    OutOfSpace,
    ShortRead,
)
from holdfast.model.event import Event, Warned
from holdfast.protocols import CONFIG_HANDLE, FileKind, Handle
from holdfast.runtime.cancel import CancelToken
from holdfast.testing.backend_suite import listed, store
from holdfast.testing.fake_clock import FakeClock
from holdfast.testing.faulty_backend import Fault, FaultyBackend, Operation, Rule


def make(*rules: Rule, **options: object) -> tuple[RetryBackend, FaultyBackend, FakeClock]:
    clock = FakeClock()
    faulty = FaultyBackend(MemoryBackend(), rules)
    return RetryBackend(faulty, clock=clock, chance=lambda: 0.5, **options), faulty, clock  # type: ignore[arg-type]


def test_pauses_double_from_one_second() -> None:
    backend, _, clock = make(Rule(Operation.SAVE, Fault.FAIL, times=4))
    store(backend, b"x")
    assert clock.slept == [1, 2, 4, 8]


@pytest.mark.parametrize(("chance", "pauses"), [(0.0, [0.5, 1]), (1.0, [1.5, 3])])
def test_chance_changes_a_pause_by_half(chance: float, pauses: list[float]) -> None:
    clock = FakeClock()
    faulty = FaultyBackend(MemoryBackend(), [Rule(Operation.SAVE, Fault.FAIL, times=2)])
    store(RetryBackend(faulty, clock=clock, chance=lambda: chance), b"x")
    assert clock.slept == pauses


def test_it_gives_up_at_the_deadline() -> None:
    backend, faulty, clock = make(Rule(Operation.SAVE, Fault.FAIL))
    with pytest.raises(BackendUnavailable):
        store(backend, b"x")
    assert clock.monotonic() == 900
    assert max(clock.slept) == 60
    assert faulty.count(Operation.SAVE) == len(clock.slept) + 1


def test_one_repetition_is_made_even_when_the_first_attempt_outlasted_the_deadline() -> None:
    backend, faulty, clock = make(Rule(Operation.SIZE, Fault.FAIL, times=1), policy=RetryPolicy(deadline_s=0.5))
    handle = store(faulty, b"x")
    assert backend.size(handle) == 1
    assert clock.slept == [1]


@pytest.mark.parametrize(
    "error",
    [
        lambda url, what: ObjectNotFound(url=url, object=what),
        lambda url, what: AccessDenied(url=url, object=what, reason="so"),
        lambda url, what: OutOfSpace(url=url, object=what),
        lambda url, what: BackendError(url=url, object=what, reason="so"),
    ],
)
@pytest.mark.parametrize("operation", Operation)
def test_lasting_errors_are_not_repeated(operation: Operation, error: object) -> None:
    backend, faulty, clock = make(Rule(operation, Fault.FAIL, error=error))  # type: ignore[arg-type]
    handle = Handle(FileKind.PACK, "0a" * 32)
    calls = {
        Operation.CREATE: backend.create,
        Operation.SAVE: lambda: backend.save(handle, [b""]),
        Operation.LOAD: lambda: backend.load(handle),
        Operation.SIZE: lambda: backend.size(handle),
        Operation.LIST: lambda: listed(backend, FileKind.PACK),
        Operation.REMOVE: lambda: backend.remove(handle),
    }
    with pytest.raises(BackendError):
        calls[operation]()
    assert clock.slept == []
    assert faulty.count(operation) == 1


def test_a_server_that_names_a_pause_gets_it() -> None:
    def busy(url: str, what: str) -> BackendError:
        return BackendUnavailable(url=url, object=what, reason="busy", retry_after_s=20)

    backend, _, clock = make(Rule(Operation.SAVE, Fault.FAIL, times=1, error=busy))
    store(backend, b"x")
    assert clock.slept == [20]


def test_every_repetition_is_told() -> None:
    heard: list[Event] = []
    backend, _, _ = make(Rule(Operation.SAVE, Fault.FAIL, times=2), listener=heard.append)
    store(backend, b"x")
    assert [event.code for event in heard if isinstance(event, Warned)] == ["retrying", "retrying"]


def test_a_range_beyond_the_end_is_not_repeated() -> None:
    backend, faulty, clock = make()
    handle = store(backend, b"0123456789")
    for offset, length in ((5, 6), (11, None), (10, 1)):
        with pytest.raises(ShortRead):
            backend.load(handle, offset, length)
    assert clock.slept == []
    assert backend.load(handle, 5, 5) == b"56789"
    assert faulty.count(Operation.LOAD) == 4


def test_an_answer_that_was_cut_is_asked_for_again() -> None:
    def cut(url: str, what: str) -> BackendError:
        return ShortRead(url=url, object=what, got=3, wanted=5)

    backend, _, clock = make(Rule(Operation.LOAD, Fault.FAIL, times=2, error=cut))
    handle = store(backend, b"0123456789")
    assert backend.load(handle, 5, 5) == b"56789"
    assert clock.slept == [1, 2]


def test_an_object_that_used_up_its_attempts_fails_at_once_for_an_hour() -> None:
    rule = Rule(Operation.LOAD, Fault.FAIL)
    backend, faulty, clock = make(rule)
    broken, other = store(backend, b"broken"), store(backend, b"other")
    rule.name = broken.name
    with pytest.raises(BackendUnavailable):
        backend.load(broken)
    tried = faulty.count(Operation.LOAD)
    clock.advance(3599)
    with pytest.raises(BackendError) as caught:
        backend.load(broken)
    assert not caught.value.transient
    assert faulty.count(Operation.LOAD) == tried
    assert backend.load(other) == b"other"
    backend.save(broken, [b"broken"])
    faulty.rules.clear()
    clock.advance(1)
    assert backend.load(broken) == b"broken"


def test_a_listing_that_breaks_off_gives_every_name_once() -> None:
    rules = [
        Rule(Operation.LIST, Fault.BREAK_OFF, amount=3, times=1),
        Rule(Operation.LIST, Fault.FAIL, first=2, times=1),
    ]
    backend, faulty, clock = make(*rules)
    handles = [store(backend, bytes([number])) for number in range(10)]
    assert [entry.name for entry in listed(backend, FileKind.PACK)] == sorted(handle.name for handle in handles)
    assert faulty.count(Operation.LIST) == 3
    assert clock.slept == [1, 2]


def test_progress_in_a_listing_starts_the_deadline_anew() -> None:
    rules = [Rule(Operation.LIST, Fault.BREAK_OFF, amount=amount, first=amount, times=1) for amount in range(1, 10)]
    backend, _, clock = make(*rules, policy=RetryPolicy(deadline_s=1.5))
    for number in range(10):
        store(backend, bytes([number]))
    assert len(listed(backend, FileKind.PACK)) == 10
    assert clock.slept == [1] * 9


def test_a_lost_answer_to_saving_the_config_counts_when_the_config_is_ours() -> None:
    backend, faulty, _ = make(Rule(Operation.SAVE, Fault.FAIL_AFTER, times=1))
    backend.save(CONFIG_HANDLE, [b"ours"])
    assert backend.load(CONFIG_HANDLE) == b"ours"
    assert faulty.count(Operation.SAVE) == 2


def test_a_config_of_somebody_else_is_neither_taken_for_ours_nor_removed() -> None:
    backend, faulty, _ = make(Rule(Operation.SAVE, Fault.FAIL, times=1), atomic=False)
    faulty.inner.save(CONFIG_HANDLE, [b"theirs"])
    with pytest.raises(ObjectExists):
        backend.save(CONFIG_HANDLE, [b"ours"])
    assert backend.load(CONFIG_HANDLE) == b"theirs"


def test_a_remnant_is_removed_where_saving_is_not_atomic() -> None:
    rules = [Rule(Operation.SAVE, Fault.TRUNCATE, times=1), Rule(Operation.SAVE, Fault.FAIL_AFTER, times=1)]
    backend, faulty, _ = make(*rules, atomic=False)
    handle = store(backend, b"0123456789")
    assert backend.load(handle) == b"0123456789"
    assert faulty.count(Operation.REMOVE) == 1


def test_a_whole_object_is_not_removed_as_a_remnant() -> None:
    backend, faulty, _ = make(Rule(Operation.SAVE, Fault.FAIL_AFTER, times=1), atomic=False)
    store(backend, b"0123456789")
    assert faulty.count(Operation.REMOVE) == 0


def test_a_lost_answer_to_removing_counts() -> None:
    backend, faulty, _ = make(Rule(Operation.REMOVE, Fault.FAIL_AFTER, times=1))
    handle = store(backend, b"x")
    backend.remove(handle)
    assert faulty.count(Operation.REMOVE) == 2
    with pytest.raises(ObjectNotFound):
        backend.remove(handle)


def test_nothing_is_sent_once_cancelled() -> None:
    token = CancelToken()
    backend, faulty, _ = make(cancel=token)
    handle = store(backend, b"x")
    token.cancel()
    calls = len(faulty.calls)
    for call in (
        lambda: backend.load(handle),
        lambda: backend.save(handle, [b"x"]),
        lambda: listed(backend, FileKind.KEY),
    ):
        with pytest.raises(Interrupted):
            call()
    assert len(faulty.calls) == calls


def test_what_tidies_up_is_tried_once_after_cancelling() -> None:
    token = CancelToken()
    backend, faulty, _ = make(cancel=token)
    lock = store(backend, b"lock", FileKind.LOCK)
    token.cancel()
    store(backend, b"what was stored already", FileKind.INDEX)
    assert backend.size(lock) == 4
    backend.remove(lock)
    assert faulty.count(Operation.REMOVE) == 1


def test_tidying_up_is_not_repeated_after_cancelling() -> None:
    token = CancelToken()
    backend, faulty, _ = make(Rule(Operation.REMOVE, Fault.FAIL), cancel=token)
    lock = store(backend, b"lock", FileKind.LOCK)
    token.cancel()
    with pytest.raises(Interrupted):
        backend.remove(lock)
    assert faulty.count(Operation.REMOVE) == 1


def test_cancelling_ends_a_pause() -> None:
    token = CancelToken()
    faulty = FaultyBackend(MemoryBackend(), [Rule(Operation.LOAD, Fault.FAIL)])
    backend = RetryBackend(faulty, cancel=token, policy=RetryPolicy(first_delay_s=100, jitter=0))
    threading.Timer(0.05, token.cancel).start()
    with pytest.raises(Interrupted):
        backend.load(CONFIG_HANDLE)
