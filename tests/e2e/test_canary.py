"""A secret is planted in every credential, and found nowhere but where it was planted.

Backups, restores and a server with all its routes run meanwhile, well and with each credential wrong in its turn;
processes are looked at all the time, and in the end every output, answer, message, log and file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from e2e.app_home import AppHome
from e2e.commands import TIMEOUT_S
from e2e.secret_watch import SecretWatch
from holdfast.testing.databases import DatabaseServer, mariadb_server, postgresql_server, run_sql
from holdfast.testing.receivers import Letter, Receiver, http_receiver, smtp_receiver, status
from holdfast.testing.servers import S3_KEY, S3_SECRET, S3Server, rclone_s3

BIRD = "c4n4ry"
CONFIGURATION = """
[app]
name = "shop"
log_file = "shop.log"

[sources.people]
kind = "postgresql"
host = "127.0.0.1"
port = {postgresql}
user = "shop"
database = "people"
password = "${{PG_SECRET}}"

[sources.orders]
kind = "mysql"
url = "mysql://shop:c4n4ryMysql@127.0.0.1:{mariadb}/orders"

[sources.storage]
kind = "files"
paths = ["storage"]

[targets.local]
kind = "archive"
url = "backups"
encryption = "age"
passphrase_file = "secrets/age"

[targets.vault]
kind = "repository"
url = "vault"
password_command = ["cat", "secrets/repository"]

[targets.bucket]
kind = "archive"
url = "s3:{endpoint}/{bucket}/shop"
access_key_id = "{key}"
secret_access_key = "${{S3_SECRET}}"

[notify]
urls = ["json://user:c4n4ryHook@127.0.0.1:{web}/c4n4ryPath", "mailto://shop:${{MAIL_SECRET}}@127.0.0.1:{mail}/?from=a@example.org&to=b@example.org"]
on = ["success", "failure", "warning", "restored", "refused"]
allow = ["127.0.0.1"]
telegram_api = "{telegram}"

[hooks]
before_backup = [["sh", "-c", "sleep 0.1"]]

