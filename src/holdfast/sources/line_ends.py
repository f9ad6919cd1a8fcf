"""Counting line ends in dumps, which is how rows are counted."""

from __future__ import annotations

_SAMPLE = 16
_LONG_BYTES = 400
_STEP_BYTES = 64 << 10


def count_line_ends(data: bytes | bytearray, begin: int, end: int) -> int:
    """Line ends in a part of some data.

    `count` looks at every byte and `find` at many bytes at once, but each call of it costs as much as some 400 bytes
    do. So long lines are counted in one way and short ones in the other.
    """
    found = 0
    while begin < end:
        at = begin
        for number in range(_SAMPLE):
            at = data.find(b"\n", at, end) + 1
            if not at:
                return found + number
        found += _SAMPLE
        if at - begin < _SAMPLE * _LONG_BYTES:
            stop = min(end, at + _STEP_BYTES)
            found += data.count(b"\n", at, stop)
            at = stop
        begin = at
    return found
