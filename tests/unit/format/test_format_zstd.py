from __future__ import annotations

import os
import sys
import threading
import time
import tracemalloc

import pytest

from holdfast.errors import DamageError, FormatError
from holdfast.format import envelope, zstd

if sys.version_info >= (3, 14):
    from compression import zstd as library
else:
    from backports import zstd as library

TEXT = b"to be or not to be, " * 5000
SKIPPABLE = bytes.fromhex("502a4d18") + (5).to_bytes(4, "little") + b"skip!"
EMPTY_FRAME = zstd.compress(b"")


def frame(data: bytes, **options: int) -> bytes:
    parameters = {getattr(library.CompressionParameter, name): value for name, value in options.items()}
    return library.ZstdCompressor(options=parameters).compress(data, library.ZstdCompressor.FLUSH_FRAME)


def bomb(size: int) -> bytes:
    """Frames that say nothing of their size and expand to far more than they take."""
    compressor = library.ZstdCompressor(level=19)
    part = bytes(1 << 20)
    return b"".join(compressor.compress(part) for _ in range(size >> 20)) + compressor.flush()


@pytest.mark.parametrize("level", [-5, 1, 3, 11, 19, 22])
def test_every_level_is_read_back(level: int) -> None:
    compressed = zstd.compress(TEXT, level)
    assert zstd.decompress_exact(compressed, len(TEXT)) == TEXT
    assert zstd.compress(TEXT, level) == compressed


def test_written_frames_record_their_size_and_ask_for_a_small_window() -> None:
    data = os.urandom(1 << 20) * 9
    assert library.get_frame_info(zstd.compress(data, 22)).decompressed_size == len(data)
    limits = {library.DecompressionParameter.window_log_max: 23}
    assert library.decompress(zstd.compress(data, 22), options=limits) == data


@pytest.mark.parametrize(
    "compressed",
    [
        frame(TEXT, checksum_flag=1),
        frame(TEXT, content_size_flag=0),
        frame(TEXT, content_size_flag=0, checksum_flag=1, compression_level=19),
        frame(TEXT, compression_level=22, window_log=27),
        frame(TEXT[:1000]) + frame(TEXT[1000:]),
        SKIPPABLE + frame(TEXT) + SKIPPABLE,
        frame(TEXT[:7]) + SKIPPABLE + EMPTY_FRAME + frame(TEXT[7:], checksum_flag=1),
    ],
)
def test_any_valid_frames_are_read(compressed: bytes) -> None:
    assert zstd.decompress_exact(compressed, len(TEXT)) == TEXT
    assert zstd.decompress(memoryview(compressed), len(TEXT) + 1) == TEXT
    with pytest.raises(FormatError):
        zstd.decompress(compressed, len(TEXT) - 1)
    with pytest.raises(FormatError):
        zstd.decompress_exact(compressed, len(TEXT) + 1)


def test_a_frame_of_stored_blocks_is_read() -> None:
    assert zstd.decompress_exact(bytes.fromhex("28b52ffd2003190000616263"), 3) == b"abc"


def test_cut_and_foreign_data_is_refused() -> None:
    compressed = zstd.compress(TEXT)
    for bad in (b"", b"x", TEXT, compressed[:-1], compressed[:5], compressed + b"x", compressed + compressed[:8]):
        with pytest.raises(FormatError):
            zstd.decompress(bad, 1 << 20)


def test_a_window_beyond_the_limit_is_refused() -> None:
    frames = {log: bytes.fromhex("28b52ffd00") + bytes(((log - 10) << 3,)) + b"\x19\0\0abc" for log in (27, 28, 41)}
    assert zstd.decompress(frames[27], 3) == b"abc"
    for log in (28, 41):
        with pytest.raises(FormatError):
            zstd.decompress(frames[log], 3)


def test_a_bomb_costs_no_more_than_allowed() -> None:
    compressed = bomb(256 << 20)
    assert len(compressed) < 1 << 16
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            zstd.decompress(compressed, 1 << 20)
        with pytest.raises(FormatError):
            zstd.decompress(zstd.compress(b"small") + compressed, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_flood_of_empty_frames_is_refused_quickly() -> None:
    started = time.process_time()
    with pytest.raises(FormatError):
        zstd.decompress(EMPTY_FRAME * 1_000_000, 1 << 20)
    assert time.process_time() - started < 5


def test_threads_do_not_disturb_each_other() -> None:
    failures: list[int] = []

    def work(number: int) -> None:
        data = bytes((number,)) * 1000 + TEXT
        for _ in range(20):
            if zstd.decompress_exact(zstd.compress(data, 1), len(data)) != data:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("version", [1, 2])
def test_envelope_of_each_version(version: int) -> None:
    payload = envelope.wrap(b'{"a":1}', version)
    assert payload[:1] == (b"{" if version == 1 else b"\x02")
    assert envelope.unwrap(payload, version) == b'{"a":1}'


def test_plain_json_is_read_in_version_2() -> None:
    assert envelope.unwrap(b"[1]", 2) == b"[1]"
    assert envelope.unwrap(memoryview(b"{}"), 2) == b"{}"


@pytest.mark.parametrize(
    ("payload", "version"),
    [(b"", 1), (b"", 2), (b"\x02", 2), (b"\x01{}", 2), (b"\x02{}", 2), (b" {}", 2), (envelope.wrap(b"{}", 2), 1)],
)
def test_unknown_envelopes_are_refused(payload: bytes, version: int) -> None:
    with pytest.raises(DamageError):
        envelope.unwrap(payload, version)


def test_a_document_cannot_expand_without_bounds() -> None:
    with pytest.raises(FormatError):
        envelope.unwrap(b"\x02" + bomb(128 << 20), 2)
