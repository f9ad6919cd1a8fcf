"""What is hashed beside its reader is hashed as anybody else does it."""

from __future__ import annotations

import hashlib
import random
import threading

import pytest

from holdfast.runtime.side_hash import SideHash


@pytest.mark.parametrize("size_bytes", [0, 1, 1 << 20, (4 << 20) - 1, 4 << 20, (9 << 20) + 5])
def test_it_is_sha256(seed: int, size_bytes: int) -> None:
    rng = random.Random(seed)
    content = rng.randbytes(size_bytes)
    digest = SideHash()
    position = 0
    while position < size_bytes:
        length = rng.choice([0, 1, 1000, 1 << 20])
        digest.update(content[position : position + length])
        position += length
    assert digest.digest() == hashlib.sha256(content).digest()
    assert digest.digest() == hashlib.sha256(content).digest()
    assert digest.size_bytes == size_bytes


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    digest = SideHash()
    for _ in range(20):
        digest.update(bytes(1 << 20))
    digest.close()
    assert threading.active_count() == before
