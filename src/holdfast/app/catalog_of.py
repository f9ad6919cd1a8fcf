"""Where an application's catalog is, and opening it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.config.model import Config

if TYPE_CHECKING:
    from holdfast.app.application import App
    from holdfast.catalog import Catalog

FILE_NAME = "catalog.db"
KEY_NAME = "catalog.key"

_LOCAL = "sqlite:///"


def catalog_url(config: Config) -> str:
    """The URL of the catalog that a configuration names, paths made absolute. It may hold a password."""
    given = config.server.catalog
    url = given.reveal().decode() if given else ""
    if not url:
        return _LOCAL + str(config.state_dir / FILE_NAME)
    return _LOCAL + str(config.resolve(url.removeprefix(_LOCAL))) if url.startswith(_LOCAL) else url


def local_path(config: Config) -> Path | None:
    """The file of a catalog that is one; None for a catalog in a database server."""
    url = catalog_url(config)
    return Path(url.removeprefix(_LOCAL)) if url.startswith(_LOCAL) else None


def open_app_catalog(app: App) -> Catalog:
    """Opens the catalog of an application, and makes it and its key if there are none.

    The key lies in the state directory. Machines that share a catalog in PostgreSQL need the same one.

    Raises:
        CatalogUnavailable, CatalogDamaged, CatalogNewer, ExtraMissing: see `holdfast.catalog.open_catalog`.
    """
    from holdfast.catalog import open_catalog
    from holdfast.catalog.key_file import read_or_make_key

    key = read_or_make_key(app.config.state_dir / KEY_NAME)
    return open_catalog(catalog_url(app.config), clock=app.context.clock, key=key)


def is_kept(config: Config) -> bool:
    """Whether runs of commands are written down: where people want to be told, or where there is a catalog."""
    if config.notify.urls or config.notify.healthchecks or config.server.catalog:
        return True
    return (config.state_dir / FILE_NAME).exists()
