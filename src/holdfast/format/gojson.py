"""JSON strings exactly as Go's encoder writes them: the bytes decide hashes, so each escape matters."""

from __future__ import annotations

import base64
import re
from functools import lru_cache

_NEEDS_ESCAPE = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\udc80-\udcff]')
_PLAIN = re.compile(rb"[ !#-%'-;=?-\[\]-\x7f]*\Z")

# COMPAT(restic): \b and \f have short forms since Go 1.22; invalid bytes arrive here as lone surrogates.
_ESCAPES = (
    {chr(code): f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)}
    | {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    | {chr(0xDC00 + byte): "\\ufffd" for byte in range(0x80, 0x100)}
)


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES[match[0]]


def quote(text: bytes) -> bytes:
    """A JSON string with its quotation marks.

    Args:
        text: UTF-8; each byte that is not part of valid UTF-8 becomes the six characters `\\ufffd`.

    Returns:
        The string as Go's `encoding/json` (1.22 or later, HTML escaping on) writes it.
    """
    if _PLAIN.match(text):
        return b'"' + text + b'"'
    escaped = _NEEDS_ESCAPE.sub(_escape, text.decode("utf-8", "surrogateescape"))
    return b'"' + escaped.encode("utf-8") + b'"'


def quote_text(text: str) -> str:
    """The same for text that came from the system, where a surrogate stands for an undecodable byte."""
    return f'"{_NEEDS_ESCAPE.sub(_escape, text)}"'


quote_cached = lru_cache(maxsize=1024)(quote_text)
"""`quote_text` for the few strings that repeat: users, groups, hosts."""


def encode_base64(value: bytes) -> str:
    """A byte string as Go writes it: standard alphabet, padded, in quotation marks."""
    return f'"{base64.b64encode(value).decode("ascii")}"'