[server]
catalog = "{catalog}"
"""
VARIABLES = {
    "PG_SECRET": f"{BIRD}/Pg@:%",
    "S3_SECRET": S3_SECRET,
    "MAIL_SECRET": f"{BIRD}Mail",
    "TELEGRAM_BOT_TOKEN": f"12345:{BIRD}Telegram",
    "TELEGRAM_CHAT_ID": "42",
    "UNRELATED_SECRET": f"{BIRD}Unrelated",
}
# What is wrong, what is put in whose place, and how a backup ends then.
BREAKAGES = {
    "database password": ('password = "${PG_SECRET}"', 'password = "c4n4ryWrong"'),
    "database url": ("mysql://shop:c4n4ryMysql@127.0.0.1:", "mysql://shop:c4n4ryWrong@127.0.0.1:"),
    "database url unreadable": ("mysql://shop:c4n4ryMysql@127.0.0.1:", "mysql://shop:c4n4ry[Wrong@127.0.0.1:x"),
    "repository password": ('"cat", "secrets/repository"', '"printf", "c4n4ryWrong"'),
    "password command": ('"cat", "secrets/repository"', '"sh", "-c", "echo c4n4ryWrong; exit 3"'),
    "key of the bucket": ('secret_access_key = "${S3_SECRET}"', 'secret_access_key = "c4n4ryWrong"'),
    "hook": ('"sleep 0.1"', '"exit 9"'),
    "catalog": ('catalog = "', 'catalog = "postgresql://shop:c4n4ryWrong@127.0.0.1:1/x?x='),
    "message url": ('"json://user:c4n4ryHook@127.0.0.1:', '"json://user:c4n4ryHook@10.9.8.7:1'),
    "unknown message url": ('"json://user:c4n4ryHook@', '"nothing://user:c4n4ryWrong@'),
    "variable": ("${PG_SECRET}", "${PG_SECRET}${NOT_THERE}"),
}

DONE = (
    ("delete", "/api/v1/admin/backup/{backup_id}"),
    ("post", "/api/v1/setup"),
    ("post", "/api/v1/admin/backup/create-full"),
    ("post", "/backups/create"),
)
SOME = ("database url", "password command", "key of the bucket", "catalog")


class Shop:
    """The application, everything it talks to, and the watch."""

    def __init__(self, home: AppHome, watch: SecretWatch, postgresql: DatabaseServer) -> None:
        self.home = home
        self.watch = watch
        self.postgresql = postgresql
        self.configuration = (home.folder / "holdfast.toml").read_text()

    def run(self, *arguments: str, ended: tuple[int, ...] = (0,)) -> str:
        """Runs a command, and looks at what it says; gives its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *arguments],
            cwd=self.home.folder,
            env=self.home.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode in ended, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        self.watch.look(f"what {arguments} prints", done.stdout)
        self.watch.look(f"what {arguments} says of errors", done.stderr)
        return done.stdout

    def break_(self, what: str) -> None:
        """Puts something wrong into the configuration."""
        right, wrong = BREAKAGES[what]
        assert right in self.configuration
        (self.home.folder / "holdfast.toml").write_text(self.configuration.replace(right, wrong))

    def mend(self) -> None:
        """Puts the configuration right."""
        (self.home.folder / "holdfast.toml").write_text(self.configuration)

    def look_at_everything(self, web: Receiver, telegram: Receiver, letters: list[Letter]) -> None:
        """Looks at all that was left: messages, files, databases of our own."""
        folder = self.home.folder
        for request in (*web.requests, *telegram.requests):
            shown = {name: value for name, value in request.headers.items() if name != "authorization"}
            self.watch.look("a message", request.body)
            self.watch.look("headers of a message", json.dumps(shown))
        for letter in letters:
            self.watch.look("a letter", repr(letter))
        planted = [folder / "holdfast.toml", *(folder / "secrets").iterdir()]
        assert self.watch.look_at_files(folder, planted) > 20
        catalog = folder / ".holdfast" / "catalog.db"
        if catalog.exists():
            with contextlib.closing(sqlite3.connect(catalog)) as database:
                self.watch.look("the catalog", "\n".join(database.iterdump()))
        tables = run_sql(self.postgresql, "catalog", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert bool(tables) != catalog.exists()
        for (table,) in tables:
            rows = run_sql(self.postgresql, "catalog", f"SELECT t::text FROM {table} t")
            self.watch.look(f"the table {table} of the catalog", repr(rows))


@pytest.fixture(scope="module")
def postgresql() -> Iterator[DatabaseServer]:
    with postgresql_server() as server:
        password = VARIABLES["PG_SECRET"]
        run_sql(server, "postgres", f"CREATE ROLE shop SUPERUSER LOGIN PASSWORD '{password}'", "CREATE DATABASE people")
        run_sql(server, "people", "CREATE TABLE people (id int PRIMARY KEY)", "INSERT INTO people VALUES (1)")
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[DatabaseServer]:
    with mariadb_server() as server:
        for place in ("'%'", "localhost"):
            run_sql(server, "mysql", f"CREATE USER shop@{place} IDENTIFIED BY 'c4n4ryMysql'")
            run_sql(server, "mysql", f"GRANT ALL ON *.* TO shop@{place}")
        run_sql(server, "mysql", "CREATE DATABASE orders")
        run_sql(server, "orders", "CREATE TABLE orders (id int PRIMARY KEY)", "INSERT INTO orders VALUES (1)")
        yield server


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3Server]:
    with rclone_s3() as server:
        yield server


@pytest.mark.parametrize("kept_in", ["sqlite", pytest.param("postgresql", marks=pytest.mark.deep)])
def test_planted_secrets_are_found_nowhere(
    tmp_path: Path, postgresql: DatabaseServer, mariadb: DatabaseServer, bucket: S3Server, kept_in: str
) -> None:
    folder = tmp_path / "shop"
    run_sql(postgresql, "postgres", "DROP DATABASE IF EXISTS catalog", "CREATE DATABASE catalog")
    with (
        http_receiver(status(500, body=b"no")) as web,
        http_receiver() as telegram,
        smtp_receiver() as (mail, letters),
        SecretWatch(BIRD, S3_SECRET) as watch,
    ):
        _plant(folder)
        url = f"postgresql://shop:c4n4ry%2FPg%40%3A%25@127.0.0.1:{postgresql.port}/catalog"
        text = CONFIGURATION.format(
            postgresql=postgresql.port,
            mariadb=mariadb.port,
            endpoint=bucket.endpoint,
            bucket=f"{bucket.bucket}/{kept_in}",
            key=S3_KEY,
            web=web.port,
            mail=mail,
            telegram=telegram.base,
            catalog=url if kept_in == "postgresql" else f"sqlite:///{folder}/.holdfast/catalog.db",
        )
        (folder / "holdfast.toml").write_text(text)
        shop = Shop(AppHome(folder, VARIABLES), watch, postgresql)
        _use(shop)
        _serve(shop)
        _break(shop, *(BREAKAGES if kept_in == "postgresql" else SOME))
        shop.look_at_everything(web, telegram, letters)
        assert sorted(watch.seen) == []
        assert len(web.requests) > 1
        assert len(telegram.requests) > 1
        assert len(letters) > 1
        assert len(watch.looked) > 20


