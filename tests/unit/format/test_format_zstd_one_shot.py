"""The quick way to decode small frames agrees with the slow one, and hands on what it cannot do."""

from __future__ import annotations

import random
import struct
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import FormatError
from holdfast.format import zstd
from holdfast.format.zstd_one_shot import FRAME_MAX, PLAINTEXT_MAX, decompress_small

if sys.version_info >= (3, 14):
    from compression import zstd as library
else:
    from backports import zstd as library


def slow(frame: bytes, max_length: int) -> bytes | None:
    """What the library's own decoder makes of a single frame."""
    try:
        decoder = library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: 27})
        plaintext = decoder.decompress(frame, max_length=max_length + 1)
    except library.ZstdError:
        return None
    return plaintext if decoder.eof and len(plaintext) <= max_length and not decoder.unused_data else None


def test_it_is_there() -> None:
    """Where this fails, everything works and small files cost more."""
    assert decompress_small(zstd.compress(b"there"), 5) == b"there"


@given(st.binary(max_size=3000), st.sampled_from([-3, 1, 3, 9, 19]), st.integers(0, 3000))
def test_it_agrees_with_the_slow_way(data: bytes, level: int, max_length: int) -> None:
    frame = zstd.compress(data * 3, level)
    assert decompress_small(frame, max_length) == slow(frame, max_length)


def test_damaged_frames_are_handed_on_or_decoded_alike(rng: random.Random) -> None:
    frame = zstd.compress(b"words and words " * 60 + rng.randbytes(40))
    for _ in range(3000):
        damaged = bytearray(frame)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        quick = decompress_small(bytes(damaged), 2000)
        assert quick is None or quick == slow(bytes(damaged), 2000)
    for length in range(len(frame)):
        assert decompress_small(frame[:length], 2000) is None


@pytest.mark.parametrize("size", [0, 1, PLAINTEXT_MAX, PLAINTEXT_MAX + 1])
def test_bounds(size: int) -> None:
    frame = zstd.compress(bytes(size))
    expected = bytes(size) if size <= PLAINTEXT_MAX else None
    assert decompress_small(frame, size) == expected
    assert zstd.decompress_exact(frame, size) == bytes(size)
    if size:
        assert decompress_small(frame, size - 1) is None


def test_large_frames_and_windows_go_the_slow_way() -> None:
    noise = random.Random(1).randbytes(FRAME_MAX + 1)
    assert decompress_small(zstd.compress(noise), PLAINTEXT_MAX) is None
    wide = b"\x28\xb5\x2f\xfd\x00\xa8" + struct.pack("<I", 100 << 3 | 3)[:3] + b"a"
    assert decompress_small(wide, 100) is None
    with pytest.raises(FormatError):
        zstd.decompress(wide, 100)


def test_each_thread_has_its_own() -> None:
    failures: list[int] = []

    def work(number: int) -> None:
        data = b"%d " % number * 500
        frame = zstd.compress(data)
        failures.extend(1 for _ in range(300) if decompress_small(frame, len(data)) != data)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
