"""A MariaDB server for the session, and a database with one of everything."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.runtime.secret import Secret
from holdfast.sources.mysql import Mysql, MysqlOptions
from holdfast.testing.databases import DatabaseServer, mariadb_server, run_sql

_DEFINITIONS = Path(__file__).with_name("rich.sql").read_text("utf-8").partition("\n")[2]
RICH = [statement.strip() for statement in re.split(r"^//$", _DEFINITIONS, flags=re.MULTILINE)]
_FICKLE = re.compile(r"^-- (?:Host|Dump completed).*$|AUTO_INCREMENT=\d+ ", re.MULTILINE)


@pytest.fixture(scope="session")
def server() -> Iterator[DatabaseServer]:
    with mariadb_server() as running:
        yield running


@pytest.fixture
def database(server: DatabaseServer) -> str:
    """An empty database."""
    return server.new_database()


@pytest.fixture
def rich(server: DatabaseServer, database: str) -> str:
    """A database with one of everything."""
    run_sql(server, database, "SET SESSION sql_mode = ''", *RICH)
    return database


@pytest.fixture
def source(server: DatabaseServer, tmp_path: Path) -> Callable[..., Mysql]:
    """Makes a source over a database of the server."""

    def make(of: str, /, **options: object) -> Mysql:
        url = Secret(server.url(of).encode())
        return Mysql("db", MysqlOptions(**{"url": url, **options}), tmp_path)  # type: ignore[arg-type]

    return make


@pytest.fixture
def image(server: DatabaseServer, tmp_path: Path) -> Callable[[str], str]:
    """Everything in a database as text, by MariaDB's own program; equal for equal databases."""
    defaults = tmp_path / "defaults-of-the-test"
    defaults.write_text(f"[client]\nhost={server.host}\nport={server.port}\nuser={server.user}\n")
    with defaults.open("a") as file:
        file.write(f"password={server.password}\n")
    defaults.chmod(0o600)

    def dumped(database: str) -> str:
        options = ["--routines", "--triggers", "--events", "--hex-blob", "--order-by-primary", "--skip-comments"]
        command = ["mariadb-dump", f"--defaults-file={defaults}", *options, "--default-character-set=utf8mb4", database]
        done = subprocess.run(command, capture_output=True, check=True)
        return _FICKLE.sub("", done.stdout.decode()).replace(f"`{database}`.", "")

    return dumped
