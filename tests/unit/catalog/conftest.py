"""The same tests on SQLite in a file and on a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.catalog import Catalog, open_catalog
from holdfast.testing.databases import DatabaseServer, postgresql_server, run_sql
from holdfast.testing.fake_clock import FakeClock
from unit.catalog.kit import KEY


@pytest.fixture(scope="session")
def server() -> Iterator[DatabaseServer]:
    with postgresql_server() as running:
        yield running


@pytest.fixture(scope="session")
def shared(server: DatabaseServer) -> str:
    """A database of which every test gets a schema: a database of its own takes megabytes."""
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a catalog can be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/catalog.db"
    server: DatabaseServer = request.getfixturevalue("server")
    shared: str = request.getfixturevalue("shared")
    schema = f"test_{secrets.token_hex(6)}"
    run_sql(server, shared, f"CREATE SCHEMA {schema}")
    return f"{server.url(shared)}?options=-csearch_path%3D{schema}"


@pytest.fixture(scope="module")
def memory() -> Iterator[Catalog]:
    """One in memory, for many quick questions."""
    with open_catalog("sqlite://", clock=FakeClock(), key=KEY) as opened:
        yield opened


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with open_catalog(url, clock=FakeClock(), key=KEY) as opened:
        yield opened
