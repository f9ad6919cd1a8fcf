"""Names of files as the format stores them: the body of Go's `strconv.Quote`, lossless for any bytes.

Source: format sheet, section 12.
"""

from __future__ import annotations

import re
from functools import lru_cache

from holdfast.errors import FormatError
from holdfast.format.printable import is_printable, printable_bmp

_PLAIN = re.compile(rb"[ !#-\[\]-~]*\Z")
_SHORT = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip

_ESCAPE = re.compile(
    rb"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)",
)
_SHORT_BYTES = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"\\": b"\\", b'"': b'"',
}  # fmt: skip


def quote(name: bytes) -> bytes:
    """The text Go puts between the quotation marks; not yet escaped for JSON."""
    if _PLAIN.match(name):
        return name
    text = name.decode("utf-8", "surrogateescape")
    if printable_bmp().fullmatch(text):
        return name
    return "".join(map(_quote_rune, text)).encode("utf-8")


@lru_cache(maxsize=1 << 16)
def _quote_rune(rune: str) -> str:
    short = _SHORT.get(rune)
    if short is not None:
        return short
    code = ord(rune)
    if is_printable(code):
        return rune
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def unquote(text: str) -> bytes:
    """The bytes of a quoted name.

    Raises:
        FormatError: not something Go's `strconv.Unquote` accepts between double quotation marks.
    """
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _malformed() from error
    if b'"' not in raw and b"\\" not in raw and b"\n" not in raw:
        return raw
    if b"\n" in raw or b'"' in _ESCAPE.sub(b"", raw):
        raise _malformed()
    return _ESCAPE.sub(_unescape, raw)


def _unescape(match: re.Match[bytes]) -> bytes:
    short, hexadecimal, octal, rune, long_rune = match.groups()
    if short:
        return _SHORT_BYTES[short]
    if hexadecimal:
        return bytes.fromhex(hexadecimal.decode("ascii"))
    if octal:
        value = int(octal, 8)
        if value > 0xFF:
            raise _malformed()
        return bytes((value,))
    digits = rune or long_rune
    if not digits:
        raise _malformed()
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise _malformed()
    return chr(code).encode("utf-8")


def _malformed() -> FormatError:
    return FormatError(object="name", reason="its quoting is not valid")
