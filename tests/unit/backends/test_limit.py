import threading

import pytest

from holdfast.backends.memory import MemoryBackend
from holdfast.backends.wrappers.limit import LimitBackend, TokenBucket
from holdfast.protocols import FileKind
from holdfast.testing.backend_suite import listed, store
from holdfast.testing.fake_clock import FakeClock


def test_the_average_keeps_to_the_rate() -> None:
    clock = FakeClock()
    backend = LimitBackend(MemoryBackend(), upload_bytes_per_s=1000, clock=clock)
    for number in range(20):
        store(backend, bytes([number]) * 700)
    assert clock.monotonic() == pytest.approx((20 * 700 - 1000) / 1000)


def test_one_object_larger_than_a_second_is_waited_off() -> None:
    clock = FakeClock()
    bucket = TokenBucket(100, clock)
    bucket.take(1000)
    assert clock.slept == [pytest.approx(9)]
    bucket.take(50)
    assert clock.monotonic() == pytest.approx(9.5)


def test_a_pause_saves_up_no_more_than_a_second() -> None:
    clock = FakeClock()
    bucket = TokenBucket(100, clock)
    clock.advance(3600)
    bucket.take(200)
    assert clock.slept == [pytest.approx(1)]


def test_directions_are_counted_apart_and_listing_not_at_all() -> None:
    clock = FakeClock()
    backend = LimitBackend(MemoryBackend(), download_bytes_per_s=1000, clock=clock)
    handle = store(backend, b"x" * 5000)
    assert clock.monotonic() == 0
    backend.load(handle, 0, 3000)
    listed(backend, FileKind.PACK)
    assert clock.monotonic() == pytest.approx(2)


def test_threads_share_the_rate() -> None:
    clock = FakeClock()
    bucket = TokenBucket(1000, clock, burst_s=0)
    threads = [threading.Thread(target=bucket.take, args=(1000,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(clock.slept) >= 1
    assert sum(clock.slept) >= 4
