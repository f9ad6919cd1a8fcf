"""A small real application behind a server in this process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient

from holdfast.app import App, load_app
from holdfast.app.catalog_of import open_app_catalog
from holdfast.catalog.catalog import Catalog
from holdfast.model.access import Scope
from holdfast.model.notice import Notice
from holdfast.runtime.cancel import CancelToken
from holdfast.runtime.clock import SystemClock
from holdfast.server.application import create_server
from holdfast.server.sentry import Sentry
from holdfast.server.settings import ServerSettings
from holdfast.server.setup import SetupSecret
from holdfast.server.site import Site
from holdfast.service.service import Service

CONFIGURATION = """
[app]
name = "shop"
language = "{language}"
keep_state = true

[sources.database]
kind = "sqlite"
path = "shop.db"

[sources.comments]
kind = "tables"
database = "database"
tables = ["comments", "orders"]

[sources.storage]
kind = "files"
paths = ["storage"]

[sources.config]
kind = "config"
paths = [".env"]

[targets.local]
kind = "archive"
url = "backups"
layout = "bundle"
"""


class Bed(NamedTuple):
    """A server, the folder of its application, and tokens by scope."""

    folder: Path
    site: Site
    client: TestClient
    tokens: dict[str, str]
    told: list[Notice]
    setup: SetupSecret

    def headers(self, scope: str = "admin", **more: str) -> dict[str, str]:
        """Headers with a token."""
        return {"Authorization": f"Bearer {self.tokens[scope]}", **more}

    @property
    def catalog(self) -> Catalog:
        return self.site.catalog


def make_application(folder: Path, language: str = "fa") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "holdfast.toml").write_text(CONFIGURATION.format(language=language))
    (folder / ".env").write_text("MODE=production\n")
    (folder / "storage").mkdir(exist_ok=True)
    for number in range(5):
        (folder / "storage" / f"picture {number}.jpg").write_bytes(bytes([number]) * 5000)
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS comments (id INTEGER PRIMARY KEY, body TEXT)")
        database.executemany("INSERT INTO orders (item) VALUES (?)", [(f"item {n}",) for n in range(100)])
        database.executemany("INSERT INTO comments (body) VALUES (?)", [(f"نظر {n}",) for n in range(30)])


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    folder = tmp_path / "shop"
    make_application(folder)

    def open_app(cancel: CancelToken) -> App:
        return load_app(folder / "holdfast.toml", None, {}, folder, cancel=cancel)

    told: list[Notice] = []
    with open_app(CancelToken()) as app, open_app_catalog(app) as catalog:
        service = Service(open_app, catalog)
        site = Site(service, Sentry(catalog.tokens), told.append)
        setup = SetupSecret()
        server = create_server(site, ServerSettings(language="fa", allowed_hosts=frozenset({"testserver"})), setup)
        at = SystemClock().now().at()
        tokens = {
            scope.value: catalog.tokens.create(scope.value, (scope,), expires_at=None, at=at)[1] for scope in Scope
        }
        with TestClient(server, raise_server_exceptions=False) as client:
            yield Bed(folder, site, client, tokens, told, setup)
        service.close(5)
