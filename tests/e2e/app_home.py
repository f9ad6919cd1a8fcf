"""A small application with a configuration, and `holdfast` run on it as a person does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.commands import TIMEOUT_S, Done
from e2e.deployments import rows, tree
from holdfast.app import load_app
from holdfast.model.backup import BackupType
from holdfast.operations.create import create_backup
from holdfast.operations.requests import CreateRequest
from holdfast.testing.fake_clock import FakeClock

CONFIGURATION = """
[app]
name = "shop"
timezone = "UTC"
keep_state = true

[sources.database]
kind = "sqlite"
path = "data/shop.db"

[sources.storage]
kind = "files"
paths = ["storage"]
exclude = ["*.tmp"]

[sources.config]
kind = "config"
paths = [".env", "conf/site.json"]

[sources.comments]
kind = "tables"
database = "database"
tables = ["customers", "comments"]

[targets.local]
kind = "archive"
url = "backups"

[targets.offsite]
kind = "repository"
url = "offsite"
password_file = "password"

[policies.nightly]
schedule = "0 2 * * *"
keep = { last = 3 }
"""
TABLES = ("customers", "comments", "orders")
FILES = (".env", "conf/site.json")


@dataclass
class AppHome:
    """The application's folder.

    Attributes:
        folder: holds the application, its configuration, and the targets.
        variables: further environment variables.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def environment(self) -> dict[str, str]:
        """What a person has in their shell."""
        folders = {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        return {"PATH": os.environ["PATH"], **folders, "LC_ALL": "C.UTF-8", "TZ": "UTC", **self.variables}

    def run(self, *arguments: str | Path, status: int = 0, cwd: Path | None = None) -> Done:
        """Runs `holdfast`, and holds its exit status to what is expected."""
        command = [sys.executable, "-m", "holdfast", *map(str, arguments)]
        process = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        done = Done(process.returncode, process.stdout, process.stderr)
        assert done.status == status, f"{arguments} ended with {done.status}:\n{done.out}{done.err}"
        assert "Traceback" not in done.err, done.err
        return done

    def create(self, *arguments: str) -> str:
        """Makes a backup and returns its id."""
        backup_id: str = self.run("create", "--json", *arguments).summary()["backup_id"]
        return backup_id

    def create_in_the_past(self, days: float, kind: str = "full") -> str:
        """Makes a backup as if it had been made so many days ago. Returns its id."""
        clock = FakeClock(ns=time.time_ns() - round(days * 86_400 * 1_000_000_000))
        with load_app(self.folder / "holdfast.toml", None, {}, self.folder, clock=clock) as app:
            report = create_backup(app.context, CreateRequest(type=BackupType(kind), retention=False))
        assert report.failure is None, report.failure
        return report.backup_id

    def ids(self, *arguments: str) -> list[str]:
        """Ids of the backups, the newest first."""
        return [one["backup_id"] for one in self.run("list", "--json", *arguments).json()["backups"]]

    def sql(self, statement: str) -> None:
        """Changes the database as the application does."""
        with sqlite3.connect(self.folder / "data/shop.db") as connection:
            connection.execute(statement)
        connection.close()

    def state(self, root: Path | None = None) -> dict[str, Any]:
        """All rows and files of the application, or of a copy of it; without what the configuration leaves out."""
        folder = root or self.folder
        files = {name: (folder / name).read_bytes() for name in FILES}
        database = folder / "data/shop.db"
        stored = {name: content for name, content in tree(folder / "storage").items() if not name.endswith(".tmp")}
        return {**{table: rows(database, table) for table in TABLES}, **files, **stored}

    def damage(self) -> None:
        """Somebody loses customers, a folder of pictures and a setting."""
        self.sql("DELETE FROM orders")
        self.sql("UPDATE customers SET name = 'nobody'")
        (self.folder / "storage/pictures/one.jpg").unlink()
        (self.folder / "storage/readme.txt").write_text("overwritten")
        (self.folder / ".env").write_text("SECRET=lost\n")


def make_app(folder: Path, configuration: str = CONFIGURATION) -> AppHome:
    """Writes the application and its configuration into a new folder."""
    for name in ("data", "storage/pictures", "storage/empty", "conf"):
        (folder / name).mkdir(parents=True)
    (folder / "holdfast.toml").write_text(configuration)
    (folder / "password").write_text("geheim\n")
    (folder / "password").chmod(0o600)
    (folder / ".env").write_text("SECRET=1234\n")
    (folder / "conf/site.json").write_text('{"title": "Обувь"}')
    (folder / "storage/pictures/one.jpg").write_bytes(bytes(range(256)) * 300)
    (folder / "storage/pictures/two.jpg").write_bytes(os.urandom(50_000))
    (folder / "storage/readme.txt").write_text("Привет\n")
    (folder / "storage/half.tmp").write_text("left out")
    with sqlite3.connect(folder / "data/shop.db") as connection:
        connection.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, photo BLOB);
            CREATE TABLE comments (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id), text TEXT);
            CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers (id), total NUMERIC);
            CREATE INDEX comments_by_customer ON comments (customer);
            """
        )
        connection.executemany(
            "INSERT INTO customers VALUES (?, ?, ?)", [(n, f"Клиент {n}", os.urandom(20)) for n in range(1, 41)]
        )
        connection.executemany("INSERT INTO comments VALUES (?, ?, ?)", [(n, n, f"متن {n}") for n in range(1, 31)])
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, n, n * 1.25) for n in range(1, 41)])
    connection.close()
    return AppHome(folder)
