"""Values written as TOML."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.config.positions import KeyPath, dotted, quoted
from holdfast.config.shapes import items, table


def value_text(value: object) -> str:
    """One value; tables and lists on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    found = table(value)
    if found == {}:
        return "{}"
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
