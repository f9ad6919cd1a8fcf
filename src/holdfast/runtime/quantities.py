"""Sizes, durations and numbers in a sentence of a named language."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def size_text(size_bytes: float) -> str:
    """Bytes with a binary unit, as in `1.3 MiB`."""
    if abs(size_bytes) < 1024:
        return f"{size_bytes:.0f} B"
    value, power = size_bytes / 1024, 0
    while abs(value) >= 1023.95 and power < len(_UNITS) - 1:
        value, power = value / 1024, power + 1
    return f"{value:.1f} {_UNITS[power]}"


def duration_text(seconds: float) -> str:
    """Hours, minutes and seconds as in `1:02:03`; less than a minute as in `4.2 s`."""
    if seconds < 59.95:
        return f"{max(0.0, seconds):.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}"


def digits(text: str, language: str) -> str:
    """The text with its digits as the language writes them."""
    return text.translate(_PERSIAN) if language == "fa" else text
