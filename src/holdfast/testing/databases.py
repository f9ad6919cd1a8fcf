"""Real database servers for tests: private data folders, a free loopback port and a private socket.

Starting one takes a second or two, so a test session shares a server and gives each test a database of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from typing import NamedTuple

from holdfast.testing.servers import ServerFailed, free_port

POSTGRESQL_BIN = "/usr/lib/postgresql/15/bin"
_START_S = 60.0
_STOP_S = 20.0
_POLL_S = 0.05


class DatabaseServer(NamedTuple):
    """A running server. `user` may do everything; `socket_dir` holds its Unix socket; `pid` is the server process."""

    kind: str
    host: str
    port: int
    user: str
    password: str
    socket_dir: str
    pid: int

    def url(self, database: str, *, password: bool = True) -> str:
        """The URL of a database over TCP."""
        secret = f":{self.password}" if password else ""
        return f"{self.kind}://{self.user}{secret}@{self.host}:{self.port}/{database}"

    def new_database(self) -> str:
        """Makes an empty database and returns its name."""
        name = f"test_{secrets.token_hex(6)}"
        run_sql(self, "postgres" if self.kind == "postgresql" else "mysql", f"CREATE DATABASE {name}")
        return name


def run_sql(server: DatabaseServer, database: str, *statements: str) -> list[tuple[object, ...]]:
    """Runs statements, each in a transaction of its own, and returns the rows of the last one."""
    rows: list[tuple[object, ...]] = []
    if server.kind == "postgresql":
        import psycopg

        with psycopg.connect(server.url(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows
    import pymysql

    mysql = pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=database,
        charset="utf8mb4",
        autocommit=True,
    )
    try:
        with mysql.cursor() as shown:
            for statement in statements:
                shown.execute(statement)
                rows = list(shown.fetchall()) if shown.description else []
    finally:
        mysql.close()
    return rows


@contextlib.contextmanager
def postgresql_server() -> Generator[DatabaseServer]:
    """PostgreSQL 15 with password authentication, not as root, fsync off: it lives for a test session."""
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = _folder(user)
    password = secrets.token_urlsafe(12)
    try:
        data, port = os.path.join(folder, "data"), free_port()
        secret = os.path.join(folder, "password")
        with open(secret, "w", encoding="ascii") as file:
            file.write(password)
        os.chmod(secret, 0o644)
        initdb = [f"{POSTGRESQL_BIN}/initdb", "-D", data, "-U", "holdfast", "-A", "scram-sha-256", "--no-sync"]
        _run([*initdb, "--pwfile", secret, "-E", "UTF8", "--locale=C.UTF-8"], user)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with _process([f"{POSTGRESQL_BIN}/postgres", "-D", data, *arguments], user, folder, signal.SIGINT) as pid:
            server = DatabaseServer("postgresql", "127.0.0.1", port, "holdfast", password, folder, pid)
            _wait(server, "postgres", folder)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def mariadb_server() -> Generator[DatabaseServer]:
    """MariaDB 10.11 with a password, not as root."""
    user = "mysql" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = _folder(user)
    password = secrets.token_urlsafe(12)
    try:
        data, port = os.path.join(folder, "data"), free_port()
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}", "--skip-test-db"]
        _run([*install, "--auth-root-authentication-method=normal"], user)
        begin = os.path.join(folder, "begin.sql")
        with open(begin, "w", encoding="ascii") as file:
            for place in ("'%'", "localhost"):  # the server takes one statement a line
                file.write(f"CREATE USER holdfast@{place} IDENTIFIED BY '{password}';\n")
                file.write(f"GRANT ALL ON *.* TO holdfast@{place} WITH GRANT OPTION;\n")
        os.chmod(begin, 0o644)
        arguments = ["--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]
        arguments += [f"--socket={folder}/mysqld.sock", f"--pid-file={folder}/pid", f"--init-file={begin}"]
        arguments += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]
        arguments += ["--event-scheduler=ON"]
        with _process(["/usr/sbin/mariadbd", *arguments], user, folder, signal.SIGTERM) as pid:
            server = DatabaseServer("mysql", "127.0.0.1", port, "holdfast", password, folder, pid)
            _wait(server, "mysql", folder)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(user: str) -> str:
    # Short, because the path of a Unix socket has to fit into 107 bytes.
    folder = tempfile.mkdtemp(prefix="hf-db-", dir="/tmp")
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    os.chmod(folder, 0o755)  # noqa: S103 - clients of other users reach the socket through it
    return folder


def _run(command: Sequence[str], user: str) -> None:
    uid, gid, groups = _identity(user)
    done = subprocess.run(
        command, user=uid, group=gid, extra_groups=groups, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServerFailed(done.stdout + done.stderr)


def _identity(user: str) -> tuple[int | None, int | None, list[int] | None]:
    """Whom to become: nobody else, unless this is root."""
    if os.geteuid() != 0:
        return None, None, None
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid, []


@contextlib.contextmanager
def _process(command: Sequence[str], user: str, folder: str, stop: signal.Signals) -> Generator[int]:
    uid, gid, groups = _identity(user)
    with open(os.path.join(folder, "log"), "wb") as log:
        process = subprocess.Popen(command, user=uid, group=gid, extra_groups=groups, cwd="/", stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.send_signal(stop)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: DatabaseServer, database: str, folder: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            run_sql(server, database, "SELECT 1")
        except Exception as error:
            if time.monotonic() > deadline:
                with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as log:
                    raise ServerFailed(f"{error}\n{log.read()[-4000:]}") from error
            time.sleep(_POLL_S)
        else:
            return
