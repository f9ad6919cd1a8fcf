"""What happened and what is planned: runs, leases, settings, tokens, the audit log, deliveries, a mirror of backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.catalog.queries import CopyTotals, Rebuilt, RunFilter
from holdfast.errors import ExtraMissing

if TYPE_CHECKING:
    from holdfast.catalog.catalog import AuditLog, Catalog, Copies, Deliveries, Leases, Runs, Settings, Tokens
    from holdfast.catalog.rebuilding import rebuild
    from holdfast.runtime.clock import Clock

__all__ = [
    "AuditLog",
    "Catalog",
    "Copies",
    "CopyTotals",
    "Deliveries",
    "Leases",
    "Rebuilt",
    "RunFilter",
    "Runs",
    "Settings",
    "Tokens",
    "open_catalog",
    "rebuild",
]


def open_catalog(url: str, *, clock: Clock, key: bytes) -> Catalog:
    """Opens a catalog, makes it if there is none, and brings it up to this version.

    Args:
        url: `sqlite:////absolute/path/catalog.db`, `sqlite://` for one in memory, or `postgresql://…`.
        clock: tells the time where a call does not.
        key: what tokens and the audit log are protected with; see `holdfast.catalog.key_file`.

    Raises:
        CatalogUnavailable: it cannot be reached, read or written, or others may read it.
        CatalogDamaged: its file is not whole.
        CatalogNewer: a newer version of Holdfast changed it so that this one cannot work with it.
        ExtraMissing: the libraries for it are not installed.
    """
    try:
        from holdfast.catalog.opening import opened
    except ImportError as error:
        raise ExtraMissing(what="the catalog", name=error.name, extra="server") from None
    return opened(url, clock=clock, key=key)


def __getattr__(name: str) -> object:
    """What needs the database library, which takes half a second to import: who only asks for a type does not wait."""
    if name == "rebuild":
        from holdfast.catalog.rebuilding import rebuild

        return rebuild
    if name in __all__:
        from holdfast.catalog import catalog

        return getattr(catalog, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
