"""One path component of a pattern, compiled: the language of Go's `filepath.Match`, on bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from holdfast.errors import InvalidPattern

_SPECIAL = re.compile(rb"[\\\[\]*?]")
_REPLACEMENT = 0xFFFD

# One valid UTF-8 sequence of two to four bytes. A pattern must treat it as one character even when backtracking,
# hence the atomic group around it.
_MULTIBYTE = (
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_ANY_CHARACTER = rb"(?>" + _MULTIBYTE + rb"|[^/])"
_ANY_BYTES = rb"[^/]*?"


def is_plain(component: bytes) -> bool:
    """Whether a component stands only for itself."""
    return _SPECIAL.search(component) is None


@lru_cache(maxsize=4096)
def component_regex(component: bytes, pattern: bytes) -> bytes:
    """The regular expression of one component.

    Args:
        component: between two slashes.
        pattern: what it is part of, for the error.

    Raises:
        InvalidPattern: a class is not closed or is empty, or a backslash protects nothing.
    """
    if is_plain(component):
        return re.escape(component)
    chunks = list(_chunks(component, pattern))
    regex = chunks[0]
    for position, chunk in enumerate(chunks[1:], start=2):
        # A run of literals after a star is taken at its first place and never reconsidered, except at the very end,
        # where it has to reach the end of the name. This is what bounds the time of matching.
        regex += _ANY_BYTES + chunk if position == len(chunks) else rb"(?>" + _ANY_BYTES + chunk + rb")"
    return regex + rb"(?![^/])"


def _chunks(component: bytes, pattern: bytes) -> Iterator[bytes]:
    """The regexes between the stars; adjacent stars are one."""
    regex, position, after_star = b"", 0, False
    while position < len(component):
        byte = component[position : position + 1]
        if byte == b"*":
            if not after_star:
                yield regex
                regex = b""
            after_star, position = True, position + 1
            continue
        after_star = False
        if byte == b"?":
            piece, position = _ANY_CHARACTER, position + 1
        elif byte == b"[":
            piece, position = _class(component, position + 1, pattern)
        else:
            position += byte == b"\\"
            if position == len(component):
                raise InvalidPattern(pattern=_shown(pattern), reason="a backslash protects nothing")
            piece, position = re.escape(component[position : position + 1]), position + 1
        regex += piece
    yield regex


def _class(component: bytes, position: int, pattern: bytes) -> tuple[bytes, int]:
    """Compiles a class; `position` is after the bracket. Returns the regex and the position after the class."""
    negated = component[position : position + 1] == b"^"
    position += negated
    ranges: list[tuple[int, int]] = []
    while not (ranges and component[position : position + 1] == b"]"):
        low, position = _class_character(component, position, pattern)
        high = low
        if component[position : position + 1] == b"-":
            high, position = _class_character(component, position + 1, pattern)
        ranges.append((low, high))
    return _class_regex(ranges, negated), position + 1


def _class_character(component: bytes, position: int, pattern: bytes) -> tuple[int, int]:
    """One character of a class: its code point and the position after it."""
    if component[position : position + 1] in (b"", b"-", b"]"):
        raise InvalidPattern(pattern=_shown(pattern), reason="a class in brackets is not closed or is malformed")
    position += component[position : position + 1] == b"\\"
    width = _character_width(component, position)
    try:
        code_point = ord(component[position : position + width].decode())
    except (UnicodeDecodeError, TypeError) as error:
        raise InvalidPattern(pattern=_shown(pattern), reason="a class in brackets is not valid UTF-8") from error
    if position + width >= len(component):
        raise InvalidPattern(pattern=_shown(pattern), reason="a class in brackets is not closed or is malformed")
    return code_point, position + width


def _character_width(component: bytes, position: int) -> int:
    found = re.compile(_MULTIBYTE).match(component, position)
    return found.end() - position if found else 1


def _class_regex(ranges: list[tuple[int, int]], negated: bool) -> bytes:
    """A regex over bytes for ranges of code points; an invalid byte counts as U+FFFD."""
    ascii_part = b"".join(
        b"%s-%s" % (re.escape(bytes([low])), re.escape(bytes([min(high, 0x7F)])))
        for low, high in ranges
        if low <= high and low < 0x80
    )
    matches_invalid = any(low <= _REPLACEMENT <= high for low, high in ranges)
    pieces = [_utf8_range(max(low, 0x80), high) for low, high in ranges if max(low, 0x80) <= high]
    if matches_invalid:
        pieces.append(rb"(?!" + _MULTIBYTE + rb")[\x80-\xff]")
    if ascii_part:
        pieces.append(b"[" + ascii_part + b"]")
    member = b"(?:" + b"|".join(pieces) + b")" if pieces else rb"(?!)"
    return b"(?!" + member + b")" + _ANY_CHARACTER if negated else b"(?=" + member + b")" + _ANY_CHARACTER


def _utf8_range(low: int, high: int) -> bytes:
    """A regex for the UTF-8 sequences of a range of code points from U+0080 on, without the surrogates."""
    return (
        b"|".join(
            _same_width_range(chr(start).encode(), chr(end).encode())
            for first, last in ((0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
            if (start := max(low, first)) <= (end := min(high, last))
        )
        or rb"(?!)"
    )


def _same_width_range(low: bytes, high: bytes) -> bytes:
    """A regex for all sequences of continuation bytes between two of the same width, both included."""
    if len(low) == 1:
        return _byte_range(low[0], high[0])
    if low[0] == high[0]:
        return re.escape(low[:1]) + b"(?:" + _same_width_range(low[1:], high[1:]) + b")"
    tail = len(low) - 1
    lowest, highest = b"\x80" * tail, b"\xbf" * tail
    pieces = [re.escape(low[:1]) + b"(?:" + _same_width_range(low[1:], highest) + b")"]
    if low[0] + 1 < high[0]:
        pieces.append(_byte_range(low[0] + 1, high[0] - 1) + rb"[\x80-\xbf]{%d}" % tail)
    pieces.append(re.escape(high[:1]) + b"(?:" + _same_width_range(lowest, high[1:]) + b")")
    return b"|".join(pieces)


def _byte_range(low: int, high: int) -> bytes:
    return b"[" + re.escape(bytes([low])) + b"-" + re.escape(bytes([high])) + b"]"


def _shown(pattern: bytes) -> str:
    return pattern.decode("utf-8", "backslashreplace")