def _plant(folder: Path) -> None:
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "one.txt").write_text("one")
    (folder / "secrets").mkdir(mode=0o700)
    for name in ("age", "repository"):
        (folder / "secrets" / name).write_text(f"{BIRD}{name.title()}\n")
        (folder / "secrets" / name).chmod(0o600)


def _use(shop: Shop) -> None:
    """Commands of a good day."""
    shop.run("config", "check")
    shop.run("config", "show")
    shop.run("create")
    backup = json.loads(shop.run("list", "--json"))["backups"][0]["backup_id"]
    shop.run("show", backup)
    shop.run("restore", backup, "--yes", "--from", "vault")
    shop.run("verify", "--all", "--target", "local")
    shop.run("doctor", ended=(0, 1, 2, 3, 4, 5))
    shop.run("notify", "list", "--json")


def _break(shop: Shop, *breakages: str) -> None:
    """Each credential wrong in its turn; what comes of that is the errors that are looked at."""
    for what in breakages:
        shop.break_(what)
        # A message that nobody gets and a run that is not written down are no failed backup.
        shop.run("create", ended=tuple(range(10)))
    shop.mend()
    age = shop.home.folder / "secrets" / "age"
    age.write_text("c4n4ryWrong")
    shop.run("verify", "--all", "--target", "local", ended=tuple(range(1, 10)))


def _serve(shop: Shop) -> None:
    """All routes, with a good token and with none, with what is there and what is not."""
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", "serve", "--port", "0", "--no-schedule"],
        cwd=shop.home.folder,
        env=shop.home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            found = re.search(r"https?://[0-9.:]+", process.stdout.readline())
            assert found is not None, process.stderr.read()
            secret = process.stdout.readline().split()[-1].strip("\u2068\u2069")
            bearer = {"Authorization": f"Bearer {secret}"}
            token = requests.post(f"{found[0]}/api/v1/setup", headers=bearer, timeout=60).json()["data"]["token"]
            shop.watch.secrets += [secret, token]
            _ask(shop, found[0], token)
        finally:
            os.kill(process.pid, signal.SIGTERM)
            shop.watch.look("what serve prints later", process.stdout.read())
            shop.watch.look("what serve says of errors", process.stderr.read())
            process.wait(60)


def _ask(shop: Shop, address: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Cookie": f"authToken={token}"}

    def ask(method: str, path: str, body: object = None, sent: dict[str, str] | None = None) -> requests.Response:
        chosen = headers if sent is None else sent
        answer = requests.request(method, f"{address}{path}", headers=chosen, json=body, timeout=TIMEOUT_S)
        shop.watch.look(f"the answer to {method} {path}", answer.content)
        shop.watch.look(f"the headers of the answer to {method} {path}", repr(answer.headers))
        return answer

    described = ask("GET", "/openapi.json").json()
    made = ask("POST", "/api/v1/admin/backup/create-full").json()
    backup = made["data"]["backup_id"]
    # Somebody puts a token where none belongs.
    ask("POST", "/api/v1/admin/backup/restore", {"backup_id": token, token: token})
    ask("GET", f"/api/v1/admin/backup/download/{token}")
    ask("GET", f"/{token}", sent={})
    ask("GET", "/backups/list", sent={"Authorization": f"Bearer {token[:-1]}"})
    ask("POST", "/backups/restore", {"backup_path": "no", "verify_checksum": token})
    shop.break_("database password")
    assert ask("POST", "/backups/create").status_code >= 500
    shop.break_("unknown message url")
    ask("POST", "/backups/create")
    shop.mend()
    run = ask("GET", "/api/v1/runs").json()["data"]["runs"][0]["run_id"]
    for path, operations in described["paths"].items():
        place = path.format(backup_id=backup, run_id=run, kind="daily") if "{" in path else path
        for method in operations:
            if (method, path) not in DONE:
                ask(method.upper(), place, {} if method == "post" else None)


def test_the_watch_sees_what_is_planted(tmp_path: Path) -> None:
    with SecretWatch(BIRD) as watch:
        for where, content in {
            "plain": f"x{BIRD}y",
            "hexadecimal": BIRD.encode().hex(),
            "first": base64.b64encode(f"{BIRD}Mail".encode()),
            "second": base64.b64encode(f"u{BIRD}Mail".encode()),
            "third": base64.b64encode(f"us{BIRD}Mail".encode()),
            "none": "canary",
        }.items():
            watch.look(where, content)
        subprocess.run(
            [sys.executable, "-m", "holdfast", "list", "--config", f"{BIRD}.toml"],
            cwd=tmp_path, capture_output=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    seen = {one.partition(" in ")[2] for one in watch.seen}
    assert {"plain", "hexadecimal", "first", "second", "third"} < seen
    assert "none" not in seen
    assert any(one.startswith("the arguments of") for one in seen)
