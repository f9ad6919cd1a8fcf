"""Lengths of time in seconds, as a configuration writes them: `90s`, `15m`, `1h30m`, `7d`, `2w`.

Months and years have no fixed length and are not among them; see `holdfast.policy.durations` for those.
"""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(text: str) -> int:
    """Reads a length of time.

    Raises:
        ValueError: the text is none.
    """
    if not text or _PART.sub("", text):
        raise ValueError(f"not a length of time: {text!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
