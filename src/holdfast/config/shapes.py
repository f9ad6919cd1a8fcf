"""What TOML values are, for code that is typed.

The parser promises no more than `object`; a table always has texts for keys.
"""

from __future__ import annotations

from typing import cast


def table(value: object) -> dict[str, object] | None:
    """The value if it is a table."""
    return cast(dict[str, object], value) if isinstance(value, dict) else None


def items(value: object) -> list[object] | None:
    """The value if it is a list."""
    return cast(list[object], value) if isinstance(value, list) else None


def texts(value: object) -> list[str] | None:
    """The value if it is a list of texts."""
    found = items(value)
    return None if found is None or not all(isinstance(one, str) for one in found) else cast(list[str], found)


def members(value: object) -> list[tuple[str | int, object]]:
    """What is in a table or list, with its key or index; nothing if the value is neither."""
    found = table(value)
    if found is not None:
        return [*found.items()]
    return [*enumerate(items(value) or [])]


def put(container: object, key: str | int, value: object) -> None:
    """Replaces what is in a table or list."""
    cast(dict[str | int, object], container)[key] = value
