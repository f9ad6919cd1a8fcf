"""The servers of the benchmark, each in a process of its own: `ours FOLDER BACKUPS` or `peer PACKED PLAIN`.

Prints port, token and backup once it serves, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from holdfast.model.access import Scope
from holdfast.model.backup import StoredBackup, backup_id
from holdfast.operations.create import create_backup
from holdfast.operations.requests import CreateRequest
from holdfast.server.application import create_server
from holdfast.server.opening import Deployment
from holdfast.server.serving import Listening, prepare, uvicorn_settings

_CONFIGURATION = """
app = { name = "shop", language = "fa" }
sources.database = { kind = "sqlite", path = "shop.db" }
sources.storage = { kind = "files", paths = ["storage"] }
targets.local = { kind = "archive", url = "backups", layout = "bundle" }
"""
_FILES = 200
_FILE_BYTES = 128 * 1024
_ROWS = 50_000


def main() -> None:
    """Serves."""
    kind, *arguments = sys.argv[1:]
    if kind == "peer":
        _serve(_plain(*map(int, arguments)), "-", "-")
        return
    folder = Path(arguments[0])
    _make_application(folder)
    with Deployment(folder / "holdfast.toml", {}, folder) as deployment:
        with deployment.service.open() as app:
            made = create_backup(app.context, CreateRequest()).copies[0].stored
        assert made is not None
        # Into the mirror alone: the server reads it at each start, and no listing of the target happens here.
        mirror = deployment.catalog.copies
        mirror.replace(deployment.service.app_name, made.target, _many(made, int(arguments[1])), datetime.now(UTC))
        at = deployment.service.now()
        token = deployment.catalog.tokens.create("bench", (Scope.ADMIN,), expires_at=None, at=at)[1]
        app_served = create_server(deployment.site, deployment.settings)
        _serve(app_served, token, made.backup_id, deployment)
        deployment.service.close(30)


def _serve(app: Any, token: str, backup: str, deployment: Deployment | None = None) -> None:
    listening = Listening(host="127.0.0.1", port=0)
    server = uvicorn.Server(uvicorn_settings(app, listening))

    def end() -> None:
        sys.stdin.read()
        server.should_exit = True

    with closing(listening.opened()) as made:
        if deployment is not None:
            prepare(deployment)
        threading.Thread(target=end, daemon=True).start()
        print(made.getsockname()[1], token, backup, flush=True)
        asyncio.run(server.serve(sockets=[made]))


def _plain(packed: int, plain: int) -> Any:
    """Answers with so many bytes in one piece, whoever asks."""
    bodies = {True: os.urandom(packed), False: os.urandom(plain)}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        body = bodies[any(name == b"accept-encoding" for name, _value in scope["headers"])]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _make_application(folder: Path) -> None:
    (folder / "holdfast.toml").write_text(_CONFIGURATION)
    (folder / "storage").mkdir()
    source = random.Random(1)
    for number in range(_FILES):
        (folder / "storage" / f"{number}.jpg").write_bytes(source.randbytes(_FILE_BYTES))
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)")
        rows = ((f"item {source.random()}",) for _number in range(_ROWS))
        database.executemany("INSERT INTO orders (item) VALUES (?)", rows)


def _many(made: StoredBackup, count: int) -> list[StoredBackup]:
    """A backup, and as many more like it."""
    found = [made]
    for number in range(count):
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * number)
        named = backup_id(at)
        manifest = msgspec.structs.replace(made.manifest, backup_id=named, created_at=at)
        location = made.location.replace(made.backup_id, named)
        found.append(msgspec.structs.replace(made, manifest=manifest, location=location))
    return found


if __name__ == "__main__":
    main()
