"""Cells: values of columns as JSON can hold them, without losing what they are.

Numbers, texts, booleans and null stand for themselves. Everything else is an object with one key that begins with
`$`: `{"$decimal": "1.10"}`, `{"$binary": "…base64…"}`. No column value is ever an object by itself, so a text
that looks like such an object stays a text.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Sequence
from typing import cast

import msgspec

from holdfast.errors import DamageError

Listed = None | str | list["Listed"]
Cell = None | bool | int | float | str | dict[str, "str | bytes | msgspec.Raw | list[Listed]"]
Row = tuple[Cell, ...]

ARRAY = "$array"
BINARY = "$binary"
INVALID_TEXT = "$invalid_text"
FLOAT = "$float"
JSON = "$json"
JSON_TEXT = "$json_text"
TEXT_TAGS = frozenset(
    (ARRAY, "$bit", "$date", "$decimal", FLOAT, "$interval", JSON_TEXT, "$time", "$timestamp", "$uuid")
)
"""Tags whose value is the database's own spelling."""

_BYTES_TAGS = frozenset((BINARY, INVALID_TEXT))
_JSON_MARK = b'{"$json":'
_DEEPEST = 64
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])')

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_raw_row = msgspec.json.Decoder(dict[str, msgspec.Raw])


def float_cell(value: float) -> Cell:
    """A floating point number; JSON has no infinities and nothing that is not a number."""
    if math.isfinite(value):
        return value
    return {FLOAT: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def json_cell(text: str) -> Cell:
    """A document of a JSON column, spelled as it is; as a text where it could not be read again in place."""
    whole = text.strip(" \t\r\n") == text and "\n" not in text and "\r" not in text
    if not whole or _depth(text) > _DEEPEST:
        return {JSON_TEXT: text}
    encoded = text.encode()
    try:
        _decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {JSON_TEXT: text}
    return {JSON: msgspec.Raw(encoded)}


def text_of(cell: Cell) -> str | None:
    """The database's own spelling of a cell that has one: of a text, and of all tags but binary ones."""
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, dict):
        return None
    [value] = cell.values()
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return value if isinstance(value, str) else None


def bytes_of(cell: Cell) -> bytes | None:
    """The bytes of a binary cell; None for all others."""
    value = cell.get(BINARY) if isinstance(cell, dict) else None
    return value if isinstance(value, bytes) else None


def encode_row(names: Sequence[str], row: Row) -> bytes:
    """A row as one line of JSON, without the line's end; the same row always gives the same bytes."""
    return _encoder.encode(dict(zip(names, row, strict=True)))


def encode_key(row: Sequence[Cell]) -> bytes:
    """Cells as a JSON list in one line."""
    return _encoder.encode(row)


def decode_row(line: bytes, names: Sequence[str]) -> Row:
    """The inverse of `encode_row`. Raises `DamageError` if the columns are others or a cell is none."""
    try:
        found: dict[str, object]
        if _JSON_MARK in line:
            found = {name: _decoded(raw) for name, raw in _raw_row.decode(line).items()}
        else:
            found = _decoder.decode(line)
        if len(found) != len(names):
            raise ValueError("the columns are others")
        return tuple(_cell(found[name]) for name in names)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, ValueError, AttributeError) as error:
        raise DamageError(object="a row", reason=str(error) or type(error).__name__) from error


def decode_key(line: bytes) -> Row:
    """The inverse of `encode_key`. Raises `DamageError`."""
    try:
        if _JSON_MARK in line:
            return tuple(_cell(_decoded(raw)) for raw in msgspec.json.decode(line, type=list[msgspec.Raw]))
        return tuple(_cell(value) for value in msgspec.json.decode(line, type=list[object]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise DamageError(object="a key", reason=str(error)) from error


def _decoded(raw: msgspec.Raw) -> object:
    if bytes(memoryview(raw)[: len(_JSON_MARK)]) == _JSON_MARK:
        return _raw_row.decode(raw)
    return _decoder.decode(raw)


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        tag, content = _only(cast("dict[str, object]", value))
        if tag in TEXT_TAGS and isinstance(content, str):
            return {tag: content}
        if tag in _BYTES_TAGS and isinstance(content, str):
            return {tag: binascii.a2b_base64(content.encode("ascii"), strict_mode=True)}
        if tag == JSON and isinstance(content, msgspec.Raw):
            return {JSON: content}
        if tag == ARRAY and isinstance(content, list):
            return {ARRAY: _listed(cast("list[object]", content))}
    raise ValueError("a cell is neither a value nor a tagged object")


def _only(tagged: dict[str, object]) -> tuple[str, object]:
    [item] = tagged.items()
    return item


def _listed(values: list[object]) -> list[Listed]:
    found: list[Listed] = []
    for value in values:
        if isinstance(value, list):
            found.append(_listed(cast("list[object]", value)))
        elif value is None or isinstance(value, str):
            found.append(value)
        else:
            raise ValueError("an element of an array is neither a text nor null")
    return found


def _depth(text: str) -> int:
    if text.count("[") + text.count("{") <= _DEEPEST:
        return 0
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        depth += bool(found.group(1)) - bool(found.group(2))
        deepest = max(deepest, depth)
    return deepest
