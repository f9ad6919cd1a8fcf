"""Finds what opens a location by its kind: a lazy table of ours, and entry points of others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from holdfast.backends import urls
from holdfast.errors import Phrase, UsageError

_EXTRAS = {"asyncssh": "sftp", "httpx2": "rest"}


def find_opener(table: Mapping[str, str], group: str, url: str) -> object:
    """The class for a location, imported now.

    Args:
        table: `module:Class` by kind.
        group: the entry point group in which others offer kinds; ours win.

    Raises:
        UsageError: there is no such kind, or it is not installed.
    """
    scheme = urls.scheme_of(url)
    target = table.get(scheme)
    if target is None:
        return _offered(table, group, url, scheme)
    module, _colon, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise UsageError(
            detail=Phrase(
                "storage of kind {scheme} needs: pip install holdfast[{extra}]", {"scheme": scheme, "extra": extra}
            )
        ) from error


def _offered(table: Mapping[str, str], group: str, url: str, scheme: str) -> object:
    from importlib import metadata

    found = next(iter(metadata.entry_points(group=group, name=scheme)), None)
    if found is None:
        raise UsageError(
            detail=Phrase(
                "{shown} names no known kind of storage ({known}); for a folder, write local:{shown}",
                {"shown": urls.without_secrets(url), "known": ", ".join(sorted(table))},
            )
        )
    return found.load()
