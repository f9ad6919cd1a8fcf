"""Servers that the tests of rows share, and databases on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.testing.databases import DatabaseServer, mariadb_server, postgresql_server
from unit.sources.rows.kit import KINDS, Database


@pytest.fixture(scope="session")
def postgresql() -> Iterator[DatabaseServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[DatabaseServer]:
    with mariadb_server() as server:
        yield server


@pytest.fixture(params=KINDS)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Database]:
    """Makes empty databases of one kind; a test that asks for it runs on all three."""
    kind = str(request.param)
    server = None if kind == "sqlite" else request.getfixturevalue(kind)
    return lambda: Database(kind, tmp_path, server)
