"""The REST interface of the document of Vertex AR: its Python lines, run as they stand against the example's server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from e2e.deployments import Machine, install, rows, tree

INTEGRATION = """
from fastapi import FastAPI
from app.api.backups import router

app = FastAPI()
app.include_router(router, tags=["backups"])
"""
REQUESTS = """
import requests

# Создать бэкап
response = requests.post(
    "http://localhost:8000/backups/create",
    json={"type": "full"},
    cookies={"authToken": "your_admin_token"}
)

# Получить статистику
response = requests.get(
    "http://localhost:8000/backups/stats",
    cookies={"authToken": "your_admin_token"}
)
stats = response.json()
print(f"Total backups: {stats['total_backups']}")
print(f"Total size: {stats['total_size_mb']} MB")
"""


class Server:
    """The example's server on a free port, and a token for it."""

    def __init__(self, machine: Machine, address: str) -> None:
        self.machine = machine
        self.address = address
        self.token = machine.run("python -m holdfast token create --scope admin").out.strip()

    def ask(self, method: str, place: str, *, status: int = 200, **more: Any) -> Any:
        """Asks as the document does: with the token in a cookie."""
        answer = requests.request(
            method, f"{self.address}{place}", cookies={"authToken": self.token}, timeout=60, **more
        )
        assert answer.status_code == status, answer.text
        return answer.json()


@contextlib.contextmanager
def serving(machine: Machine, target: str) -> Iterator[str]:
    """Serves with uvicorn until the end; gives the address."""
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", target, "--port", "0", "--no-access-log"],
        cwd=machine.app,
        env=machine.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "running on" in line)
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.stderr.read()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The studio's own application, which mounts the router in `app/main.py`."""
    machine = install(tmp_path_factory.mktemp("studio"), "vertex_ar", "path/to/vertex-ar")
    machine.run("python generate_data.py --size 300KB")
    with serving(machine, "app.main:app") as address:
        yield Server(machine, address)


def test_the_lines_of_the_document_run_as_they_stand(server: Server) -> None:
    written = REQUESTS.replace("http://localhost:8000", server.address).replace("your_admin_token", server.token)

    told = server.machine.run("python -", stdin=written).out

    assert told.splitlines()[0] == "Total backups: 1"
    assert told.splitlines()[1].startswith("Total size: 0.")


def test_the_router_mounts_in_an_application_as_the_document_writes_it(server: Server) -> None:
    (server.machine.app / "mounted.py").write_text(INTEGRATION)
    with serving(server.machine, "mounted:app") as address:
        mounted = Server.__new__(Server)
        mounted.machine, mounted.address, mounted.token = server.machine, address, server.token
        assert "by_type" in mounted.ask("GET", "/backups/stats")
        described = requests.get(f"{address}/openapi.json", timeout=60).json()
        assert described["paths"]["/backups/create"]["post"]["tags"] == ["backups"]
        refused = requests.get(f"{address}/backups/list", timeout=60)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not-authenticated")


def test_create_list_restore_and_rotate(server: Server) -> None:
    application = server.machine.app
    before = {"clients": rows(application / "app_data/app_data.db", "clients"), **tree(application / "storage")}
    made = server.ask("POST", "/backups/create", json={"type": "full"})
    (database,) = (one for one in made["components"].values() if one["type"] == "database")
    (storage,) = (one for one in made["components"].values() if one["type"] == "storage")
    server.machine.run("rm -r storage/images && sqlite3 app_data/app_data.db 'DELETE FROM clients'")

    for component in (database, storage):
        path = str(Path(component["backup_path"]).relative_to(application))
        done = server.ask("POST", "/backups/restore", json={"backup_path": path, "verify_checksum": True})
        assert done["verified"] is True

    after = {"clients": rows(application / "app_data/app_data.db", "clients"), **tree(application / "storage")}
    assert after == before
    time.sleep(1)
    server.ask("POST", "/backups/create", json={"type": "database"})
    everything = server.ask("GET", "/backups/list?backup_type=all")
    databases = server.ask("GET", "/backups/list?backup_type=database")
    assert made["backup_id"] in [one["backup_id"] for one in everything["backups"]]
    assert {one["type"] for one in databases["backups"]} == {"database"}
    assert len(databases["backups"]) == everything["total_count"]

    rotated = server.ask("POST", "/backups/rotate?max_backups=7")
    assert rotated["removed"] == []


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "backups/../../../etc/passwd", "app_data/app_data.db", ".env"]
)
def test_what_is_no_backup_is_not_restored(server: Server, path: str) -> None:
    answer = server.ask("POST", "/backups/restore", status=404, json={"backup_path": path})

    assert answer["error"]["code"] == "backup-not-found"


def test_the_application_still_answers_for_itself(server: Server) -> None:
    assert requests.get(f"{server.address}/health", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{server.address}/totals", timeout=60).json()["users"] > 0
