"""Databases on a server, restored by command line: into a folder, into another database, table by table and back."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.app_home import AppHome, make_app
from holdfast.testing.databases import DatabaseServer, mariadb_server, postgresql_server, run_sql

CONFIGURATION = """
[app]
name = "shop"

[sources.database]
kind = "{kind}"
url = "${{DATABASE_URL}}"

[sources.storage]
kind = "files"
paths = ["storage"]

{more}
[targets.local]
kind = "archive"
url = "backups"
"""
TABLES = """
[sources.chosen]
kind = "tables"
database = "database"
tables = ["users"]
"""


@pytest.fixture(scope="module", params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with (postgresql_server if request.param == "postgresql" else mariadb_server)() as running:
        yield running


class Shop:
    """An application on a server."""

    def __init__(self, folder: Path, server: DatabaseServer, more: str = "") -> None:
        self.server = server
        self.database = server.new_database()
        letters = " CHARACTER SET utf8mb4" if server.kind == "mysql" else ""
        self.sql(
            f"CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(50)){letters}",
            "INSERT INTO users VALUES (1, 'Ада'), (2, 'علی'), (3, 'Çağ')",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES users (id))",
            "INSERT INTO orders VALUES (1, 1), (2, 3)",
        )
        self.home: AppHome = make_app(folder / "app", CONFIGURATION.format(kind=server.kind, more=more))
        self.home.variables["DATABASE_URL"] = server.url(self.database)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Runs statements as the application does."""
        return run_sql(self.server, self.database, *statements)

    def users(self) -> list[tuple[object, ...]]:
        """All rows."""
        return self.sql("SELECT id, name FROM users ORDER BY id")

    def undo(self, out: str, *, source: str = "database") -> None:
        """Runs the command that a restore printed, word for word."""
        (command,) = re.findall(rf"^{source}: to undo: holdfast (.*)$", out, re.MULTILINE)
        self.home.run(*shlex.split(command))


def test_a_folder_gets_the_dump_beside_the_files(tmp_path: Path, server: DatabaseServer) -> None:
    shop = Shop(tmp_path, server)
    shop.home.create()
    rows = shop.users()
    look = tmp_path / "look"
    shop.home.run("restore", "latest", "--to", look, "--yes")
    assert (look / "storage/readme.txt").read_text() == "Привет\n"
    (dump,) = (file for file in look.iterdir() if file.is_file())
    assert dump.stat().st_mode & 0o777 == 0o600
    assert shop.users() == rows, "nothing else was touched"
    if server.kind == "postgresql":
        listed = subprocess.run(["pg_restore", "--list", dump], capture_output=True, text=True, check=True).stdout
        assert "TABLE DATA public users" in listed
    else:
        assert "INSERT INTO `users`" in dump.read_text()
    again = shop.home.run("restore", "latest", "--only", "database", "--to", look, "--yes", status=1)
    assert "it exists" in again.err


def test_a_url_is_another_database(tmp_path: Path, server: DatabaseServer) -> None:
    shop = Shop(tmp_path, server)
    shop.home.create()
    rows, elsewhere = shop.users(), server.new_database()
    shop.sql("DELETE FROM orders")
    done = shop.home.run("restore", "latest", "--to", server.url(elsewhere), "--yes")
    assert server.password not in done.out + done.err
    assert run_sql(server, elsewhere, "SELECT id, name FROM users ORDER BY id") == rows
    assert shop.sql("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize("chosen", ["users", "users:id=2"])
def test_what_a_restore_of_rows_replaced_comes_back(tmp_path: Path, server: DatabaseServer, chosen: str) -> None:
    shop = Shop(tmp_path, server)
    shop.home.create()
    shop.sql("UPDATE users SET name = 'changed since' WHERE id = 2")
    changed = shop.users()
    done = shop.home.run("restore", "latest", "--table", chosen, "--yes")
    assert shop.users() != changed
    shop.undo(done.out)
    assert shop.users() == changed


def test_tables_that_are_kept_one_by_one_come_back_too(tmp_path: Path, server: DatabaseServer) -> None:
    shop = Shop(tmp_path, server, TABLES)
    shop.home.create()
    shop.sql("INSERT INTO users VALUES (4, 'new')")
    changed = shop.users()
    done = shop.home.run("restore", "latest", "--only", "chosen", "--yes")
    assert len(shop.users()) == 3
    shop.undo(done.out, source="chosen")
    assert shop.users() == changed


def test_a_table_may_be_named_with_its_schema(tmp_path: Path, server: DatabaseServer) -> None:
    shop = Shop(tmp_path, server)
    shop.home.create()
    rows = shop.users()
    schema = "public" if server.kind == "postgresql" else shop.database
    shop.sql("UPDATE users SET name = 'x'")
    shop.home.run("restore", "latest", "--table", f"{schema}.users:id=2", "--yes")
    assert [row for row in shop.users() if row[1] != "x"] == [rows[1]]
    shop.home.run("restore", "latest", "--table", f"{schema}.users", "--yes")
    assert shop.users() == rows
    assert "other.users" in shop.home.run("restore", "latest", "--table", "other.users", "--yes", status=2).err


def test_roles_are_kept_as_the_page_says(tmp_path: Path, server: DatabaseServer) -> None:
    if server.kind != "postgresql":
        return  # MySQL keeps its users in a database
    run_sql(server, "postgres", "CREATE ROLE clerk NOLOGIN")
    page = Path(__file__).parents[2].joinpath("docs/reference/sources/postgresql.md").read_text()
    (recipe,) = re.findall(r"```toml\n(\[hooks\]\n.*?)```", page, re.DOTALL)
    told = f"--host {server.host} --port {server.port} --username {server.user}"
    shop = Shop(tmp_path, server, recipe.replace("--host db.example.org --username backup", told))
    passwords = shop.home.folder / ".pgpass"
    passwords.write_text(f"*:*:*:*:{server.password}\n")
    passwords.chmod(0o600)
    shop.home.create()
    (shop.home.folder / "roles.sql").unlink()
    shop.home.run("restore", "latest", "--only", "roles", "--yes")
    assert "CREATE ROLE clerk" in (shop.home.folder / "roles.sql").read_text()
    run_sql(server, "postgres", "DROP ROLE clerk")
