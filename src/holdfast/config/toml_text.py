"""Values written as TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping

from holdfast.config.positions import KeyPath, dotted
from holdfast.config.shapes import items, table

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
# Controls, changes of direction and lone surrogates: what a terminal or a reader could be misled by.
_UNSAFE = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')


def value_text(value: object) -> str:
    """One value; tables and lists on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_UNSAFE.sub(_escaped, value)}"'
    found = table(value)
    if found is not None:
        return "{ " + ", ".join(f"{dotted((key,))} = {value_text(one)}" for key, one in found.items()) + " }"
    many = items(value)
    if many is not None:
        return "[" + ", ".join(map(value_text, many)) + "]"
    return str(value)


def sections_text(sections: Mapping[str, object]) -> str:
    """A whole document: `sources`, `targets` and `policies` hold tables, the others are tables."""
    blocks: list[str] = []
    for name, section in sections.items():
        tables: dict[KeyPath, object] = {(name,): section}
        if name in ("sources", "targets", "policies"):
            tables = {(name, below): one for below, one in (table(section) or {}).items()}
        for path, one in tables.items():
            lines = [f"{dotted((key,))} = {value_text(value)}" for key, value in (table(one) or {}).items()]
            blocks.append("\n".join([f"[{dotted(path)}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # A lone surrogate is a byte that is not text; TOML has no way to write it.
    return _ESCAPES.get(found[0]) or ("\\uFFFD" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04X}")
