"""Cells of MariaDB and MySQL: what arrives as bytes becomes what the column's type says, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from holdfast.sources.rows.cells import BINARY, Cell, Row, bytes_of, float_cell, json_cell, text_of
from holdfast.sources.rows.sql import backquoted

_TAGS = {
    "decimal": "$decimal",
    "date": "$date",
    "datetime": "$timestamp",
    "timestamp": "$timestamp",
    "time": "$time",
    "uuid": "$uuid",
}
_INTEGERS = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint", "year"))
_BINARY = frozenset(
    [
        "binary",
        "varbinary",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
        "vector",
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    ]
)
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"})
_SHORT_BYTES = 256
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z")
_BITS = re.compile(r"[01]+\Z")


def type_word(column_type: str) -> str:
    """The first word of a type: `decimal` of `decimal(10,2) unsigned`."""
    return column_type.partition("(")[0].partition(" ")[0].lower()


def reader(column_type: str) -> Callable[[bytes], Cell]:
    """What makes a cell of the bytes that the server sends for a column."""
    word = type_word(column_type)
    if word in _INTEGERS:
        return int
    if word in _BINARY:
        return lambda value: {BINARY: value}
    if word in ("float", "double"):
        return lambda value: float_cell(float(value))
    if word == "json":
        return lambda value: json_cell(value.decode())
    if word == "bit":
        width = int(column_type.partition("(")[2].rstrip(")") or 1)
        return lambda value: {"$bit": format(int.from_bytes(value, "big"), f"0{width}b")}
    if word in _TAGS:
        tag = _TAGS[word]
        return lambda value: {tag: value.decode()}
    return lambda value: value.decode()


def literal(cell: Cell) -> str:
    """A cell as it stands in a statement; long binary values hold surrogates, see `encoded`."""
    if cell is None:
        return "NULL"
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        text = repr(cell)
        return text if "e" in text else text + "e0"
    if isinstance(cell, str):
        return _quoted(cell)
    [(tag, value)] = cell.items()
    if isinstance(value, bytes):
        if len(value) <= _SHORT_BYTES:
            return f"X'{value.hex()}'"
        # Escaped bytes are half as long as hexadecimal ones: what fitted into a packet once fits again.
        return "_binary" + _quoted(value.decode("utf-8", "surrogateescape"))
    text = value if isinstance(value, str) else text_of(cell) or ""
    if tag == "$bit" and _BITS.match(text):
        return f"b'{text}'"
    # A decimal in quotes would be compared as a floating point number.
    return text if tag == "$decimal" and _DECIMAL.match(text) else _quoted(text)


def weight(cell: Cell) -> int:
    """About how many bytes a cell has; nothing for those that are never large."""
    if isinstance(cell, str):
        return len(cell)
    if isinstance(cell, dict):
        [value] = cell.values()
        return len(memoryview(value)) if isinstance(value, msgspec.Raw) else len(value)
    return 0


def pieces(cell: Cell, size: int) -> Iterator[str]:
    """A large text or binary value as literals of its parts."""
    whole = bytes_of(cell)
    if whole is None:
        text = text_of(cell) or ""
        yield from (literal(text[at : at + size]) for at in range(0, len(text), size))
    else:
        yield from (literal({BINARY: whole[at : at + size]}) for at in range(0, len(whole), size))


def encoded(statement: str) -> bytes:
    """A statement as it is sent, with every byte of binary values as it was."""
    return statement.encode("utf-8", "surrogateescape")


def equal(columns: Sequence[str], key: Row) -> str:
    """A condition for one row."""
    return (
        "("
        + " AND ".join(f"{backquoted(name)} = {literal(cell)}" for name, cell in zip(columns, key, strict=True))
        + ")"
    )


def _quoted(text: str) -> str:
    return "'" + text.translate(_ESCAPES) + "'"


def expression(quoted: str, column_type: str) -> str:
    """How a column is read. A FLOAT as text has six digits only; as a DOUBLE it has them all."""
    return f"CAST({quoted} AS DOUBLE)" if type_word(column_type) == "float" else quoted
