"""Sizes, durations and times as people read them."""

from __future__ import annotations

import os
import time

from holdfast.cli.text import escape
from holdfast.model.instant import Instant

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(size_bytes: int) -> str:
    """Bytes with three decimals and a binary unit, as in `1.250 MiB`."""
    if abs(size_bytes) < 1024:
        return f"{size_bytes} B"
    value, power = size_bytes / 1024, 0
    while abs(value) >= 1024 and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.3f} {_UNITS[power]}"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any, as in `1:02:03`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def moment(instant: Instant) -> str:
    """The time on this machine's clock, to the second."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(instant.ns // 1_000_000_000))
    except (OverflowError, ValueError, OSError):
        return str(instant.at())


def percent(part: float, whole: float) -> str:
    """A share, as in `12.50%`; of nothing it is everything."""
    return f"{100 * part / whole if whole else 100:.2f}%"


def name(value: bytes | str) -> str:
    """A file name for a terminal: bytes that are not text, controls and changes of direction are escaped."""
    return escape(os.fsdecode(value))
