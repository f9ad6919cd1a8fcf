"""Arrays of PostgreSQL as nested lists of texts and nulls."""

from __future__ import annotations

import re
from collections.abc import Sequence

from holdfast.sources.rows.cells import ARRAY, Cell, Listed

_TOKEN = re.compile(r'\s*(?:([{},])|"((?:[^"\\]|\\.)*)"|([^{},"\\\s][^{},"\\]*))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def array_cell(text: str) -> Cell:
    """An array as PostgreSQL spells it; as a text where its bounds do not begin with 1 or it is spelled otherwise."""
    parsed = _parsed(text) if text.startswith("{") else None
    return {ARRAY: text if parsed is None else parsed}


def array_text(array: Sequence[Listed]) -> str:
    """An array as PostgreSQL reads it."""
    return "{" + ",".join(_element(element) for element in array) + "}"


def _element(element: Listed) -> str:
    if element is None:
        return "NULL"
    if isinstance(element, str):
        return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return array_text(element)


def _parsed(text: str) -> list[Listed] | None:
    stack: list[list[Listed]] = [[]]
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return None
        position = token.end()
        mark, quoted, bare = token.groups()
        if mark == "{":
            inner: list[Listed] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif mark == "}":
            if len(stack) == 1:
                return None
            stack.pop()
        elif quoted is not None:
            stack[-1].append(_ESCAPED.sub(r"\1", quoted))
        elif bare is not None:
            stack[-1].append(None if bare == "NULL" else bare)
    whole = stack[0][0] if len(stack) == 1 and len(stack[0]) == 1 else None
    return whole if isinstance(whole, list) else None
