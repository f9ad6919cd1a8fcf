"""The queue between whoever pushes a stream and the chunker that pulls it."""

from __future__ import annotations

import random
import threading

import pytest

from holdfast.errors import Interrupted
from holdfast.repository.ingest.feed import Feed

_LIMIT_S = 10.0


def read_all(feed: Feed, size: int, into: list[bytes]) -> None:
    buffer = bytearray(size)
    while got := feed.read_block(memoryview(buffer)):
        into.append(bytes(buffer[:got]))
        if got < size:
            return


def test_every_byte_comes_in_order_in_full_blocks(rng: random.Random) -> None:
    content = rng.randbytes(9_000_000)
    feed, got = Feed(), list[bytes]()
    reading = threading.Thread(target=read_all, args=(feed, 512 * 1024, got))
    reading.start()
    position = 0
    while position < len(content):
        step = rng.choice([1, 1000, 65_536, 1_000_000, 5_000_000])
        feed.put(content[position : position + step])
        position += step
    feed.put(b"")
    feed.end()
    reading.join(_LIMIT_S)
    assert b"".join(got) == content
    assert {len(block) for block in got[:-1]} == {512 * 1024}


def test_pushing_waits_while_too_much_waits() -> None:
    feed = Feed()
    pushed = threading.Event()

    def push() -> None:
        for _ in range(5):
            feed.put(bytes(1 << 20))
        pushed.set()

    pushing = threading.Thread(target=push)
    pushing.start()
    assert not pushed.wait(0.2)
    assert feed.read_block(memoryview(bytearray(1 << 20))) == 1 << 20
    assert pushed.wait(_LIMIT_S)
    pushing.join(_LIMIT_S)


def test_a_stream_that_breaks_off_does_not_end() -> None:
    feed = Feed()
    feed.put(b"half")
    feed.break_off()
    with pytest.raises(Interrupted):
        feed.read_block(memoryview(bytearray(10)))


def test_nobody_waits_for_a_reader_that_is_gone() -> None:
    feed = Feed()

    def push() -> None:
        for _ in range(20):
            feed.put(bytes(1 << 20))

    pushing = threading.Thread(target=push)
    pushing.start()
    feed.abandon()
    pushing.join(_LIMIT_S)
    assert not pushing.is_alive()
