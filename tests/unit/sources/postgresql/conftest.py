"""A PostgreSQL server for the session, and a database with one of everything."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.runtime.secret import Secret
from holdfast.sources.postgresql import Postgresql, PostgresqlOptions
from holdfast.testing.databases import DatabaseServer, postgresql_server, run_sql

RICH = Path(__file__).with_name("rich.sql")


@pytest.fixture(scope="session")
def server() -> Iterator[DatabaseServer]:
    with postgresql_server() as running:
        yield running


@pytest.fixture
def database(server: DatabaseServer) -> str:
    """An empty database."""
    return server.new_database()


@pytest.fixture
def rich(server: DatabaseServer, database: str) -> str:
    """A database with one of everything."""
    run_sql(server, database, RICH.read_text("utf-8"))
    return database


@pytest.fixture
def source(server: DatabaseServer, tmp_path: Path) -> Callable[..., Postgresql]:
    """Makes a source over a database of the server."""

    def make(of: str, /, **options: object) -> Postgresql:
        url = Secret(server.url(of).encode())
        return Postgresql("db", PostgresqlOptions(**{"url": url, **options}), tmp_path)  # type: ignore[arg-type]

    return make


@pytest.fixture
def image(server: DatabaseServer, tmp_path: Path) -> Callable[[str], str]:
    """Everything in a database as text, by PostgreSQL's own program; equal for equal databases."""
    passfile = tmp_path / "pgpass-of-the-test"
    passfile.write_text(f"*:*:*:*:{server.password}\n")
    passfile.chmod(0o600)

    def dumped(database: str) -> str:
        command = ["pg_dump", "-h", server.host, "-p", str(server.port), "-U", server.user, "-d", database]
        done = subprocess.run(
            command, env={"PGPASSFILE": str(passfile), "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
        )
        return re.sub(r"\\(un)?restrict \w+", "", done.stdout.decode())

    return dumped
