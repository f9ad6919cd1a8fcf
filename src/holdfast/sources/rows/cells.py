"""Cells: values of columns as JSON can hold them, without losing what they are.

Numbers, texts, booleans and null stand for themselves. Everything else is an object with one key that begins with
`$`: `{"$decimal": "1.10"}`, `{"$binary": "…base64…"}`. No column value is ever an object by itself, so a text
that looks like such an object stays a text.
"""

from __future__ import annotations

import msgspec

Cell = None | bool | int | float | str | dict[str, "str | bytes | msgspec.Raw | list[object]"]
Row = tuple[Cell, ...]
