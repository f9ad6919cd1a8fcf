"""Unpredictable bytes behind an object that tests replace."""

from __future__ import annotations

import os
from collections.abc import Callable

RandomBytes = Callable[[int], bytes]
"""Gives that many bytes. Production code passes `random_bytes`; a test passes a recorded sequence."""

NONCE_BYTES = 16


def random_bytes(count: int) -> bytes:
    """Bytes from the kernel's generator, fit for keys and nonces."""
    return os.urandom(count)


def random_nonce() -> bytes:
    """A fresh initial counter block for one sealing."""
    return os.urandom(NONCE_BYTES)
