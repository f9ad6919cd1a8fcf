"""One environment laid over the rest of a configuration."""

from __future__ import annotations

import copy

from holdfast.config.positions import KeyPath
from holdfast.config.shapes import table

_KINDS = ("sources", "targets")


def overlaid(data: dict[str, object], environment: str) -> tuple[dict[str, object], dict[KeyPath, KeyPath]]:
    """The configuration of an environment, and where the keys that it changed were written.

    Tables are merged key by key; anything else is replaced. A source or target whose `kind` changes is replaced as a
    whole, because the options of another kind would mean nothing.

    Args:
        data: the file; not changed.
        environment: the name of a table in `environments`; empty for none.
    """
    merged = copy.deepcopy({key: value for key, value in data.items() if key != "environments"})
    origins: dict[KeyPath, KeyPath] = {}
    chosen = table((table(data.get("environments")) or {}).get(environment))
    if environment and chosen is not None:
        _merge(merged, copy.deepcopy(chosen), (), ("environments", environment), origins)
    return merged, origins


def _merge(
    base: dict[str, object],
    over: dict[str, object],
    at: KeyPath,
    origin: KeyPath,
    origins: dict[KeyPath, KeyPath],
) -> None:
    for key, value in over.items():
        here = (*at, key)
        former, latter = table(base.get(key)), table(value)
        if former is not None and latter is not None and not _other_kind(here, former, latter):
            _merge(former, latter, here, (*origin, key), origins)
        else:
            base[key] = value
            origins[here] = (*origin, key)


def _other_kind(here: KeyPath, former: dict[str, object], value: dict[str, object]) -> bool:
    return len(here) == 2 and here[0] in _KINDS and "kind" in value and value["kind"] != former.get("kind")
